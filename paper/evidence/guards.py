"""Checks the manifest's guards: metrics that may not fall by more than a given amount when a run is ahead. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.core.metrics import Guard
from agent.core.record import RunRecord
from paper.evidence.series import Series, series_of

Merit = Callable[[str, float, str], float]  # metric, value and condition -> the value turned so that larger is better


@dataclass(frozen=True)
class BrokenGuard:
    """A guard metric in which run `a` is worse than run `b` by more than the manifest allows, under one condition."""

    a: Series
    b: Series
    fall: float  # what was lost, in the metric's unit; positive
    allowed: float

    @property
    def metric(self) -> str:
        return self.a.metric

    @property
    def condition(self) -> str:
        return self.a.condition

    def values(self, unit: str = "") -> str:
        """Both means as a text prints them, e.g. "0.05 against 0.97"."""
        return f"{self.a.quantity(unit).bare()} against {self.b.quantity(unit).bare()}"


def broken_guards(
    guards: Sequence[Guard], a: RunRecord, b: RunRecord, merit: Merit, conditions: Sequence[str]
) -> tuple[BrokenGuard, ...]:
    """The guards that run `a` breaks against run `b`: each metric once, under the condition where it fell the most.

    Each condition is checked by itself, because a mean over conditions could hide a collapse under one of them. A
    metric that one of the runs lacks breaks nothing.
    """

    def losses(guard: Guard) -> Iterator[BrokenGuard]:
        for condition in conditions:
            ours, theirs = (series_of(record, guard.metric, condition) for record in (a, b))
            if ours is None or theirs is None:
                continue
            fall = merit(guard.metric, theirs.mean, condition) - merit(guard.metric, ours.mean, condition)
            allowed = guard.allowed(theirs.mean)
            if fall > allowed:
                yield BrokenGuard(ours, theirs, fall, allowed)

    worst = (max(losses(guard), key=lambda broken: broken.fall, default=None) for guard in guards)
    return tuple(broken for broken in worst if broken is not None)
