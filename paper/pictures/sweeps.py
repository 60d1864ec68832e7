"""Figures of sweeps: metrics against the setting that runs were swept over, with a curve for each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import TEXT_WIDTH
from paper.evidence.clauses import foremost
from paper.evidence.facts import Facts
from paper.evidence.sweeps import curve_of, swept_runs
from paper.pictures.shown import Figure, axis_words, in_lines, look_of, metric_words, reported_words
from paper.pictures.style import draw

if TYPE_CHECKING:
    from agent.core.record import RunRecord

MOST_PANELS = 3  # metrics of a figure, side by side
LETTERS = 26  # of a panel's title, and of an entry of the legend, in one line


def sweeps(facts: Facts, folder: Path) -> list[Figure]:
    """Draw a figure for each setting that runs of the session were swept over."""
    by_setting: dict[str, list[RunRecord]] = {}
    for record in swept_runs(facts):
        if record.swept:
            by_setting.setdefault(record.swept.setting, []).append(record)
    return [_figure(facts, folder, setting, records) for setting, records in by_setting.items()]


def _figure(facts: Facts, folder: Path, setting: str, records: Sequence[RunRecord]) -> Figure:
    names = foremost(facts)[:MOST_PANELS]

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(1, len(names), squeeze=False).ravel()
        for axis, metric in zip(axes, names, strict=True):
            _panel(axis, facts, setting, records, metric)
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))

    width = {1: 0.6, 2: 0.8}.get(len(names), 1.0)
    file = draw(folder / f"sweep_{setting}", width * TEXT_WIDTH, 2.0 + 0.2 * -(-len(records) // 3), paint)
    what = ", ".join(metric_words(facts, m) for m in names)
    seeds = {p.series.n for r in records for m in names for p in curve_of(r, m)}
    spread = ", bars one standard error" if seeds and max(seeds) > 1 else ""
    return Figure(
        f"sweep_{setting}",
        file,
        width=width,
        caption=(
            f"A sweep: {what} against {setting}, a line for each run that was swept over it. Markers are means over "
            f"seeds{spread}; everything else is as in the other trainings of the run. A sweep explores: none of its "
            f"points is compared with another run.{reported_words(facts)}"
        ),
        description=f"Sweep: {what} against {setting}, a line a run.",
    )


def _panel(axis: Any, facts: Facts, setting: str, records: Sequence[RunRecord], metric: str) -> None:
    values = []
    for record in records:
        points = curve_of(record, metric)
        values += [p.value for p in points]
        axis.errorbar(
            [p.value for p in points],
            [p.series.mean for p in points],
            yerr=[p.series.se or 0 for p in points],
            elinewidth=0.8,
            label=in_lines(record.label, LETTERS),
            **look_of(facts, record),
        )
    axis.set_title(in_lines(axis_words(facts, metric), LETTERS))
    axis.set_xlabel(setting)
    if values and min(values) > 0 and max(values) >= 8 * min(values):
        _doubling(axis, sorted(set(values)))
    else:
        axis.locator_params(axis="x", nbins=5)


def _doubling(axis: Any, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with ticks at the values themselves."""
    axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()
