"""Measured values over seeds, and the difference of two runs with its t-test. Pure."""

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

ALPHA = 0.05  # level of all tests, two-sided; in the exploration it is not corrected for the number of runs


class FactError(Exception):
    """An expression asks for something that the records do not have; the message is for the writer."""


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean of two or more values: sample standard deviation (ddof = 1) / sqrt(n)."""
    return statistics.stdev(values) / math.sqrt(len(values))


@dataclass(frozen=True)
class Series:
    """One metric of one run under one condition, with a value for each measured seed.

    `condition` is "" where the values are means over all conditions.
    """

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
    """The values of one metric or diagnostic in a record, in the order of the seeds; None where there are none."""
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
    """One value for each seed of a measured run, averaged over its conditions.

    Args:
        seeds: those of the record unless given.
        reading: turns a value and the name of its condition into the number that is averaged.
    """

    def of(seed: int) -> float:
        return statistics.fmean(reading(t.metrics[metric], t.condition) for t in record.trainings if t.seed == seed)

    chosen = tuple(dict.fromkeys(t.seed for t in record.trainings) if seeds is None else seeds)
    return Series(record, metric, "", chosen, tuple(map(of, chosen)))


@dataclass(frozen=True)
class Difference:
    """a - b over seeds, with its 95% interval by a t-test.

    With one value on a side there is no interval, and all that can be said is which value is higher.
    """

    a: Series
    b: Series
    value: float
    se: float | None
    paired: bool
    p: float | None  # None where there is no interval, and where there is no variance to test with
    ci: tuple[float, float] | None  # without variance, both ends are the difference itself

    @property
    def judged(self) -> bool:
        """Whether there is an interval, which tells a difference from noise."""
        return self.ci is not None

    @property
    def distinct(self) -> bool:
        """Whether the interval excludes zero; False also where there is none."""
        return self.ci is not None and not self.ci[0] <= 0 <= self.ci[1]

    def quantity(self, unit: str = "") -> Quantity:
        """The difference and its error, with its sign, as every text prints them."""
        return Quantity(self.value, self.se, signed=True, unit=unit)

    def interval_text(self, unit: str = "") -> str:
        """The ends of the interval, e.g. "+0.12 to +0.14" (numbers.interval_text).

        Raises:
            FactError: there is no interval.
        """
        if self.ci is None:
            raise FactError("one run against one run has no interval; a second seed on both sides would give one")
        return interval_text(self.ci, unit)


def difference_of(a: Series, b: Series) -> Difference:
    """a - b over seeds with its interval: by the paired t-test for the same three or more seeds, else by Welch's
    test."""
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
    """a minus b for each seed; both have the same seeds."""
    return tuple(x - y for x, y in zip(a.values, b.values, strict=True))


def paired_error(a: Series, b: Series) -> float:
    """Standard error of the mean difference over shared seeds; exactly 0 if all differences are equal up to
    rounding."""
    steps = steps_of(a, b)
    se = standard_error(steps)
    return 0.0 if se <= 1e-12 * max(abs(statistics.fmean(steps)), 1e-300) else se


def paired_test(a: Series, b: Series) -> TtestResult:
    """The two-sided paired t-test over shared seeds (scipy); the differences must not all be equal."""
    from scipy.stats import ttest_rel  # imported here because it takes long and few commands compare runs

    return ttest_rel(a.values, b.values)


def _welch(a: Series, b: Series) -> TtestResult:
    """Welch's two-sided t-test (scipy); the values of one side may all be equal, but not those of both."""
    from scipy.stats import ttest_ind

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns of a side whose values are all equal
        return ttest_ind(a.values, b.values, equal_var=False)
