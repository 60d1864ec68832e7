"""Trade-off planes: two metrics against each other, each run named beside its marker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.core.manifest import TradeOff
from paper.evidence.facts import Facts
from paper.evidence.series import series_of
from paper.pictures.shown import (
    Figure,
    axis_words,
    described_words,
    in_lines,
    means_words,
    reported_words,
    standing_out,
)
from paper.pictures.style import LINES, TEXT_WIDTH, Point, draw, look, name_points

MAX_PLANES = 2  # side by side


def planes(facts: Facts, folder: Path) -> Figure | None:
    """The planes that the template names, in one figure; None where it names none."""
    shown = _chosen(facts)
    if not shown:
        return None

    def paint(canvas: Any) -> None:
        shared = len({plane.y for plane in shown}) == 1
        axes = canvas.subplots(1, len(shown), squeeze=False, sharey=shared).ravel()
        points = [
            _plane(axis, facts, plane.x, plane.y, named=not (shared and index))
            for index, (axis, plane) in enumerate(zip(axes, shown, strict=True))
        ]
        for axis, found in zip(axes, points, strict=True):  # after both are drawn: the layout is final then
            name_points(axis, found)

    width = 1.0 if len(shown) > 1 else 0.7
    file = draw(folder / "tradeoff", width * TEXT_WIDTH, 2.15, paint)
    joined = " Lines join the conditions of a run." if len(facts.condition_names()) > 1 else ""
    what = " and ".join(f"{facts.spec(p.y).label} against {facts.spec(p.x).label}" for p in shown)
    return Figure(
        "tradeoff",
        file,
        width=width,
        caption=(
            f"Trade-offs: {what}, one marker a run (circles: baselines, squares: experiments). Markers are "
            f"{means_words(facts, ', bars one standard error in either direction')}; arrows give the "
            f"direction of an axis that is better.{joined}{described_words(facts)}{reported_words(facts)}"
        ),
        description=f"Trade-off: {what}, one marker a run.",
    )


def _chosen(facts: Facts) -> Sequence[TradeOff]:
    """The planes of a sweep where there is one, else the others."""
    several = len(facts.condition_names()) > 1
    planes = facts.manifest.tradeoffs
    return ([p for p in planes if p.sweep == several] or [p for p in planes if not p.sweep])[:MAX_PLANES]


def _plane(axis: Any, facts: Facts, x_metric: str, y_metric: str, named: bool) -> list[Point]:
    """Draw one plane; the points that are to be named in it."""
    chosen = standing_out(facts)
    points = []
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
            capsize=1.5,
            elinewidth=0.8,
            ls=LINES[1] if len(pairs) > 1 else "none",
            **look(0 if record.kind == "baseline" else 1),
        )
        x, y = pairs[-1]
        points.append(
            Point(
                x.mean,
                y.mean,
                in_lines(record.label, 22),
                chosen is not None and record.run == chosen.run,
                x.se or 0,
                y.se or 0,
            )
        )
    axis.set_xlabel(in_lines(axis_words(facts, x_metric), 30))
    if named:
        axis.set_ylabel(in_lines(axis_words(facts, y_metric), 22))
    axis.margins(0.2)
    axis.locator_params(nbins=5)
    return points
