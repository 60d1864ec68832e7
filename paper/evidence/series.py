"""Measured values over seeds, and the difference of two runs with its test. Pure; reads one record at a time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.record import RunRecord
from paper.evidence.numbers import Quantity

ALPHA = 0.05  # two-sided; in the exploration not corrected for the number of runs tried


class FactError(Exception):
    """An expression asks for what the records do not hold; the message is for the writer."""


@dataclass(frozen=True)
class Series:
    """One metric of one run under one condition ("": averaged over all), a value for each measured seed."""

    run: RunRecord
    metric: str
    condition: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def se(self) -> float | None:
        """Standard error of the mean: sample deviation (ddof = 1) / sqrt(n); None for one value."""
        return statistics.stdev(self.values) / math.sqrt(self.n) if self.n > 1 else None

    def quantity(self, unit: str = "") -> Quantity:
        """Mean and standard error as every text prints them."""
        return Quantity(self.mean, self.se, unit=unit)


def series_of(
    record: RunRecord, key: str, condition: str, field: Literal["metrics", "diagnostics"] = "metrics"
) -> Series | None:
    """What a record holds of one metric or diagnostic, in the order of the seeds; None where nothing was measured."""
    trainings = [t for t in record.trainings if t.condition == condition and t.outcome == "measured"]
    found = sorted((t.seed, getattr(t, field)[key]) for t in trainings if key in getattr(t, field))
    if not found:
        return None
    seeds, values = zip(*found, strict=True)
    return Series(record, key, condition, seeds, values)


def averaged(
    record: RunRecord,
    metric: str,
    seeds: Sequence[int] | None = None,
    reading: Callable[[float, str], float] = lambda value, condition: value,
) -> Series:
    """One value a seed of a measured run, averaged over its conditions.

    `seeds` are those of the record unless given; `reading` turns a value and its condition's name into what is
    averaged.
    """

    def of(seed: int) -> float:
        return statistics.fmean(reading(t.metrics[metric], t.condition) for t in record.trainings if t.seed == seed)

    chosen = tuple(dict.fromkeys(t.seed for t in record.trainings) if seeds is None else seeds)
    return Series(record, metric, "", chosen, tuple(map(of, chosen)))


@dataclass(frozen=True)
class Difference:
    """a - b over seeds. `distinct` is false where the difference is within the noise or cannot be judged."""

    a: Series
    b: Series
    value: float
    se: float | None
    paired: bool
    p: float | None

    @property
    def distinct(self) -> bool:
        if self.p is None:
            return self.se == 0 and self.value != 0
        return self.p < ALPHA

    def quantity(self, unit: str = "") -> Quantity:
        """The difference and its error, with its sign, as every text prints them."""
        return Quantity(self.value, self.se, signed=True, unit=unit)


def difference_of(a: Series, b: Series) -> Difference:
    """a - b over seeds; see Facts.difference for which test is made."""
    shared = a.seeds == b.seeds and a.n >= 3
    value = a.mean - b.mean
    if shared:
        steps = [x - y for x, y in zip(a.values, b.values, strict=True)]
        se = statistics.stdev(steps) / math.sqrt(len(steps))
        if se <= 1e-12 * max(abs(value), 1e-300):
            return Difference(a, b, value, 0.0, True, None)
        return Difference(a, b, value, se, True, two_sided(value / se, a.n - 1))
    if a.se is None or b.se is None:
        return Difference(a, b, value, None, False, None)
    se = math.hypot(a.se, b.se)
    if se == 0:
        return Difference(a, b, value, 0.0, False, None)
    freedom = se**4 / (a.se**4 / (a.n - 1) + b.se**4 / (b.n - 1))
    return Difference(a, b, value, se, False, two_sided(value / se, freedom))


def two_sided(t: float, freedom: float) -> float:
    from scipy.special import stdtr  # heavy: only where a comparison is made

    return float(2 * stdtr(freedom, -abs(t)))
