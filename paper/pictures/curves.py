"""The figure of learning curves: one panel for each run, with the curves of all other runs behind it in grey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import TEXT_WIDTH
from paper.evidence.facts import Facts
from paper.pictures.shown import Figure, described_words, in_lines, look_of, means_words, standing_out
from paper.pictures.style import GREY, LINES, draw

if TYPE_CHECKING:
    from agent.core.record import RunRecord

COLUMNS = 4, 5  # panels side by side; five where that leaves fewer rows
WORDS = 15  # letters of a run's name in one line above a panel (see `in_lines`)
MAX_CONDITIONS = 3  # lines in a panel
Curve = tuple[Any, Any, Any]  # steps, mean, standard error


def curves(facts: Facts, folder: Path) -> Figure | None:
    """Draw the training loss that the experiments reported; None if no run reported one."""
    drawn = [(r, lines) for r in facts.measured if (lines := _lines_of(facts, r))]
    if not drawn:
        return None
    columns = min(min(COLUMNS, key=lambda n: -(-len(drawn) // n)), len(drawn))
    rows = -(-len(drawn) // columns)
    columns = -(-len(drawn) // rows)  # fewer columns where the last row would else be much shorter than the others
    several = max(len(lines) for _, lines in drawn) > 1

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, axis in enumerate(axes.ravel()):
            if place < len(drawn):
                _panel(axis, facts, *drawn[place], [x for r, x in drawn if r is not drawn[place][0]])
            else:
                axis.set_visible(False)
                axes[place // columns - 1][place % columns].xaxis.set_tick_params(labelbottom=True)
        values = [v for _, lines in drawn for _, mean, _ in lines.values() for v in mean]
        if min(values) > 0 and max(values) > 20 * min(values):
            axes[0][0].set_yscale("log")
            axes[0][0].yaxis.set_major_formatter("{x:g}")  # the exponent of 10^-3 is too small to read in print
            axes[0][0].yaxis.set_minor_formatter("")
        canvas.supxlabel("training step", fontsize=8.5)
        canvas.supylabel("training loss (self-reported)", fontsize=8.5)
        if several:
            canvas.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=MAX_CONDITIONS)

    more = max(in_lines(record.label, WORDS).count("\n") for record, _ in drawn)
    file = draw(folder / "curves", TEXT_WIDTH, 0.45 + (0.98 + 0.13 * more) * rows + 0.25 * several, paint)
    description = "Learning curves: self-reported training loss by step, one panel a run."
    return Figure("curves", file, _caption(facts, several), description)


def _caption(facts: Facts, several: bool) -> str:
    """The caption; `several`: a panel has lines of several conditions."""
    conditions = " Line styles are conditions." if several else ""
    if len(facts.condition_names()) > MAX_CONDITIONS:
        conditions = (
            f" Line styles are conditions; the first {MAX_CONDITIONS} of {len(facts.condition_names())} are drawn."
        )
    return (
        f"Training loss by step as each experiment reported it, in the units of its own loss: one panel a run, "
        f"{means_words(facts, ' with a band of one standard error')}, all other runs in grey.{conditions} "
        "Losses of different architectures are different quantities: their levels cannot be compared, their "
        f"shapes can.{described_words(facts)}"
    )


def _panel(axis: Any, facts: Facts, record: RunRecord, lines: dict[str, Curve], others: list[dict[str, Curve]]) -> None:
    for other in others:
        steps, mean, _ = next(iter(other.values()))
        axis.plot(steps, mean, color=GREY, lw=0.6, zorder=1)
    colour = look_of(facts, record)["color"]
    for index, (condition, (steps, mean, se)) in enumerate(lines.items()):
        axis.fill_between(steps, mean - se, mean + se, color=colour, alpha=0.25, lw=0, zorder=2)
        axis.plot(steps, mean, color=colour, lw=1.1, ls=LINES[index], zorder=3, label=facts.condition_label(condition))
    chosen = standing_out(facts)
    axis.set_title(
        in_lines(record.label, WORDS), fontweight="bold" if chosen and record.run == chosen.run else "normal", pad=3
    )
    axis.locator_params(axis="x", nbins=3)


def _lines_of(facts: Facts, record: RunRecord) -> dict[str, Curve]:
    names = facts.condition_names(record)[:MAX_CONDITIONS]
    return {name: curve for name in names if (curve := _mean_curve(record, name))}


def _mean_curve(record: RunRecord, condition: str) -> Curve | None:
    """Mean and standard error of the loss over seeds, interpolated at the first seed's steps; None without a curve."""
    import numpy as np

    found = [
        t.curves
        for t in record.trainings
        if t.condition == condition
        and t.outcome == "measured"
        and len(t.curves.get("loss", ())) > 1
        and len(t.curves.get("step", ())) == len(t.curves["loss"])
    ]
    if not found:
        return None
    steps = np.asarray(found[0]["step"])
    losses = np.stack([np.interp(steps, c["step"], c["loss"]) for c in found])
    se = losses.std(axis=0, ddof=1) / np.sqrt(len(losses)) if len(losses) > 1 else np.zeros(len(steps))
    return steps, losses.mean(axis=0), se
