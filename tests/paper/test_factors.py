"""A factorial design: a change makes what its pairs of runs make in the mean, seed by seed, and its table says so."""

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from agent.lab import integrity
from agent.publishing.verify.subject import Material
from agent.publishing.verify.values import values_problems
from paper.evidence import factors
from paper.evidence.clauses import signs
from paper.evidence.expressions import Problem, evaluate, holds
from paper.evidence.facts import Facts
from paper.evidence.series import FactError
from paper.press import tables
from paper.press.account import PaperAccount
from paper.press.factor_table import factorial, factorial_caption
from tests.support.paper_fixture import ONE, TWO, manifest, record

CHANGES = ("tiers", "batch choice", "schedule")
METRICS = ("f1", "mcc", "uniqueness", "explained_variance", "dead", "l0")


def design(left_out=(), conditions=ONE, drawn=0, seeds=(1, 2, 3)):
    """All combinations of three changes over run 0, and a second baseline that stands outside."""
    draw = np.random.default_rng(drawn)

    def values():
        return {m: 8.0 if m == "l0" else float(draw.uniform(0.2, 0.9)) for m in METRICS}

    options = {"noise": 0.03, "conditions": conditions, "seeds": seeds}
    found = [record("0", "plain", "Plain", "baseline", values(), **options)]
    found.append(record("0.b", "other", "Other", "baseline", values(), **options))
    for number, held in enumerate(
        (c for size in (1, 2, 3) for c in itertools.combinations(CHANGES, size) if c not in left_out), start=1
    ):
        name = "_".join(held).replace(" ", "_")
        one = record(str(number), name, f"Run {number}", "experiment", values(), **options)
        found.append(one.model_copy(update={"factors": held}))
    return Facts(found, manifest(conditions), "mini")


def by_hand(facts, change, metric, seeds=(1, 2, 3)):
    """For each seed the mean over the runs with the change, less the mean over their partners; a paired t-interval."""
    runs = {frozenset(r.factors): r for r in facts.measured if r.factors or r.run == "0"}
    steps = []
    for seed in seeds:
        value = {held: next(t.metrics[metric] for t in r.trainings if t.seed == seed) for held, r in runs.items()}
        pairs = [(held, held - {change}) for held in value if change in held and held - {change} in value]
        steps.append(np.mean([value[a] - value[b] for a, b in pairs]))
    interval = stats.ttest_1samp(steps, 0).confidence_interval(0.95)
    return np.mean(steps), not interval.low <= 0 <= interval.high


@pytest.mark.parametrize("drawn", range(5))
def test_an_effect_is_the_mean_over_its_pairs_seed_by_seed(drawn):
    facts = design(drawn=drawn)

    for change, metric in itertools.product(CHANGES, METRICS[:-1]):
        found = factors.effect(facts, change, metric)
        value, distinct = by_hand(facts, change, metric)
        assert found.pairs == 4
        assert found.gap.value == pytest.approx(value)
        assert found.gap.distinct == distinct


def test_a_sentence_about_a_change_names_its_pairs_and_takes_its_direction_from_the_records():
    facts = design()
    text = evaluate('factor("batch choice", ["f1", "dead"])', facts).text
    better = {m: by_hand(facts, "batch choice", m) for m in ("f1", "dead")}

    assert text.startswith("averaged over four pairs of runs that differ in batch choice alone, the side with it ")
    for metric, sign in (("f1", 1), ("dead", -1)):
        value, distinct = better[metric]
        word = "measurably" if not distinct else "ahead" if sign * value > 0 else "behind"
        told = text.partition("the side with it ")[2]
        assert word in told.split(facts.spec(metric).label)[0].split(" and ")[-1]


def test_a_change_without_a_pair_is_said_and_a_run_that_is_missing_leaves_its_pairs_out():
    facts = design(left_out=[("tiers",), ("tiers", "batch choice"), ("tiers", "schedule")])

    assert len(factors.pairs(facts, "tiers")) == 1
    assert len(factors.pairs(facts, "batch choice")) == 2
    found = evaluate('factor("colour", "f1")', facts)
    assert isinstance(found, Problem)
    assert '"tiers"' in found.message
    with pytest.raises(FactError, match="alone"):
        factors.effect(facts, "colour", "f1")


def test_a_further_baseline_is_no_cell_and_a_plan_without_factors_is_no_design():
    assert "other" not in {r.name for r in factors.cells(design()).values()}
    plain = Facts([r.model_copy(update={"factors": ()}) for r in design().records], manifest(ONE), "mini")

    assert factors.names(plain) == ()
    assert "factorial" not in tables.names(plain)
    assert "factorial" in tables.names(design())


def test_one_change_a_run_is_no_design():
    alone = design(left_out=[c for size in (2, 3) for c in itertools.combinations(CHANGES, size)])

    assert factors.names(alone) == ()


@pytest.mark.parametrize("conditions", [ONE, TWO])
def test_the_table_has_a_row_for_each_run_and_each_effect_with_the_number_that_sentences_print(conditions):
    facts = design(conditions=conditions)
    table = factorial(facts)

    for condition in conditions:
        for change in CHANGES:
            gap = factors.effect(facts, change, "f1", condition.name).gap
            row = next(line for line in table.splitlines() if f"Effect of {change} (four pairs)" in line)
            if condition is conditions[0]:
                assert gap.quantity().bare().lstrip("+-") in row
                assert (r"$*$" in row.split("&")[1]) == gap.distinct
    assert len(re.findall("Effect of ", table)) == len(CHANGES) * len(conditions)
    held = next(line for line in table.splitlines() if line.startswith("Run 7"))
    assert held.count("bullet") == 3
    assert "Other" not in table
    assert "star" in factorial_caption(facts)


def test_an_effect_that_reads_a_run_off_its_target_says_so_under_that_condition_alone():
    facts = design(conditions=TWO)
    run = facts.records[-1]  # it has all three changes
    reached = {TWO[0].name: 4.0, TWO[1].name: 99.0}  # 4 and 16 are asked for
    far = tuple(t.model_copy(update={"metrics": {**t.metrics, "l0": reached[t.condition]}}) for t in run.trainings)
    missing = run.model_copy(update={"trainings": far})
    found = tuple(f for f in integrity.check(missing, facts.records[:2], facts.manifest) if f.code == "off-target")
    told = Facts([*facts.records[:-1], missing.model_copy(update={"findings": found})], facts.manifest, "mini")
    texts = [evaluate(f'factor("tiers", "f1", condition="{c.name}")', told).text for c in TWO]

    assert [", although Run 7 misses the target of L0" in text for text in texts] == [False, True]
    assert " Run 7 misses the target of L0; an effect that reads such a run may come from that." in factorial_caption(
        told
    )
    assert "misses" not in factorial_caption(facts)


def test_a_paper_of_another_version_may_print_effects_and_no_other_numbers():
    facts = design(drawn=3)
    account = PaperAccount.model_construct(profile="mini")
    material = Material(account, facts.manifest, {f"records/{r.run}.json": r for r in facts.records})
    sources = ('factor("tiers", ["f1", "mcc"])', 'factorial("tiers_schedule", "tiers", "schedule", "plain", "f1")')
    told = [rf"\result{{1}}{{{evaluate(source, facts).text}}}" for source in sources]

    assert values_problems("\n".join(told), material) == (6, [])
    assert [p.what for p in values_problems(r"\result{1}{ahead in F1 (+7.123)}", material)[1]] == [
        "prints 7.123, which no record gives"
    ]


@pytest.mark.parametrize("drawn", range(3))
def test_a_condition_on_a_change_follows_the_metric_s_direction_and_turns_what_may_hang_on_it(drawn):
    facts = design(drawn=drawn)

    for change, (metric, sign) in itertools.product(CHANGES, [("f1", 1), ("mcc", 1), ("dead", -1)]):
        value, distinct = by_hand(facts, change, metric)
        assert holds(f'gains("{change}", "{metric}")', facts) is bool(distinct and sign * value > 0)
        assert holds(f'loses("{change}", "{metric}")', facts) is bool(distinct and sign * value < 0)
    plain = Facts([r.model_copy(update={"factors": ()}) for r in facts.records], manifest(ONE), "mini")
    assert len(signs(facts)) == len(signs(plain)) + len(CHANGES) * len(METRICS)
