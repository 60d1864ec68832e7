"""Decides which charts a page has and which runs each shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from agent.core.metrics import TradeOff
from agent.core.visible import visible
from agent.pages.drawing import charts
from agent.pages.views.runs import Row, Runs
from paper.evidence.facts import Facts


@dataclass(frozen=True)
class Planes:
    """The plane of two metrics as it is drawn first, and the data from which the script draws others."""

    drawn: Markup
    x: str
    y: str
    metrics: tuple[tuple[str, str], ...]  # key, label
    data: str  # JSON


def strips(shown: Runs) -> dict[tuple[str, str], Markup]:
    """The seeds of each row as dots on one common scale, by run and condition; a line marks the first baseline's
    mean."""
    rows = [*shown.rows, *shown.confirmation]
    values = [v for row in rows for _, v in row.seeds]
    if not values:
        return {}
    low, high = min(values), max(values)
    first = next((row for row in shown.rows if row.kind == "baseline" and row.seeds), None)
    base = sum(v for _, v in first.seeds) / len(first.seeds) if first else None

    def strip(row: Row) -> Markup:
        return charts.dots([v for _, v in row.seeds], low, high, base)

    return {(row.run, row.condition): strip(row) for row in rows if row.seeds}


def chosen_of(facts: Facts, shown: Runs) -> tuple[str, ...]:
    """The runs whose curves are drawn in one chart: if there are many, the first baselines, the best and the newest."""
    measured = list(dict.fromkeys(row.run for row in shown.rows if row.status == "measured"))
    if len(measured) <= charts.OVERLAID:
        return tuple(measured)
    first = [r.run for r in facts.baselines if r.run in measured][:3]
    place, metric = list(facts.manifest.metrics).index(facts.manifest.primary), facts.manifest.primary
    names = {r.run: facts.condition_names(r)[0] for r in facts.measured}
    merits = {
        row.run: facts.merit(metric, value, names[row.run])
        for row in reversed(shown.rows)
        if (value := row.cells[place].value) is not None and row.run not in first
    }
    best = sorted(merits, key=lambda run: -merits[run])[:5]
    newest = [run for run in reversed(measured) if run not in (*first, *best)]
    return tuple([*first, *best, *newest][: charts.OVERLAID])


def overlaid(facts: Facts, chosen: tuple[str, ...]) -> str:
    """A sentence that says which runs are drawn; "" where all are."""
    measured = sum(r.status == "measured" for r in facts.explored)
    if measured <= len(chosen):
        return ""
    return (
        f"{len(chosen)} of {measured} runs are drawn: baselines, the best and the newest. Each run's page has its own."
    )


def overlays(facts: Facts, chosen: tuple[str, ...]) -> tuple[tuple[str, Markup], ...]:
    """The charts of curves of several runs, by name, the loss first."""
    drawn = []
    for name in charts.curve_names(facts.explored)[:4]:
        if found := charts.overlay(facts.explored, name, chosen):
            drawn.append((name, found))
    return tuple(drawn)


def own_curves(facts: Facts) -> dict[str, tuple[Markup, ...]]:
    """The charts of each run's own curves, drawn over those of the first baseline."""
    base = next((r for r in facts.baselines if r.status == "measured"), None)
    many, found = len(facts.records) > 40, {}
    for record in facts.records:
        names = charts.curve_names([record])[: 1 if many else 3]
        seeds = 3 if many else 9
        found[record.run] = tuple(c for name in names if (c := charts.own_curves(record, base, name, seeds)))
    return found


def planes(facts: Facts, shown: Runs) -> Planes | None:
    """The plane that the manifest names first, or the first two metrics."""
    metrics = list(facts.manifest.metrics)
    points = [_point(row, metrics) for row in shown.rows if row.status == "measured"]
    if len(metrics) < 2 or not points:
        return None
    wanted = [t for t in facts.manifest.tradeoffs if not t.sweep] or [TradeOff(x=metrics[1], y=metrics[0])]
    x, y = wanted[0].x, wanted[0].y
    labels = {key: facts.spec(key).label for key in metrics}
    data = {
        "metrics": labels,
        "points": [{"label": visible(p.label), "kind": p.kind, "values": _short(p.values)} for p in points],
    }
    drawn = charts.plane(points, x, y, labels)
    return Planes(drawn, x, y, tuple(labels.items()), json.dumps(data, separators=(",", ":")))


def _short(values: Mapping[str, tuple[float, float | None]]) -> dict[str, list[float | None]]:
    """The values with six digits, because more cannot be seen in a drawing."""
    return {k: [None if v is None else float(f"{v:.6g}") for v in pair] for k, pair in values.items()}


def _point(row: Row, metrics: list[str]) -> charts.Point:
    return charts.Point(
        run=row.run,
        label=f"{row.label}, {row.condition}" if row.condition else row.label,
        kind=row.kind,
        values={key: (c.value, c.error) for key, c in zip(metrics, row.cells, strict=True) if c.value is not None},
    )
