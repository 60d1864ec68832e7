"""The tests between two runs: the textbook's formulas to twelve digits, and what is said where values do not vary."""

import math
import statistics
import warnings

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from paper.evidence.confirmation import confirm
from paper.evidence.series import Series, difference_of
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
    assert (sure.gap.se, sure.p) == close((se, p))
    assert sure.ci == pytest.approx(
        (statistics.fmean(steps) - half, statistics.fmean(steps) + half), rel=1e-12, abs=1e-12 * half
    )


@pytest.mark.parametrize(("seed", "n", "spread"), [d for d in DRAWS if d[2] > 1e-6])  # means cancel six digits there
def test_welchs_over_other_seeds(seed, n, spread):
    x, y = drawn(seed, n, spread)
    y = np.append(y, y.mean() + spread)
    a, b = (statistics.stdev(v) / math.sqrt(len(v)) for v in (x, y))
    freedom = (a * a + b * b) ** 2 / (a**4 / (n - 1) + b**4 / n)
    p = 2 * stdtr(freedom, -abs((statistics.fmean(x) - statistics.fmean(y)) / math.hypot(a, b)))
    found = difference_of(arm("1", x)[1], arm("2", y)[1])

    assert not found.paired and (found.se, found.p) == close((math.hypot(a, b), p))


@pytest.mark.parametrize("by", [0.0, 0.25, -0.1])
def test_where_every_seed_differs_by_the_same_the_difference_is_certain(by):
    values = [0.5, 0.61, 0.58, 0.7, 0.66]
    moved = [v + by for v in values]
    found, sure = difference_of(arm("1", moved)[1], arm("2", values)[1]), confirmed(moved, values)

    assert (found.se, found.p, found.distinct) == (0.0, None, by != 0)
    assert (sure.gap.se, sure.p) == (0.0, 1.0 if by == 0 else 0.0)
    assert sure.ci == pytest.approx((by, by), abs=1e-15) and sure.ci[0] == sure.ci[1]


@pytest.mark.parametrize(
    ("x", "y", "se", "judged"),
    [
        ([0.9], [0.1], None, False),
        ([0.9], [0.1, 0.2, 0.3], None, False),
        ([0.9, 0.9], [0.1, 0.1], 0.0, False),
        ([0.9, 0.8], [0.1, 0.2], math.hypot(0.05, 0.05), True),
        ([0.9, 0.9], [0.1, 0.2], 0.05, True),
    ],
    ids=["one-each", "one-side", "no-spread", "two-each", "spread-on-one-side"],
)
def test_few_values_or_none_that_vary(x, y, se, judged):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = difference_of(arm("1", x)[1], arm("2", y)[1])

    assert found.se == (se if se is None else pytest.approx(se)) and not found.paired
    assert (found.p is not None) is judged
