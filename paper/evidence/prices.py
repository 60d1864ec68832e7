"""The words for the price of a lead: the guard metrics that fell by more than the manifest allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.record import RunRecord
from paper.evidence.facts import BrokenGuard, FactError, Facts
from paper.evidence.numbers import listed


def price(facts: Facts, broken: Sequence[BrokenGuard], values: bool = False) -> str:
    """The metrics of broken guards, e.g. "uniqueness and MCC"; with `values`, "uniqueness (0.05 against 0.97)"."""

    def told(guard: BrokenGuard) -> str:
        label = facts.spec(guard.metric).label
        if not values:
            return label
        where = f", {facts.condition_label(guard.condition)}" if len(guard.a.run.conditions) > 1 else ""
        return f"{label} ({guard.values(facts.unit(guard.metric))}{where})"

    return listed([told(guard) for guard in broken])


def _measurably(facts: Facts, one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs differ in the primary metric by more than chance, under one condition at least."""
    found = (facts.difference(one.name, other.name, facts.manifest.primary, c) for c in facts.condition_names(one))
    return any(gap.distinct or not gap.judged for gap in found)


def prices(facts: Facts) -> str:
    """A sentence for each experiment that is ahead of the strongest baseline in the primary metric and breaks guards.

    Each begins with a blank, because it goes on a caption; "" where there is none.
    """
    try:
        base = facts.record("baseline")
    except FactError:
        return ""
    others = [
        r for r in facts.experiments if r.status == "measured" and r is not base and facts.best_of([base, r]) is r
    ]
    ahead = [r for r in others if _measurably(facts, r, base)]
    metric = facts.spec(facts.manifest.primary).label
    return "".join(
        f" {r.label[:1].upper()}{r.label[1:]} is ahead of {base.label} in {metric} at the price of "
        f"{price(facts, broken)}."
        for r in ahead
        if (broken := facts.broken_guards(r.name, base.name))
    )
