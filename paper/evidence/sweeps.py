"""The curve of a run over a sweep: the same run trained with several values of one setting. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.record import RunRecord
from paper.evidence.facts import Facts
from paper.evidence.numbers import setting_text
from paper.evidence.series import Series, series_of


@dataclass(frozen=True)
class Point:
    """The values of a metric at one value of the swept setting."""

    value: float
    series: Series


def swept_runs(facts: Facts) -> list[RunRecord]:
    """The measured runs with a sweep, in the order of the session."""
    return [r for r in facts.measured if r.swept is not None]


def curve_of(record: RunRecord, metric: str) -> list[Point]:
    """A metric at every value of the swept setting, in ascending order; empty for a run without a sweep.

    The run's own first condition is one of the points if it has the setting.
    """
    if record.swept is None:
        return []
    whole, setting = record.whole, record.swept.setting
    found = []
    for condition in (record.conditions[0], *record.swept.conditions):
        value = {**record.settings, **condition.settings}.get(setting)
        series = series_of(whole, metric, condition.name)
        if series is not None and isinstance(value, int | float):
            found.append(Point(float(value), series))
    return sorted(found, key=lambda point: point.value)


def told(record: RunRecord, facts: Facts) -> Iterator[str]:
    """A line for each headline metric, e.g. "F1, swept over l0: 0.51 ± 0.01 at 4, 0.63 ± 0.02 at 8"."""
    if record.swept is None:
        return
    for metric in facts.manifest.headline:
        if values := values_text(facts, record, metric):
            yield f"{facts.spec(metric).label}, swept over {record.swept.setting}: {', '.join(values)}"


def values_text(facts: Facts, record: RunRecord, metric: str) -> list[str]:
    """Mean and standard error at each value, e.g. "0.51 ± 0.01 at 4"."""
    unit = facts.unit(metric)
    return [f"{p.series.quantity(unit).text()} at {setting_text(p.value)}" for p in curve_of(record, metric)]
