"""A factorial design: runs that combine some of several changes, and the effect of each change.

The plan says which changes a run has (`RunRecord.factors`); run 0 has none. A pair of a change is two measured runs
that differ in this change alone, and the effect of a change is the mean difference over its pairs, seed by seed. Runs
for which the plan names no change, and the other baselines, are not part of the design. Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agent.core.record import RunRecord
from paper.evidence.facts import Facts
from paper.evidence.numbers import Quantity, count_text, listed
from paper.evidence.relations import Metrics, clause, compared, metrics_of, relation_of, unjudged
from paper.evidence.series import Difference, FactError, Series, difference_of
from paper.evidence.vocabulary import Result


def names(facts: Facts) -> tuple[str, ...]:
    """The changes of the design in the order of the runs that introduced them; empty where there is no design.

    A design has at least two changes with a pair each, and a run that has several changes.
    """
    found = tuple(dict.fromkeys(f for r in facts.experiments for f in r.factors))
    paired = tuple(f for f in found if pairs(facts, f))
    several = any(len(r.factors) > 1 for r in cells(facts).values())
    return found if len(paired) > 1 and several else ()


def cells(facts: Facts) -> dict[frozenset[str], RunRecord]:
    """The measured runs of the design by their sets of changes, smallest set first.

    Of two runs with the same changes, the first one counts.
    """
    found: dict[frozenset[str], RunRecord] = {}
    for record in facts.measured:
        if record.factors or record.run == "0":
            found.setdefault(frozenset(record.factors), record)
    return dict(sorted(found.items(), key=lambda cell: len(cell[0])))


def pairs(facts: Facts, factor: str) -> tuple[tuple[RunRecord, RunRecord], ...]:
    """The pairs of a change: the run with it, and the run that has all its other changes and not this one."""
    known = cells(facts)
    return tuple(
        (run, known[held - {factor}]) for held, run in known.items() if factor in held and held - {factor} in known
    )


@dataclass(frozen=True)
class Effect:
    """The effect of a change on one metric, averaged over its pairs."""

    pairs: int  # how many
    gap: Difference  # the mean of the runs with the change minus that of the runs without it, seed by seed
    series: tuple[Series, ...]  # of all runs of the pairs


def effect(facts: Facts, factor: str, metric: str, condition: str | None = None) -> Effect:
    """The effect of a change: for each seed, the mean of the runs with it minus the mean of their partners.

    A run that the integrity gate flagged "off-target" is kept, because the change itself may be what moves the
    sparsity; the texts that print an effect name such runs (`missed`).

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


def gap_of(facts: Facts, factor: str, metric: str, condition: str | None = None) -> Difference:
    """The difference that `effect` computes, alone; raises the same errors."""
    return effect(facts, factor, metric, condition).gap


def missed(facts: Facts, trained: Iterable[tuple[RunRecord, str]]) -> str:
    """A clause that names the runs which miss a target, such as that of the sparsity; "" where none does.

    `trained` are runs with the condition of which it is asked. A difference to such a run mixes the change with the
    other sparsity. The integrity gate decides (finding "off-target": a metric is off its target by more than a tenth).
    """
    off = list(dict.fromkeys(record.label for record, condition in trained if _is_off_target(record, condition)))
    aimed = [spec.label for spec in facts.manifest.metrics.values() if spec.better == "target"]
    what = f"the target of {aimed[0]}" if len(aimed) == 1 else "a target"
    return f"{listed(off)} {'misses' if len(off) == 1 else 'miss'} {what}" if off else ""


def _is_off_target(record: RunRecord, condition: str) -> bool:
    """Whether the gate flagged a training under this condition; a finding begins with the seed and the condition."""
    begins = tuple(f"seed {t.seed}, {condition}: " for t in record.trainings if t.condition == condition)
    return any(f.code == "off-target" and f.text.startswith(begins) for f in record.findings)


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
    series = [s for e in found for s in e.series]
    return clause(facts, text + unjudged(facts, gaps) + _though(facts, series), series)


def _though(facts: Facts, series: Sequence[Series]) -> str:
    """What stands behind an effect that reads runs which miss a target."""
    off = missed(facts, ((s.run, s.condition) for s in series))
    return f", although {off}" if off else ""


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
        f"{_though(facts, four)}"
    )
    return clause(facts, text, four)


def _interaction(four: Sequence[Series], total: float, unit: str) -> str:
    """How the two changes together compare with the sum of each alone, by the interval of that difference."""
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
    return relation_of(facts, gap_of(facts, factor, metric, condition)) == "ahead"


def loses(facts: Facts, factor: str, metric: str, condition: str | None = None) -> bool:
    """the change of a factorial design is measurably worse in the metric, in the mean of its pairs"""
    return relation_of(facts, gap_of(facts, factor, metric, condition)) == "behind"


FUNCTIONS: tuple[Callable[..., Result], ...] = (factor, factorial)
CONDITIONS: tuple[Callable[..., bool], ...] = (gains, loses)
