"""The standard figures, drawn from the records alone; here, all metrics by run, and the differences to the baseline.

Learning curves, trade-offs, sweeps and the schematic have modules of their own. A caption is plain text and can be
understood without the paper's text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agent.core.looks import SIZE, TEXT_WIDTH
from paper.evidence.facts import Difference, FactError, Facts, difference_of
from paper.evidence.few import few, left_out_words
from paper.evidence.numbers import setting_text
from paper.evidence.prices import prices
from paper.evidence.series import series_of
from paper.pictures.curves import curves
from paper.pictures.planes import planes
from paper.pictures.schematic import schematic
from paper.pictures.shown import (
    Figure,
    axis_words,
    described_words,
    in_lines,
    look_of,
    mark_label,
    means_words,
    metric_words,
    reported_words,
    seeds_words,
)
from paper.pictures.style import MARKERS, SEED, draw
from paper.pictures.sweeps import sweeps

if TYPE_CHECKING:
    from agent.core.record import RunRecord

__all__ = ["AGENT_LABEL", "Figure", "standard_figures"]

AGENT_LABEL = "Drawn by the agent's plot.py; not verified."
Gap: TypeAlias = "tuple[RunRecord, str, Difference]"  # a run, a condition, and its difference to the baseline there


def standard_figures(facts: Facts, folder: Path) -> tuple[Figure, ...]:
    """Draw every standard figure for which the records have data, as PDF and PNG into `folder`.

    In the order of the paper: schematic, metrics, differences, learning curves, trade-offs, sweeps, further metrics.
    """
    if not facts.measured:
        return ()
    shown, which = few(facts), left_out_words(facts)
    first, *others = _metrics(shown, folder)
    figures = (
        first,
        _differences(shown, folder),
        curves(shown, folder),
        planes(shown, folder),
        *sweeps(shown, folder),
        *others,
    )
    described = [found] if (found := schematic(facts, folder)) else []
    return (*described, *(replace(f, caption=f"{f.caption}{which}") for f in figures if f is not None))


# ---------------------------------------------------------------- metrics by run


PANELS = 6  # metrics of one figure
WORDS, ROW_WORDS = 24, 36  # letters of a name in one line: beside or above a panel; at a row of the differences
TALLEST = 7.2  # inches of a page that a figure may take beside its caption


def _metrics(facts: Facts, folder: Path) -> list[Figure]:
    """The headline metrics, a panel each and at most six panels a figure, the primary metric first.

    The first figure is for the text, the others for the appendix.
    """
    names = sorted(facts.manifest.headline, key=lambda m: not facts.manifest.metrics[m].primary)
    size = -(-len(names) // -(-len(names) // PANELS))  # as few figures as possible, with about equally many panels each
    groups = [names[start : start + size] for start in range(0, len(names), size)]
    return [_metric_figure(facts, folder, group, place, names) for place, group in enumerate(groups)]


def _metric_figure(facts: Facts, folder: Path, names: list[str], place: int, every: list[str]) -> Figure:
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    conditions = facts.condition_names()
    line = 0.155 * max(1.0, 0.7 * len(conditions), 0.9 * _lines_of(r.label for r in facts.measured))
    height = rows * (0.52 + line * max(3, len(facts.measured)))
    height += rows * 0.13 * max(_title(facts, m).count("\n") for m in names)

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axis, metric in zip(axes, names, strict=False):
            _panel(axis, facts, metric)
        for axis in axes[len(names) :]:
            axis.set_visible(False)
        if len(conditions) > 1:
            _name_conditions(canvas, facts)

    name = "metrics" if place == 0 else f"metrics_{place + 1}"
    height = min(TALLEST, height + (0.25 if len(conditions) > 1 else 0))
    file = draw(folder / name, TEXT_WIDTH, height, paint)
    what = ", ".join(metric_words(facts, m) for m in names)
    primary = place == 0 and len(names) > 1
    first = f" The primary metric, {facts.spec(names[0]).label}, comes first." if primary else ""
    marked = "; the shape of a marker is its condition" if len(conditions) > 1 else ""
    having = "measured" if facts.manifest.measured else "finished"
    means = means_words(facts, ", bars one standard error (ddof = 1), open grey circles the single seeds")
    target = " A dotted line is a target." if any(facts.target(m) is not None for m in names) else ""
    return Figure(
        name,
        file,
        caption=(
            f"{_shown(names, place, every)} for every {having} run, baselines at the top.{first} Filled markers "
            f"are {means}{marked}. Arrows give the direction that is better.{target}{described_words(facts)}"
            f"{reported_words(facts)}"
        ),
        description=f"Metrics by run with error bars: {what}.",
    )


def _shown(names: list[str], place: int, every: list[str]) -> str:
    """Which of the metrics a figure draws, in the order of the template with the primary one first."""
    if len(names) == len(every):
        return "Every metric"
    first = every.index(names[0]) + 1
    last = first + len(names) - 1
    which = f"Metric {first}" if first == last else f"Metrics {first} to {last}"
    return f"{which} of {len(every)}{' (further figures show the others)' if place == 0 else ''}"


def _lines_of(labels: Iterable[str], letters: int = WORDS) -> int:
    """How many lines the longest of these names takes."""
    return max((in_lines(label, letters).count("\n") + 1 for label in labels), default=1)


def _across(labels: list[str]) -> int:
    """How many entries of a legend fit side by side."""
    return len(labels) if sum(map(len, labels)) <= 80 else max(1, 80 // max(map(len, labels)))


def _name_conditions(canvas: Any, facts: Facts) -> None:
    """Draw a legend below the panels: a marker for each condition."""
    from matplotlib.lines import Line2D

    labels = [facts.condition_label(name) for name in facts.condition_names()]
    shapes = [MARKERS[index % len(MARKERS)] for index in range(len(labels))]
    handles = [Line2D([], [], ls="none", color="#555555", marker=shape) for shape in shapes]
    canvas.legend(handles, labels, loc="outside lower center", ncols=_across(labels))


def _title(facts: Facts, metric: str) -> str:
    spec, target = facts.spec(metric), facts.target(metric)
    aim = f" (target {setting_text(target)})" if target is not None else ""
    return in_lines(axis_words(facts, metric) + aim + (" (primary)" if spec.primary else ""), WORDS)


def _panel(axis: Any, facts: Facts, metric: str) -> None:
    conditions = facts.condition_names()
    for place, record in enumerate(facts.measured):
        for index, condition in enumerate(conditions):
            series = series_of(record, metric, condition)
            if series is None:
                continue
            y = place + (index - (len(conditions) - 1) / 2) * 0.24
            style: dict[str, Any] = {**look_of(facts, record)}
            if len(conditions) > 1:
                style |= {"marker": MARKERS[index % len(MARKERS)], "markersize": SIZE}
            axis.plot(series.values, [y] * series.n, **SEED)
            axis.errorbar(series.mean, y, xerr=series.se or 0, zorder=3, **style)
    target = facts.target(metric)
    axis.set_title(_title(facts, metric))
    axis.set_yticks(range(len(facts.measured)), [in_lines(r.label, WORDS) for r in facts.measured])
    mark_label(axis.get_yticklabels(), list(facts.measured), facts)
    axis.set_ylim(len(facts.measured) - 0.4, -0.6)
    axis.locator_params(axis="x", nbins=4)
    if target is not None:
        axis.axvline(target, color="black", lw=0.8, ls=":")


# ---------------------------------------------------------------- differences


def _differences(facts: Facts, folder: Path) -> Figure | None:
    """Draw the difference of each run to the strongest baseline, and the confirmation; None without two such runs."""
    try:
        base = facts.record("baseline")
        rows = _gaps(facts, base)
    except FactError:
        return None
    if not rows:
        return None
    confirmed = facts.confirmed
    names = [_row_name(facts, r, c) for r, c, _ in rows]

    def paint(canvas: Any) -> None:
        shares = [2.1, 1] if confirmed else [1]
        axes = canvas.subplots(1, len(shares), squeeze=False, width_ratios=shares).ravel()
        _explored(axes[0], facts, rows, base)
        if confirmed:
            _confirmed(axes[1], facts)

    width = 1.0 if confirmed else 0.8
    line = max(0.19, 0.125 * _lines_of(names, ROW_WORDS))
    height = min(TALLEST, 0.75 + line * max(5, len(rows)))
    file = draw(folder / "differences", width * TEXT_WIDTH, height, paint)
    label = facts.spec(facts.manifest.primary).label
    left = "Left: exploration. " if confirmed else ""
    strongest = "the strongest baseline" if len(facts.baselines) > 1 else "the baseline"
    return Figure(
        "differences",
        file,
        width=width,
        caption=(
            f"{left}Difference of each run to {strongest}, {base.label}, in the primary metric, {label}. "
            f"{_explored_words(facts, rows)}{prices(facts)}{described_words(facts)}{_confirmed_words(facts)}"
            f"{reported_words(facts)}"
        ),
        description=f"Difference of each run to {base.label} in {label}, per seed and with error bars"
        + (", and the confirmation on fresh seeds, seed by seed." if confirmed else "."),
    )


def _gaps(facts: Facts, base: RunRecord) -> list[Gap]:
    """The difference of each other measured run to a baseline in the primary metric, under each condition."""
    metric = facts.manifest.primary
    return [
        (r, c, difference_of(facts.series(r.name, metric, c), facts.series(base.name, metric, c)))
        for r in facts.measured
        if r.run != base.run
        for c in facts.condition_names()
    ]


def _explored(axis: Any, facts: Facts, rows: list[Gap], base: RunRecord) -> None:
    """Draw the differences, a row each, with their intervals and the single seeds."""
    axis.axvline(0, color="black", lw=0.8)
    for y, (record, _, gap) in enumerate(rows):
        style = look_of(facts, record)
        if gap.a.seeds == gap.b.seeds:
            steps = [a - b for a, b in zip(gap.a.values, gap.b.values, strict=True)]
            axis.plot(steps, [y] * len(steps), **SEED)
        low, high = gap.ci or (gap.value, gap.value)
        filled = style["color"] if gap.distinct or not gap.judged else "white"
        reach = [[max(gap.value - low, 0)], [max(high - gap.value, 0)]]
        axis.errorbar(gap.value, y, xerr=reach, capsize=2 if gap.judged else 0, mfc=filled, **style)
    axis.set_yticks(range(len(rows)), [in_lines(_row_name(facts, r, c), ROW_WORDS) for r, c, _ in rows])
    mark_label(axis.get_yticklabels(), [r for r, _, _ in rows], facts)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    spec = facts.spec(facts.manifest.primary)
    better = f" ({spec.better} is better)" if spec.better != "target" else ""
    axis.set_xlabel(in_lines(f"{spec.label} minus that of {base.label}{better}", 44))


def _explored_words(facts: Facts, rows: list[Gap]) -> str:
    """What the markers of the differences mean. Runs that were trained once have neither intervals nor verdicts."""
    if not any(gap.judged for _, _, gap in rows):
        if not facts.manifest.seeded:
            return "Every run is one execution of the script: nothing says how much of a difference is noise."
        return "Every run was trained once: without a second seed nothing says how much of a difference is noise."
    return (
        f"Large markers are means over {seeds_words(facts)}, small open circles the seeds. Bars are exploratory 95% "
        "confidence intervals of the difference (by t, paired over shared seeds, not corrected for the number of "
        "runs); few seeds make a wide interval. A large marker is filled where its interval excludes zero."
    )


def _row_name(facts: Facts, record: RunRecord, condition: str) -> str:
    several = len(facts.condition_names()) > 1
    return f"{record.label}, {facts.condition_label(condition)}" if several else record.label


def _confirmed(axis: Any, facts: Facts) -> None:
    """Draw both arms of the confirmation, and a line between them for each fresh seed."""
    found = facts.confirmation
    for pair in zip(found.baseline.values, found.ours.values, strict=True):
        axis.plot([0, 1], pair, color="#8a8a8a", lw=0.7, **{k: v for k, v in SEED.items() if k != "ls"})
    for x, arm in ((0, found.baseline), (1, found.ours)):
        axis.errorbar(x, arm.mean, yerr=arm.se or 0, zorder=3, **look_of(facts, arm.run))
    axis.set_xticks([0, 1], [_lines(found.baseline.run.label), _lines(found.ours.run.label)])
    axis.get_xticklabels()[1].set_fontweight("bold")
    axis.set_xlim(-0.5, 1.5)
    axis.margins(y=0.1)
    axis.set_ylabel(f"{axis_words(facts, facts.manifest.primary)}\nfresh seeds")  # one line is longer than the axis
    axis.grid(visible=False, axis="x")


def _lines(label: str) -> str:
    """A run's name without the word that marks its confirmation, broken to fit under an axis."""
    label = label.replace(", confirmation", "")
    return label.replace(" ", "\n", 1) if len(label) <= WORDS else in_lines(label, 9)


def _confirmed_words(facts: Facts) -> str:
    found = facts.confirmed
    if found is None:
        return ""
    return (
        f" Right: the confirmation, both arms trained anew on {len(found.ours.seeds)} fresh seeds and fresh data; "
        "a line joins the arms of a seed, large markers are means with one standard error."
    )
