"""A factorial design: runs that hold some of several changes, and what each change makes in the mean of its pairs.

The plan says which changes a run holds; run 0 holds none. A pair of a change is two measured runs that differ in it
alone. Runs of which the plan says nothing, and further baselines, stand outside. Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.core.record import RunRecord
from paper.evidence.facts import Facts
from paper.evidence.numbers import Quantity, count_text
from paper.evidence.relations import Metrics, clause, compared, metrics_of, relation_of, unjudged
from paper.evidence.series import Difference, FactError, Series, difference_of
from paper.evidence.vocabulary import Result


def names(facts: Facts) -> tuple[str, ...]:
    """The changes of the design, in the order in which runs brought them; empty where no two can be told apart.

    A design has at least two changes with a pair each, and a run that holds several.
    """
    found = tuple(dict.fromkeys(f for r in facts.experiments for f in r.factors))
    paired = tuple(f for f in found if pairs(facts, f))
    several = any(len(r.factors) > 1 for r in cells(facts).values())
    return found if len(paired) > 1 and several else ()


def cells(facts: Facts) -> dict[frozenset[str], RunRecord]:
    """The measured runs of the design by the changes they hold, fewest first; of two alike, the first that was run."""
    found: dict[frozenset[str], RunRecord] = {}
    for record in facts.measured:
        if record.factors or record.run == "0":
            found.setdefault(frozenset(record.factors), record)
    return dict(sorted(found.items(), key=lambda cell: len(cell[0])))


def pairs(facts: Facts, factor: str) -> tuple[tuple[RunRecord, RunRecord], ...]:
    """With the change and without it."""
    known = cells(facts)
    return tuple(
        (run, known[held - {factor}]) for held, run in known.items() if factor in held and held - {factor} in known
    )


@dataclass(frozen=True)
class Effect:
    """What a change makes of one metric in the mean of its pairs, with its interval over seeds."""

    pairs: int
    gap: Difference
    series: tuple[Series, ...]  # of all runs that were read


def effect(facts: Facts, factor: str, metric: str, condition: str | None = None) -> Effect:
    """For each seed the mean of the runs with the change, less that of the same runs without it.

    Raises:
        FactError: no two measured runs differ in this change alone, or their seeds differ.
    """
    if not (found := pairs(facts, factor)):
        known = ", ".join(f'"{name}"' for name in names(facts)) or "none"
        raise FactError(f'no two measured runs differ in "{factor}" alone; the changes of the design are {known}')
    sides = [[facts.series(run.name, metric, condition) for run in side] for side in zip(*found, strict=True)]
    series = tuple(s for side in sides for s in side)
    if len({s.seeds for s in series}) > 1:
        raise FactError(f'the runs that differ in "{factor}" were measured with different seeds')
    return Effect(len(found), difference_of(*map(_mean_of, sides)), series)


def _mean_of(side: Sequence[Series]) -> Series:
    values = zip(*(s.values for s in side), strict=True)
    return replace(side[0], values=tuple(map(statistics.fmean, values)))


# ---------------------------------------------------------------- forms


def factor(facts: Facts, name: str, metrics: Metrics, condition: str | None = None) -> Result:
    """what one change of a factorial design makes in the mean of its pairs, e.g. "averaged over four pairs of runs that
    differ in warm-up alone, the side with it is ahead in F1 (+0.061) and behind in MCC (-0.012)" """
    found = [effect(facts, name, m, condition) for m in metrics_of(metrics)]
    gaps, count = [e.gap for e in found], found[0].pairs
    over = "in the one pair of runs" if count == 1 else f"averaged over {count_text(count)} pairs of runs"
    differ = "differs" if count == 1 else "differ"
    text = f"{over} that {differ} in {name} alone, the side with it {compared(facts, gaps, False, named=False)}"
    return clause(facts, text + unjudged(facts, gaps), [s for e in found for s in e.series])


def factorial(
    facts: Facts, both: str, one: str, other: str, neither: str, metric: str, condition: str | None = None
) -> Result:
    """how two changes act alone and together: the four runs that have both, one, the other and neither of them"""
    four = [facts.series(run, metric, condition) for run in (both, one, other, neither)]
    if len({s.run.run for s in four}) < 4 or len({s.condition for s in four}) > 1:
        raise FactError("factorial(...) needs four different runs under one condition")
    alone = [facts.difference(run, neither, metric, condition) for run in (one, other)]
    together = facts.difference(both, neither, metric, condition)
    unit, label = facts.unit(metric), facts.spec(metric).label
    parts = [f"{gap.a.run.label} {gap.quantity(unit).bare()}" for gap in alone]
    total = sum(gap.value for gap in alone)
    text = (
        f"in {label}, measured from {together.b.run.label}: {' and '.join(parts)}, and both changes together "
        f"({together.a.run.label}) {together.quantity(unit).bare()}, {_interaction(four, total, unit)}"
    )
    return clause(facts, text, four)


def _interaction(four: Sequence[Series], total: float, unit: str) -> str:
    """Does the whole differ from the sum of its parts? By the same interval as every difference."""
    both, one, other, neither = four
    summed = f"the sum of the two ({Quantity(total, signed=True, unit=unit).bare()})"
    if len({s.seeds for s in four}) > 1:
        return f"beside {summed}"
    gap = difference_of(_added(both, neither), _added(one, other))
    if not gap.distinct:
        return f"not measurably different from {summed}" if gap.judged else f"beside {summed}"
    return f"{'more' if gap.value > 0 else 'less'} than {summed}"


def _added(a: Series, b: Series) -> Series:
    return replace(a, values=tuple(x + y for x, y in zip(a.values, b.values, strict=True)))


def gains(facts: Facts, factor: str, metric: str, condition: str | None = None) -> bool:
    """the change of a factorial design is measurably better in the metric, in the mean of its pairs"""
    return relation_of(facts, effect(facts, factor, metric, condition).gap) == "ahead"


def loses(facts: Facts, factor: str, metric: str, condition: str | None = None) -> bool:
    """the change of a factorial design is measurably worse in the metric, in the mean of its pairs"""
    return relation_of(facts, effect(facts, factor, metric, condition).gap) == "behind"


FUNCTIONS: tuple[Callable[..., Result], ...] = (factor, factorial)
CONDITIONS: tuple[Callable[..., bool], ...] = (gains, loses)
