"""The confirmation: best run and planned baseline trained anew on fresh seeds, compared by one paired test. Pure.

Nothing else in a paper may be called an improvement. Wording is in confirmed.py.
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
MIN_SEEDS = 5  # pairs; with fewer there is no verdict


@dataclass(frozen=True)
class Confirmation:
    """`ours` and `baseline` hold one value a seed, averaged over conditions, for the seeds that both arms have.

    For a metric with a target the values are distances from the target, so that lower is better.
    """

    metric: str
    better: Literal["higher", "lower"]
    distance: bool  # the values are distances from the metric's target
    gap: Difference  # ours - baseline; its interval always exists
    planned: int  # seeds that were to be trained
    broken: tuple[BrokenGuard, ...]  # what being ahead, if it is, was paid with
    fresh_worlds: int  # worlds that the seeds are spread over; 0 where any file in them was explored, by its hash
    tried: int  # experiments of which the best was confirmed, failed ones too

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
        """Of the paired test; where every seed differs by the same amount, that amount is certain."""
        if self.gap.p is not None:
            return self.gap.p
        return 0.0 if self.gap.distinct else 1.0

    @property
    def steps(self) -> tuple[float, ...]:
        """The difference for each seed."""
        return steps_of(self.ours, self.baseline)

    @property
    def verdict(self) -> Verdict:
        """ "price": significantly ahead in the primary metric, but a guard is broken, so it is no improvement"""
        if not self.gap.distinct:
            return "inconclusive"
        if (self.gap.value > 0) != (self.better == "higher"):
            return "worse"
        return "price" if self.broken else "improvement"


def why_none(records: Sequence[RunRecord], metric: str, unbeaten: str = "") -> str:
    """Why these arms make no confirmation; empty if they make one. `unbeaten`: the baseline that no run is ahead of."""
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
    """The test, for arms of which `why_none` has nothing to say.

    `distance` says how far a value of the metric lies from its target under a condition; only a metric with a target
    is read through it. `broken` are the guards that the arms break.
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
    """How many worlds these seeds were trained in, if no file in them is the exploration's or another world's."""
    worlds = [frozenset(world.values()) for world in arm.worlds]
    files, seen = (frozenset[str]().union(*sets) for sets in (worlds, map(_data, explored)))
    if files & seen or len(files) < sum(map(len, worlds)):
        return 0
    return len({arm.world_of(seed) for seed in seeds}) if worlds else 0


def _data(record: RunRecord) -> frozenset[str]:
    """Hashes of what was trained and measured on."""
    return frozenset(digest for name, digest in record.hashes.items() if name.startswith("data/"))


def _paired_seeds(a: RunRecord, b: RunRecord, metric: str) -> tuple[int, ...]:
    """Seeds that both arms measured under every condition."""
    return tuple(sorted(_whole_seeds(a, metric) & _whole_seeds(b, metric)))


def _whole_seeds(record: RunRecord, metric: str) -> set[int]:
    measured = {(t.seed, t.condition) for t in record.trainings if t.outcome == "measured" and metric in t.metrics}
    return {s for s in record.seeds if all((s, c.name) in measured for c in record.conditions)}
