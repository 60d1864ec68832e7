"""Figures of a paper. The standard ones are drawn here from records; the agent's own come in as files.

Captions are plain text and stand alone; latex.py escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper.facts import FactError, Facts, Series, difference_of
from paper.numbers import count_text
from paper.style import LINES, TEXT_WIDTH, draw, look

if TYPE_CHECKING:
    from agent.record import RunRecord

AGENT_LABEL = "Drawn by the agent's plot.py; not verified."
_ARROW = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True)
class Figure:
    """A figure as the paper knows it: `[@fig:name]`."""

    name: str
    file: Path
    caption: str
    description: str  # for the notes and the writer's prompt
    by: str = "runner"  # "runner" or "agent"
    width: float = 1.0  # of the text's width


def standard_figures(facts: Facts, folder: Path) -> tuple[Figure, ...]:
    """Draw what the records allow: metrics by run, differences to the baseline, learning curves, trade-offs."""
    if not facts.measured:
        return ()
    figures = [_metrics(facts, folder), _differences(facts, folder), _curves(facts, folder)]
    figures += [_tradeoff(facts, folder, i) for i in range(len(facts.manifest.tradeoffs))]
    return tuple(f for f in figures if f is not None)


# ---------------------------------------------------------------- metrics by run

def _metrics(facts: Facts, folder: Path) -> Figure:
    names = sorted(facts.manifest.metrics, key=lambda m: not facts.manifest.metrics[m].primary)[:6]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    conditions = facts.condition_names()
    height = rows * (0.62 + 0.19 * max(3, len(facts.measured)) * max(1.0, 0.7 * len(conditions)))

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axis, metric in zip(axes, names, strict=False):
            _panel(axis, facts, metric)
        for axis in axes[len(names):]:
            axis.set_visible(False)
        if len(conditions) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))

    file = draw(folder / "metrics", TEXT_WIDTH, height + (0.25 if len(conditions) > 1 else 0), paint)
    what = ", ".join(_metric_words(facts, m) for m in names)
    companions = f"Primary metric: {facts.spec(names[0]).label}. " if len(names) > 1 else ""
    return Figure("metrics", file, caption=(
        f"All measured runs, baselines at the top. {companions}Filled markers are means over {_seeds(facts)} and bars "
        f"one standard error (ddof = 1); open grey circles are the single seeds. An arrow tells which direction is "
        f"better.{_reported(facts)}"), description=f"Metrics by run with error bars: {what}.")


def _panel(axis: Any, facts: Facts, metric: str) -> None:
    conditions = facts.condition_names()
    for place, record in enumerate(facts.measured):
        for index, condition in enumerate(conditions):
            series = _series(facts, record, metric, condition)
            if series is None:
                continue
            y = place + (index - (len(conditions) - 1) / 2) * 0.24
            style = look(index) if len(conditions) > 1 else look(0 if record.kind == "baseline" else 1)
            axis.plot(series.values, [y] * series.n, "o", mfc="none", mec="#8a8a8a", ms=3, mew=0.6, zorder=2)
            label = facts.condition_label(condition) if place == 0 else None
            axis.errorbar(series.mean, y, xerr=series.se or 0, capsize=2, zorder=3, label=label, **style)
    spec = facts.spec(metric)
    arrow = _ARROW.get(spec.better, "")
    axis.set_title(f"{spec.label} {arrow}".strip() + (" (primary)" if spec.primary else ""))
    axis.set_yticks(range(len(facts.measured)), [r.label for r in facts.measured])
    axis.set_ylim(len(facts.measured) - 0.4, -0.6)
    axis.locator_params(axis="x", nbins=4)
    if spec.unit:
        axis.set_xlabel(spec.unit)
    if spec.target is not None:
        axis.axvline(spec.target, color="black", lw=0.8, ls=":")


# ---------------------------------------------------------------- differences

def _differences(facts: Facts, folder: Path) -> Figure | None:
    metric = facts.manifest.primary
    try:
        base = facts.record("baseline")
        rows = [(r, c, difference_of(facts.series(r.name, metric, c), facts.series(base.name, metric, c)))
                for r in facts.measured if r.run != base.run for c in facts.condition_names()]
    except FactError:
        return None
    if not rows:
        return None
    several = len(facts.condition_names()) > 1

    def paint(canvas: Any) -> None:
        axis = canvas.subplots()
        axis.axvline(0, color="black", lw=0.8)
        for y, (record, _, gap) in enumerate(rows):
            style = look(0 if record.kind == "baseline" else 1)
            if gap.a.seeds == gap.b.seeds:
                steps = [a - b for a, b in zip(gap.a.values, gap.b.values, strict=True)]
                axis.plot(steps, [y] * len(steps), "o", mfc="none", mec="#8a8a8a", ms=3, mew=0.6)
            axis.errorbar(gap.value, y, xerr=gap.se or 0, capsize=2, mfc=style["color"] if gap.distinct else "white",
                          **style)
        axis.set_yticks(range(len(rows)), [f"{r.label}, {facts.condition_label(c)}" if several else r.label
                                           for r, c, _ in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        spec = facts.spec(metric)
        axis.set_xlabel(f"{spec.label} minus that of {base.label} ({spec.better} is better)" if spec.better != "target"
                        else f"{spec.label} minus that of {base.label}")

    file = draw(folder / "differences", 0.8 * TEXT_WIDTH, 0.6 + 0.22 * len(rows), paint)
    label = facts.spec(metric).label
    return Figure("differences", file, width=0.8, caption=(
        f"Difference of each run to the strongest baseline, {base.label}, in the primary metric, {label}. Large "
        f"markers "
        f"are means over {_seeds(facts)} with one standard error of the difference; small open circles are the seeds. "
        "A large marker is filled where an exploratory two-sided t-test at the five-percent level, not corrected for "
        "the "
        f"number of runs, tells the difference from zero.{_reported(facts)}"),
        description=f"Difference of each run to {base.label} in {label}, per seed and with error bars.")


# ---------------------------------------------------------------- learning curves

def _curves(facts: Facts, folder: Path) -> Figure | None:
    drawn = {c: [(i, r, curve) for i, r in enumerate(facts.measured) if (curve := _mean_curve(r, c))]
             for c in facts.condition_names()}
    shown = {c: lines for c, lines in list(drawn.items())[:3] if lines}
    if not shown:
        return None

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(1, len(shown), sharey=True, squeeze=False).ravel()
        for axis, (condition, lines) in zip(axes, shown.items(), strict=True):
            for index, record, (steps, mean, se) in lines:
                colour = look(index)["color"]
                axis.plot(steps, mean, color=colour, ls=LINES[index % len(LINES)], label=record.label)
                axis.fill_between(steps, mean - se, mean + se, color=colour, alpha=0.18, lw=0)
            axis.set_xlabel("step")
            if len(shown) > 1:
                axis.set_title(facts.condition_label(condition))
            values = [v for _, _, (_, mean, _) in lines for v in mean]
            if min(values) > 0 and max(values) > 20 * min(values):
                axis.set_yscale("log")
        axes[0].set_ylabel("training loss (self-reported)")
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside right center")

    file = draw(folder / "curves", TEXT_WIDTH, 2.1, paint)
    return Figure("curves", file, caption=(
        f"Training loss as each experiment reported it, mean over {_seeds(facts)}; bands are one standard error. "
        "Losses of different architectures are different quantities: their levels cannot be compared, their shapes "
        "can."),
        description="Learning curves: self-reported training loss by step, one line a run.")


def _mean_curve(record: RunRecord, condition: str) -> tuple[Any, Any, Any] | None:
    """Loss over seeds on the first seed's steps."""
    import numpy as np

    curves = [t.curves for t in record.trainings if t.condition == condition and t.outcome == "measured"
              and len(t.curves.get("loss", ())) > 1 and len(t.curves.get("step", ())) == len(t.curves["loss"])]
    if not curves:
        return None
    steps = np.asarray(curves[0]["step"])
    losses = np.stack([np.interp(steps, c["step"], c["loss"]) for c in curves])
    se = losses.std(axis=0, ddof=1) / np.sqrt(len(losses)) if len(losses) > 1 else np.zeros(len(steps))
    return steps, losses.mean(axis=0), se


# ---------------------------------------------------------------- trade-offs

def _tradeoff(facts: Facts, folder: Path, index: int) -> Figure:
    plane = facts.manifest.tradeoffs[index]
    name = "tradeoff" if index == 0 else f"tradeoff-{index + 1}"
    x_spec, y_spec = facts.spec(plane.x), facts.spec(plane.y)

    def paint(canvas: Any) -> None:
        axis = canvas.subplots()
        for place, record in enumerate(facts.measured):
            points = [(x, y) for c in facts.condition_names() if (x := _series(facts, record, plane.x, c))
                      and (y := _series(facts, record, plane.y, c))]
            axis.errorbar([x.mean for x, _ in points], [y.mean for _, y in points], xerr=[x.se or 0 for x, _ in points],
                          yerr=[y.se or 0 for _, y in points], capsize=1.5, elinewidth=0.8, label=record.label,
                          ls=LINES[place % len(LINES)] if len(points) > 1 else "none", **look(place))
        axis.set_xlabel(f"{x_spec.label} {_ARROW.get(x_spec.better, '')}".strip())
        axis.set_ylabel(f"{y_spec.label} {_ARROW.get(y_spec.better, '')}".strip())
        axis.margins(0.12)
        canvas.legend(*axis.get_legend_handles_labels(), loc="outside right center")

    file = draw(folder / name, 0.85 * TEXT_WIDTH, 2.4, paint)
    lines = " Lines join the conditions of a run." if len(facts.condition_names()) > 1 else ""
    return Figure(name, file, width=0.85, caption=(
        f"The plane of {x_spec.label} and {y_spec.label}: markers are means over {_seeds(facts)}, bars one standard "
        f"error in "
        f"either direction; an arrow tells which direction of an axis is better.{lines}{_reported(facts)}"),
        description=f"Trade-off plane: {y_spec.label} against {x_spec.label}, one marker a run.")


# ---------------------------------------------------------------- words

def _series(facts: Facts, record: RunRecord, metric: str, condition: str) -> Series | None:
    try:
        return facts.series(record.name, metric, condition)
    except FactError:
        return None


def _seeds(facts: Facts) -> str:
    counts: Sequence[int] = sorted({s.n for r in facts.measured for c in facts.condition_names()
                                    if (s := _series(facts, r, facts.manifest.primary, c))})
    if len(counts) == 1:
        return f"n = {counts[0]} seed{'s' if counts[0] != 1 else ''}"
    return f"{count_text(counts[0])} to {count_text(counts[-1])} seeds (listed in the appendix)" if counts else "seeds"


def _metric_words(facts: Facts, metric: str) -> str:
    spec = facts.spec(metric)
    how = f"{spec.better} is better" if spec.better != "target" else f"target {spec.target}"
    return f"{spec.label} ({how})"


def _reported(facts: Facts) -> str:
    return "" if facts.manifest.measured else " All values are self-reported by the experiments."
