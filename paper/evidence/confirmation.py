"""The confirmation: the best run and the planned baseline, trained again on fresh seeds and compared by one paired
test.

A paper may call only a difference that passes this test an improvement. The test is a paired two-sided t-test over
seeds (series.py). Wording is in confirmed.py. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.metrics import Better
from agent.core.record import RunRecord
from paper.evidence.guards import BrokenGuard
from paper.evidence.series import Difference, Series, averaged, difference_of, steps_of

Verdict = Literal["improvement", "price", "worse", "inconclusive"]
OURS, BASELINE = "confirm.best", "confirm.baseline"
MIN_SEEDS = 5  # seeds that both arms need; with fewer there is no verdict


@dataclass(frozen=True)
class Confirmation:
    """A finished confirmation. Its two arms are `ours` (the best run) and `baseline`.

    Each arm has one value of the primary metric for each seed that both arms measured, averaged over conditions. For a
    metric with a target the values are distances from the target, so that lower is better.
    """

    metric: str
    better: Literal["higher", "lower"]
    distance: bool  # the values are distances from the metric's target
    gap: Difference  # ours - baseline; its interval always exists
    planned: int  # seeds that were to be trained
    broken: tuple[BrokenGuard, ...]  # the guards that `ours` breaks against `baseline`
    fresh_worlds: int  # data sets that the seeds are spread over; 0 if any file of them was used in the exploration
    tried: int  # experiments among which the best was chosen, failed ones included

    @property
    def ours(self) -> Series:
        return self.gap.a

    @property
    def baseline(self) -> Series:
        return self.gap.b

    @property
    def n(self) -> int:
        return self.ours.n

    @property
    def p(self) -> float:
        """p of the paired test. If all seeds differ by exactly the same amount: 0, or 1 where that amount is zero."""
        if self.gap.p is not None:
            return self.gap.p
        return 0.0 if self.gap.distinct else 1.0

    @property
    def steps(self) -> tuple[float, ...]:
        """`ours` minus `baseline` for each seed."""
        return steps_of(self.ours, self.baseline)

    @property
    def verdict(self) -> Verdict:
        """What the test shows. "price": significantly ahead, but a guard is broken, so this is no improvement."""
        if not self.gap.distinct:
            return "inconclusive"
        if (self.gap.value > 0) != (self.better == "higher"):
            return "worse"
        return "price" if self.broken else "improvement"


def why_none(records: Sequence[RunRecord], metric: str, unbeaten: str = "") -> str:
    """Why the records of the arms give no confirmation, as a clause for the paper; "" if they give one.

    `unbeaten` is the label of the baseline that no run is ahead of, "" where there is none.
    """
    if not records and unbeaten:
        return f"no confirmation was made, because no run is ahead of {unbeaten}; every result is exploratory"
    if not records:
        return "no confirmation was made in this session; every result is exploratory"
    arms = {r.run: r for r in records}
    if set(arms) != {OURS, BASELINE}:
        return "the confirmation was not finished; every result is exploratory"
    failed = [r.label for r in records if r.status != "measured"]
    if failed:
        return (
            f"the confirmation has no result, because {' and '.join(failed)} failed on the fresh seeds; every "
            "result is exploratory"
        )
    if len(_paired_seeds(arms[OURS], arms[BASELINE], metric)) < MIN_SEEDS:
        return (
            "the confirmation has no result, because too few fresh seeds were measured in both arms; every "
            "result is exploratory"
        )
    if _data(arms[OURS]) != _data(arms[BASELINE]):
        return "the confirmation has no result, because its two arms saw different data; every result is exploratory"
    return ""


def confirm(
    records: Sequence[RunRecord],
    explored: Sequence[RunRecord],
    metric: str,
    better: Better,
    distance: Callable[[float, str], float],
    broken: Sequence[BrokenGuard] = (),
) -> Confirmation:
    """The test over two arms for which `why_none` returns "".

    Args:
        records: of the two arms.
        explored: of all runs before them; their data must not appear in the arms.
        distance: from a value and its condition to how far it lies from the target; used for better="target" alone.
        broken: the guards that the best run's arm breaks against the baseline's.
    """
    reading = (distance,) if better == "target" else ()
    arms = {r.run: r for r in records}
    seeds = _paired_seeds(arms[OURS], arms[BASELINE], metric)
    ours, baseline = (averaged(arms[run], metric, seeds, *reading) for run in (OURS, BASELINE))
    return Confirmation(
        metric=metric,
        better="higher" if better == "higher" else "lower",
        distance=better == "target",
        gap=difference_of(ours, baseline),
        broken=tuple(broken),
        planned=len(set(arms[OURS].seeds)),
        fresh_worlds=_fresh_worlds(arms[OURS], seeds, explored),
        tried=sum(r.kind == "experiment" for r in explored),
    )


def _fresh_worlds(arm: RunRecord, seeds: Sequence[int], explored: Sequence[RunRecord]) -> int:
    """The number of worlds of these seeds; 0 if one of their files belongs to the exploration, or to two worlds."""
    worlds = [frozenset(world.values()) for world in arm.worlds]
    files, seen = (frozenset[str]().union(*sets) for sets in (worlds, map(_data, explored)))
    if files & seen or len(files) < sum(map(len, worlds)):
        return 0
    return len({arm.world_of(seed) for seed in seeds}) if worlds else 0


def _data(record: RunRecord) -> frozenset[str]:
    """Hashes of the data files that a run was trained and measured on."""
    return frozenset(digest for name, digest in record.hashes.items() if name.startswith("data/"))


def _paired_seeds(a: RunRecord, b: RunRecord, metric: str) -> tuple[int, ...]:
    """Seeds that both arms measured under every condition."""
    return tuple(sorted(_whole_seeds(a, metric) & _whole_seeds(b, metric)))


def _whole_seeds(record: RunRecord, metric: str) -> set[int]:
    measured = {(t.seed, t.condition) for t in record.trainings if t.outcome == "measured" and metric in t.metrics}
    return {s for s in record.seeds if all((s, c.name) in measured for c in record.conditions)}
