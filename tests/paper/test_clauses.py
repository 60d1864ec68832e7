"""Measured clauses: whatever the records are, a clause says what they say of its runs and its metric, and no more."""

import re

import numpy as np
import pytest
from scipy import stats

from paper.evidence.clauses import signs
from paper.evidence.expressions import Problem, canonical, evaluate, holds
from paper.evidence.facts import Facts
from tests.support.paper_fixture import ONE, TWO, fixture, manifest, record

FIXTURE = fixture()
METRICS = ("f1", "mcc", "uniqueness", "explained_variance", "dead", "l0")
STEP = re.compile(r"([\w.]+(?: [\w.]+)?)(?: towards its target of 8)? \(([+-]?[\d.]+)(?:, lower is better)?\)")


def drawn(seed: int, seeds: tuple[int, ...] = (1, 2, 3)) -> Facts:
    """A session whose values, noise and directions are drawn."""
    draw = np.random.default_rng(seed)
    runs = [("0", "base", "Base One", "baseline"), ("0.b", "other", "Other Base", "baseline")]
    runs += [(str(i), f"run{i}", f"Run {'ABC'[i - 1]}", "experiment") for i in (1, 2, 3)]
    records = [
        record(
            run,
            name,
            label,
            kind,
            {m: float(draw.uniform(5, 11) if m == "l0" else draw.uniform(0.2, 0.9)) for m in METRICS},
            noise=float(draw.choice([0.001, 0.02, 0.2])),
            parent=None if kind == "baseline" else "0",
            seeds=seeds,
        )
        for run, name, label, kind in runs
    ]
    return Facts(records, manifest(ONE), "mini")


def said(facts: Facts, source: str) -> str:
    found = evaluate(source, facts)
    assert not isinstance(found, Problem), found.message
    return found.text


def by_hand(facts: Facts, a: str, b: str, metric: str) -> str:
    """Ahead, behind or level, from the raw values: a paired t-interval, and the metric's direction."""
    one, two = ([t.metrics[metric] for t in facts.record(run).trainings] for run in (a, b))
    low, high = stats.ttest_rel(one, two).confidence_interval(0.95)
    if low <= 0 <= high:
        return "level"
    spec = facts.spec(metric)
    mine, theirs = np.mean(one), np.mean(two)
    if spec.better == "target":
        mine, theirs = -abs(mine - spec.target), -abs(theirs - spec.target)
    elif spec.better == "lower":
        mine, theirs = -mine, -theirs
    return "ahead" if mine > theirs else "behind"


def read(text: str, subject: str) -> dict[str, tuple[str, float]]:
    """What a clause says: metric's label -> relation and difference."""
    assert text.startswith(f"{subject} ")
    found = {}
    words = r"(is ahead of|ahead in|is behind|behind in|does not differ measurably|not measurably different in)"
    pieces = re.split(words, text)
    for word, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        relation = "ahead" if "ahead" in word else "behind" if "behind" in word else "level"
        for label, number in STEP.findall(rest):
            found[label.removeprefix("in ").removeprefix("and ")] = (relation, float(number))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_no_clause_can_turn_a_direction_a_run_or_a_metric(seed):
    facts = drawn(seed)
    a, b = np.random.default_rng(seed).permutation([r.name for r in facts.explored])[:2]
    listed = ", ".join(f'"{m}"' for m in METRICS)
    told = read(said(facts, f'versus("{a}", "{b}", [{listed}])'), facts.record(a).label)

    assert set(told) == {facts.spec(m).label for m in METRICS}
    for metric in METRICS:
        relation, number = told[facts.spec(metric).label]
        assert relation == by_hand(facts, a, b, metric)
        gap = facts.difference(a, b, metric)
        assert number == pytest.approx(gap.value, abs=max(gap.se, 0.0051 * abs(gap.value)))
        assert holds(f'{relation}("{a}", "{b}", "{metric}")', facts) is True


@pytest.mark.parametrize("seed", range(10))
def test_a_ranking_holds_every_measured_run_once_and_in_its_order(seed):
    facts = drawn(seed)
    text = said(facts, 'ranking("f1")').partition(";")[0]
    labels = re.findall(r"([A-Z][\w ]+) \(", text)

    assert sorted(labels) == sorted(r.label for r in facts.measured)
    means = [facts.series(next(r.name for r in facts.measured if r.label == x), "f1").mean for x in labels]
    assert means == sorted(means, reverse=True)
    assert f"is first of {'five'}" in said(facts, f'position("{facts.record("best").name}", "f1")')


def test_every_form_names_its_runs_and_metrics():
    for source, words in {
        'versus("detached", "topk", "f1", form="full")': ("Nested, detached", "TopK", "F1", "95% interval"),
        'effect("nested", ["f1", "mcc"])': ("Standard L1", "from which it starts", "Nested", "F1", "MCC"),
        'tradeoff("ours", "topk", "f1", "explained_variance")': ("at the price of",),
        'reaches("topk", ["f1", "mcc"])': ("TopK reaches", "in F1 and", "in MCC"),
        'factorial("detached", "nested", "decorrelated", "standard", "f1")': ("Nested", "sum of the two"),
        'spread("topk", "f1")': ("over three seeds", "F1 of TopK"),
        'failure("gated")': ("Gated nested failed", "no result"),
        'reported("nested", "first_tier_share")': ("Nested", "(self-reported)"),
        'reported("nested", ["first_tier_share", "last_tier_share"])': (
            "first tier share",
            " and last tier share ",
            "(self-reported)",
        ),
        'cost("nested", "topk")': ("Nested", " s by the clock and ", " times the processor time of one of TopK"),
        'ahead_of("topk", "f1")': ("of three experiments", "TopK", "F1"),
        "guarded()": ("Nested, detached", "TopK", "F1", "MCC"),
        'setting("l0")': ("l0 is 8",),
        "budget()": ("1,048,576 samples", "three seeds"),
    }.items():
        text = said(FIXTURE.facts, source)
        assert [w for w in words if w not in text] == [], text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('versus("nested", "topk", "f1", subject="the winner")', "subject"),
        ('versus("nested", "nested", "f1")', "with itself"),
        ('effect("topk", "f1")', "starts from no other run"),
        ('failure("topk")', "was measured"),
        ('across("topk", "f1")', "one condition"),
        ('reaches("gated", "f1")', "no result"),
        ('factorial("nested", "nested", "topk", "standard", "f1")', "four different runs"),
    ],
)
def test_a_form_that_has_nothing_true_to_say_says_why(source, why):
    found = evaluate(source, FIXTURE.facts)
    assert isinstance(found, Problem) and why in found.message


def test_one_seed_is_told_as_one_seed_and_never_as_a_tie():
    facts = drawn(3, seeds=(1,))
    text = said(facts, 'versus("run1", "base", ["f1", "mcc"])')

    assert re.search(r"is (?:above|below) Base One in", text) and text.endswith("measured with one seed on a side")
    assert "measurably" not in text and holds('level("run1", "base", "f1")', facts) is False
    assert "was measured with one seed" in said(facts, 'spread("run1", "f1")')


def test_a_list_is_part_of_an_expressions_one_spelling():
    assert canonical("versus('a','b', ['f1','mcc'])") == 'versus("a", "b", ["f1", "mcc"])'


def test_the_signs_change_with_any_comparison_and_with_nothing_else():
    assert signs(drawn(1)) == signs(drawn(1)) != signs(drawn(2))


@pytest.mark.parametrize(
    ("noise", "wanted"),
    [
        (0.001, "F1 of Base is lower under 16 active latents than under 4 active latents ("),
        (0.4, "F1 of Base does not differ measurably under 16 active latents and under 4 active latents ("),
    ],
)
def test_one_run_is_compared_with_itself_under_another_condition(noise, wanted):
    base = record("0", "base", "Base", "baseline", dict.fromkeys(METRICS, 0.5), noise=noise, conditions=TWO)
    facts = Facts([base], manifest(TWO), "mini")
    text = said(facts, 'between("base", "f1", "dense", "sparse")')
    values = [facts.series("base", "f1", c).quantity().text() for c in ("dense", "sparse")]

    assert text.startswith(f"{wanted}{values[0]} against {values[1]}, difference ") and "95% interval" in text
    assert "different conditions" in evaluate('between("base", "f1", "dense", "dense")', facts).message
