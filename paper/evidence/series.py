"""Measured values over seeds, and the difference of two runs with its test. Pure; reads one record at a time."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agent.core.record import RunRecord
from paper.evidence.numbers import Quantity

if TYPE_CHECKING:
    from scipy.stats._result_classes import TtestResult

ALPHA = 0.05  # two-sided; in the exploration not corrected for the number of runs tried


class FactError(Exception):
    """An expression asks for what the records do not hold; the message is for the writer."""


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of two values or more: sample deviation (ddof = 1) / sqrt(n)."""
    return statistics.stdev(values) / math.sqrt(len(values))


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
        """Standard error of the mean; None for one value."""
        return standard_error(self.values) if self.n > 1 else None

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
    """a - b over seeds; see Facts.difference for which test is made. There is none where no value varies."""
    value = a.mean - b.mean
    if a.seeds == b.seeds and a.n >= 3:
        se = paired_error(a, b)
        return Difference(a, b, value, se, True, float(paired_test(a, b).pvalue) if se else None)
    if a.se is None or b.se is None:
        return Difference(a, b, value, None, False, None)
    se = math.hypot(a.se, b.se)
    return Difference(a, b, value, se, False, _welch(a, b) if se else None)


def steps_of(a: Series, b: Series) -> tuple[float, ...]:
    """The difference for each seed."""
    return tuple(x - y for x, y in zip(a.values, b.values, strict=True))


def paired_error(a: Series, b: Series) -> float:
    """Standard error of the mean difference over shared seeds; 0 where all differ by the same, but for rounding."""
    steps = steps_of(a, b)
    se = standard_error(steps)
    return 0.0 if se <= 1e-12 * max(abs(statistics.fmean(steps)), 1e-300) else se


def paired_test(a: Series, b: Series) -> TtestResult:
    """The two-sided paired t-test over shared seeds, as scipy makes it; for differences that vary."""
    from scipy.stats import ttest_rel  # heavy: only where a comparison is made

    return ttest_rel(a.values, b.values)


def _welch(a: Series, b: Series) -> float:
    """p of Welch's two-sided t-test; one side at most may not vary."""
    from scipy.stats import ttest_ind

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a side whose values are all equal
        return float(ttest_ind(a.values, b.values, equal_var=False).pvalue)
