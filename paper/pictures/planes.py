"""The figure of trade-offs: planes of two metrics with a marker for each run, and one legend for all planes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.core.looks import TEXT_WIDTH
from agent.core.metrics import TradeOff
from paper.evidence.facts import Facts
from paper.evidence.series import series_of
from paper.pictures.shown import (
    Figure,
    axis_words,
    described_words,
    in_lines,
    look_of,
    mark_label,
    means_words,
    reported_words,
)
from paper.pictures.style import draw

MAX_PLANES = 2  # side by side
LETTERS = 20  # of a run's name in one line of the legend


def planes(facts: Facts, folder: Path) -> Figure | None:
    """Draw the planes that the template's manifest names (`tradeoffs`) in one figure; None where it names none."""
    shown = _chosen(facts)
    if not shown:
        return None

    def paint(canvas: Any) -> None:
        shared = len({plane.y for plane in shown}) == 1
        axes = canvas.subplots(1, len(shown), squeeze=False, sharey=shared).ravel()
        for index, (axis, plane) in enumerate(zip(axes, shown, strict=True)):
            _plane(axis, facts, plane.x, plane.y, named=not (shared and index))
        _name_runs(canvas, facts)

    width = 1.0 if len(shown) > 1 else 0.8
    lines = sum(in_lines(r.label, LETTERS).count("\n") + 1 for r in facts.measured)
    file = draw(folder / "tradeoff", width * TEXT_WIDTH, max(2.15, 0.3 + 0.14 * lines), paint)
    joined = " Lines join the conditions of a run." if len(facts.condition_names()) > 1 else ""
    what = " and ".join(f"{facts.spec(p.y).label} against {facts.spec(p.x).label}" for p in shown)
    return Figure(
        "tradeoff",
        file,
        width=width,
        caption=(
            f"Trade-offs: {what}, one marker a run, the same as in the other figures. Markers are "
            f"{means_words(facts, ', bars one standard error in either direction')}; arrows give the "
            f"direction of an axis that is better.{joined}{described_words(facts)}{reported_words(facts)}"
        ),
        description=f"Trade-off: {what}, one marker a run.",
    )


def _chosen(facts: Facts) -> Sequence[TradeOff]:
    """The planes that the manifest marks for several conditions, if there are several and such planes; else the
    others."""
    several = len(facts.condition_names()) > 1
    planes = facts.manifest.tradeoffs
    return ([p for p in planes if p.sweep == several] or [p for p in planes if not p.sweep])[:MAX_PLANES]


def _plane(axis: Any, facts: Facts, x_metric: str, y_metric: str, named: bool) -> None:
    """Draw one plane. `named`: its vertical axis gets a name (it is shared with the plane to the left otherwise)."""
    for record in facts.measured:
        pairs = [
            (x, y)
            for c in facts.condition_names()
            if (x := series_of(record, x_metric, c)) and (y := series_of(record, y_metric, c))
        ]
        if not pairs:
            continue
        axis.errorbar(
            [x.mean for x, _ in pairs],
            [y.mean for _, y in pairs],
            xerr=[x.se or 0 for x, _ in pairs],
            yerr=[y.se or 0 for _, y in pairs],
            elinewidth=0.8,
            ls="-" if len(pairs) > 1 else "none",
            lw=0.8,
            **look_of(facts, record),
        )
    axis.set_xlabel(in_lines(axis_words(facts, x_metric), 30))
    if named:
        axis.set_ylabel(in_lines(axis_words(facts, y_metric), 22))
    axis.margins(0.08)
    axis.locator_params(nbins=5)


def _name_runs(canvas: Any, facts: Facts) -> None:
    """Draw a legend of all runs beside the planes, the described one in bold. Names in the planes would collide."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], ls="none", **look_of(facts, record)) for record in facts.measured]
    labels = [in_lines(record.label, LETTERS) for record in facts.measured]
    legend = canvas.legend(handles, labels, loc="outside right center")
    mark_label(legend.get_texts(), list(facts.measured), facts)
