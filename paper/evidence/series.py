"""Measured values over seeds, and the difference of two runs with its test. Pure; reads one record at a time."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agent.core.record import RunRecord
from paper.evidence.numbers import Quantity, interval_text

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
    """a - b over seeds, with its 95% interval by t. With one value on a side there is no interval: nothing is judged,
    and all that can be said is which value is higher in one run."""

    a: Series
    b: Series
    value: float
    se: float | None
    paired: bool
    p: float | None  # None where there is no interval, and where no value varies
    ci: tuple[float, float] | None  # both ends are the difference itself where no value varies

    @property
    def judged(self) -> bool:
        """Is there an interval that says whether the difference is more than noise?"""
        return self.ci is not None

    @property
    def distinct(self) -> bool:
        """Does the interval exclude zero? False also where nothing is judged."""
        return self.ci is not None and not self.ci[0] <= 0 <= self.ci[1]

    def quantity(self, unit: str = "") -> Quantity:
        """The difference and its error, with its sign, as every text prints them."""
        return Quantity(self.value, self.se, signed=True, unit=unit)

    def interval_text(self, unit: str = "") -> str:
        """The ends of the interval, e.g. "+0.12 to +0.14", with the digits that its half width supports.

        An interval that excludes zero gets as many digits as it takes to show that; an end that rounds to zero in
        another one is printed without a sign.

        Raises:
            FactError: there is no interval.
        """
        if self.ci is None:
            raise FactError("one run against one run has no interval; a second seed on both sides would give one")
        return interval_text(self.ci, unit)


def difference_of(a: Series, b: Series) -> Difference:
    """a - b over seeds with its interval; see Facts.difference for which test is made."""
    value = a.mean - b.mean
    if a.seeds == b.seeds and a.n >= 3:
        se, test = paired_error(a, b), paired_test
    elif a.se is None or b.se is None:
        return Difference(a, b, value, None, False, None, None)
    else:
        se, test = math.hypot(a.se, b.se), _welch
    paired = test is paired_test
    if not se:
        return Difference(a, b, value, se, paired, None, (value, value))
    found = test(a, b)
    low, high = found.confidence_interval(1 - ALPHA)
    return Difference(a, b, value, se, paired, float(found.pvalue), (float(low), float(high)))


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


def _welch(a: Series, b: Series) -> TtestResult:
    """Welch's two-sided t-test; one side at most may not vary."""
    from scipy.stats import ttest_ind

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a side whose values are all equal
        return ttest_ind(a.values, b.values, equal_var=False)
