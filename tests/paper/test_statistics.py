"""The tests between two runs: the textbook's formulas to twelve digits, and what is said where values do not vary."""

import math
import statistics
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from paper.evidence.confirmation import confirm
from paper.evidence.numbers import interval_text
from paper.evidence.series import FactError, Series, difference_of
from tests.support.paper_fixture import record

DRAWS = [(seed, n, spread) for seed in range(25) for n in (3, 5, 8) for spread in (1e-6, 0.01, 3.0)]


def arm(run, values):
    """A measured record whose only metric has these values, and its series."""
    made = record(run, run, run, "confirmation", {"f1": 0.0, "l0": 8.0}, seeds=tuple(range(len(values))))
    trainings = tuple(
        t.model_copy(update={"metrics": {"f1": float(v)}}) for t, v in zip(made.trainings, values, strict=True)
    )
    made = made.model_copy(update={"trainings": trainings})
    return made, Series(made, "f1", "k8", made.seeds, tuple(map(float, values)))


def drawn(seed, n, spread):
    draw = np.random.default_rng((seed, n))
    return draw.normal(0.6, spread, n), draw.normal(0.6 + spread * draw.normal(), spread * draw.uniform(0.1, 2), n)


def confirmed(ours, baseline):
    arms = [arm("confirm.best", ours)[0], arm("confirm.baseline", baseline)[0]]
    return confirm(arms, (), "f1", "higher", lambda value, condition: value)


def close(wanted):
    return pytest.approx(wanted, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("seed", "n", "spread"), DRAWS)
def test_paired_over_shared_seeds(seed, n, spread):
    x, y = drawn(seed, n, spread)
    steps = [a - b for a, b in zip(x, y, strict=True)]
    se = statistics.stdev(steps) / math.sqrt(n)
    p = 2 * stdtr(n - 1, -abs(statistics.fmean(steps) / se))
    half = stdtrit(n - 1, 0.975) * se
    found, sure = difference_of(arm("1", x)[1], arm("2", y)[1]), confirmed(x, y)

    assert found.paired and (found.se, found.p) == close((se, p))
    assert found.ci == pytest.approx(
        (statistics.fmean(steps) - half, statistics.fmean(steps) + half), rel=1e-12, abs=1e-12 * half
    )
    assert found.distinct == (p < 0.05)
    assert n < 5 or (sure.gap.se, sure.p, sure.gap.ci) == (found.se, found.p, found.ci)


@pytest.mark.parametrize(("seed", "n", "spread"), [d for d in DRAWS if d[2] > 1e-6])  # means cancel six digits there
def test_welchs_over_other_seeds(seed, n, spread):
    x, y = drawn(seed, n, spread)
    y = np.append(y, y.mean() + spread)
    a, b = (statistics.stdev(v) / math.sqrt(len(v)) for v in (x, y))
    freedom = (a * a + b * b) ** 2 / (a**4 / (n - 1) + b**4 / n)
    p = 2 * stdtr(freedom, -abs((statistics.fmean(x) - statistics.fmean(y)) / math.hypot(a, b)))
    found = difference_of(arm("1", x)[1], arm("2", y)[1])

    gap, half = statistics.fmean(x) - statistics.fmean(y), stdtrit(freedom, 0.975) * math.hypot(a, b)
    assert not found.paired and (found.se, found.p) == close((math.hypot(a, b), p))
    assert found.ci == pytest.approx((gap - half, gap + half), rel=1e-9, abs=1e-12 * half)
    assert found.distinct == (p < 0.05)


@pytest.mark.parametrize("by", [0.0, 0.25, -0.1])
def test_where_every_seed_differs_by_the_same_the_difference_is_certain(by):
    values = [0.5, 0.61, 0.58, 0.7, 0.66]
    moved = [v + by for v in values]
    found, sure = difference_of(arm("1", moved)[1], arm("2", values)[1]), confirmed(moved, values)

    assert (found.se, found.p, found.distinct) == (0.0, None, by != 0)
    assert (sure.gap.se, sure.p) == (0.0, 1.0 if by == 0 else 0.0)
    assert sure.gap.ci == pytest.approx((by, by), abs=1e-15) and sure.gap.ci[0] == sure.gap.ci[1]


@pytest.mark.parametrize(
    ("x", "y", "se", "judged", "distinct"),
    [
        ([0.9], [0.1], None, False, False),
        ([0.9], [0.1, 0.2, 0.3], None, False, False),
        ([0.9, 0.9], [0.1, 0.1], 0.0, True, True),
        ([0.9, 0.8], [0.1, 0.2], math.hypot(0.05, 0.05), True, True),
        ([0.9, 0.9], [0.1, 0.4], 0.15, True, False),
    ],
    ids=["one-each", "one-side", "no-spread", "two-each", "spread-on-one-side"],
)
def test_one_value_on_a_side_is_not_judged_and_two_are(x, y, se, judged, distinct):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = difference_of(arm("1", x)[1], arm("2", y)[1])

    assert found.se == (se if se is None else pytest.approx(se)) and not found.paired
    assert (found.judged, found.distinct) == (judged, distinct)


def test_one_run_against_one_has_no_interval_to_print():
    with pytest.raises(FactError, match="no interval"):
        difference_of(arm("1", [0.9])[1], arm("2", [0.1])[1]).interval_text()


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ((0.117, 0.143), "+0.117 to +0.143"),
        ((0.112, 0.188), "+0.11 to +0.19"),
        ((0.0003, 0.4), "+0.0003 to +0.4000"),
        ((-0.4, -0.0003), "-0.4000 to -0.0003"),
        ((-0.0003, 0.4), "0.0 to +0.4"),
        ((0.25, 0.25), "+0.250 to +0.250"),
        ((0.0, 0.0), "0 to 0"),
    ],
)
def test_an_interval_has_the_digits_of_its_half_width_and_never_seems_to_reach_zero(ends, shown):
    assert interval_text(ends) == shown
    assert interval_text(ends, " ms") == f"{shown} ms"


@given(st.floats(-1e3, 1e3), st.floats(1e-4, 1e3))
def test_what_is_printed_excludes_zero_where_the_interval_does(low, width):
    assume(not (0 < abs(low) < 1e-9 or 0 < abs(low + width) < 1e-9))
    one, two = (float(end.replace(",", "")) for end in interval_text((low, low + width)).split(" to "))

    assert (one <= 0 <= two) == (low <= 0 <= low + width)
