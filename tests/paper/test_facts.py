"""Facts and expressions: the right number, the right digits, the right word, or a message that helps."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paper.evidence.expressions import FUNCTIONS, Problem, canonical, evaluate, usage, vocabulary
from paper.evidence.facts import Facts, machines, record_sha256
from paper.evidence.numbers import Quantity, decimals_for_column, setting_text
from paper.evidence.vocabulary import Result
from paper.pictures.figures import standard_figures
from paper.press.metric_tables import main_caption
from paper.press.tables import settings_caption
from tests.support.paper_fixture import TWO, fixture, manifest, record, records

FACTS = fixture().facts


def text(source, facts=FACTS):
    value = evaluate(source, facts)
    assert isinstance(value, Result), value
    return value.text


def problem(source, facts=FACTS):
    value = evaluate(source, facts)
    assert isinstance(value, Problem), value
    return value.message


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ({}, "change them. Hardware"),
        ({"topk": 0, "standard": 0}, "They were not tuned for this profile"),
        ({"topk": 9, "standard": 4}, "in other worlds: Standard L1 4, TopK 9; for other runs: none."),
    ],
)
def test_the_caption_of_the_settings_says_how_many_were_tried_for_each_baseline(trials, said):
    known = manifest()
    profiles = {"mini": known.profiles["mini"].model_copy(update={"trials": trials})}
    assert said in settings_caption(Facts(records(), known.model_copy(update={"profiles": profiles}), "mini"))


@pytest.mark.parametrize(
    ("value", "se", "shown"),
    [
        (0.5803, 0.0042, "0.580 ± 0.004"),
        (0.5803, 0.0142, "0.580 ± 0.014"),
        (0.5803, 0.31, "0.6 ± 0.3"),
        (1234.5, 21.0, "1,234 ± 21"),
        (0.58, None, "0.580"),
        (-0.0001, 0.004, "0.000 ± 0.004"),
        (12.0, None, "12"),
    ],
)
def test_digits_follow_the_standard_error(value, se, shown):
    assert Quantity(value, se).text() == shown


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([(0.69, 0.02), (0.81124, 0.00006)], ["0.690 ± 0.020", "0.811 ± < 0.001"]),
        ([(0.69, 0.02), (0.81124, 0.00006), (0.7, 0.00005)], ["0.690 ± 0.020", "0.811 ± < 0.001", "0.700 ± < 0.001"]),
        ([(0.5803, 0.0042), (0.61, 0.0051)], ["0.580 ± 0.004", "0.610 ± 0.005"]),
        ([(0.5803, 0.0042), (0.61, 0.0051), (0.4, 0.3)], ["0.580 ± 0.004", "0.610 ± 0.005", "0.400 ± 0.300"]),
        ([(0.58, 0.31), (0.61, 0.29)], ["0.6 ± 0.3", "0.6 ± 0.3"]),
        ([(1234.5, 21.0), (1180.0, 3.0)], ["1,234 ± 21", "1,180 ± 3"]),
        ([(0.5, 0.0), (0.25, 0.03)], ["0.50 ± 0", "0.25 ± 0.03"]),
        ([(0.58, None), (0.6, None)], ["0.580", "0.600"]),
        ([(3.0, None), (0.0, None)], ["3.00", "0.00"]),
    ],
)
def test_a_column_has_as_many_decimals_in_one_row_as_in_the_next(rows, shown):
    column = [Quantity(*row) for row in rows]

    assert [replace(q, places=decimals_for_column(column)).text() for q in column] == shown


def test_a_difference_carries_its_sign():
    assert Quantity(0.02, 0.004, signed=True).text() == "+0.020 ± 0.004"
    assert Quantity(-12.34, 2.0, signed=True, unit="%").text() == "(-12 ± 2)%"


@given(st.floats(-1e6, 1e6, allow_nan=False), st.floats(1e-5, 1e5))
def test_what_is_printed_lies_within_the_error_of_the_value(value, se):
    shown = float(Quantity(value, se).bare().replace(",", ""))

    assert abs(shown - value) <= max(se, 0.5) * 1.0001


def test_settings_are_printed_as_people_write_them():
    assert [setting_text(v) for v in (1_048_576, 0.003, 1e-4, True, "adam", 2.0)] == [
        "1,048,576",
        "0.003",
        "0.0001",
        "true",
        "adam",
        "2",
    ]


def test_mean_and_error_are_those_of_the_seeds():
    series = FACTS.series("topk", "f1")
    values = [t.metrics["f1"] for t in FACTS.record("topk").trainings]

    assert series.mean == pytest.approx(sum(values) / 3)
    assert series.se == pytest.approx(stats.sem(values))


def test_a_comparison_is_the_paired_test_of_scipy():
    a, b = FACTS.series("decorrelated", "f1").values, FACTS.series("topk", "f1").values

    assert FACTS.difference("decorrelated", "topk", "f1").p == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_without_shared_seeds_it_is_welchs_test():
    other = record("5", "other", "Other", "experiment", {"f1": 0.6, "l0": 8.0}, seeds=(4, 5, 6, 7))
    facts = Facts((*records(), other), manifest(), "mini")
    a, b = facts.series("other", "f1").values, facts.series("topk", "f1").values

    assert facts.difference("other", "topk", "f1").p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_one_seed_distinguishes_nothing():
    single = [
        record(str(i), name, name, "experiment" if i else "baseline", {"f1": f1, "l0": 8.0}, seeds=(1,))
        for i, (name, f1) in enumerate([("topk", 0.2), ("nested", 0.9)])
    ]
    facts = Facts(single, manifest(), "mini")

    assert text('compare("nested", "topk", "f1")', facts) == "higher than"  # in one run; nothing is judged
    assert text('improves("nested", "topk", "f1")', facts) == "is above"
    assert "±" not in text('mean("nested", "f1")', facts)
    assert "one seed" in problem('se("nested", "f1")', facts)


def test_what_was_trained_once_has_neither_a_spread_nor_a_verdict_in_any_caption(tmp_path):
    once = [
        record(
            r.run, r.name, r.label, r.kind, {"f1": 0.5, "mcc": 0.5, "explained_variance": 0.5, "l0": 8.0}, seeds=(1,)
        )
        for r in records()[:3]
    ]
    facts = Facts(once, manifest(measured=False), "mini")
    captions = [main_caption(facts), *(f.caption for f in standard_figures(facts, tmp_path))]

    assert not [c for c in captions if "standard error" in c or "n = 1" in c or "means over" in c or "interval" in c]
    assert "One value each, of a single training." in captions[0]
    assert any("Every run was trained once" in c for c in captions)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('compare("nested", "topk", "f1")', "higher than"),
        ('compare("topk", "nested", "f1")', "lower than"),
        ('improves("nested", "topk", "f1")', "is ahead of"),
        ('improves("standard", "topk", "f1")', "is behind"),
        ('improves("decorrelated", "topk", "f1")', "does not differ measurably from"),
        ('compare("standard", "topk", "dead")', "higher than"),
        ('improves("standard", "topk", "dead")', "is behind"),
        ('rank("detached", "f1")', "first of five"),
        ('rank("standard", "dead")', "fifth of five"),
        ("best()", "Nested, detached"),
        ('name("ours")', "Nested, detached"),
        ('name("baseline")', "TopK"),
        ('label("f1")', "F1"),
        ('config("samples")', "1,048,576"),
        ('count("runs")', "four"),
        ('count("failed")', "one"),
        ('n("topk")', "three"),
        ('status("gated")', "failed"),
    ],
)
def test_words_come_from_the_record(source, shown):
    assert text(source) == shown


def test_a_relative_change_is_that_of_the_means():
    a, b = FACTS.series("nested", "f1").mean, FACTS.series("topk", "f1").mean
    shown = text('relative("nested", "topk", "f1")')

    assert shown.startswith("+") and shown.endswith("%")
    assert float(shown[1:-1]) == pytest.approx(100 * (a / b - 1), abs=0.6)
    assert math.isclose(float(text('ratio("nested", "topk", "f1")')), a / b, abs_tol=0.01)


def test_a_self_reported_number_says_so():
    assert text('diagnostic("nested", "first_tier_share")').endswith("(self-reported)")
    unmeasured = Facts(records(), manifest(measured=False), "mini")
    assert text('mean("nested", "f1")', unmeasured).endswith("(self-reported)")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('mean("tiered", "f1")', '"topk"'),
        ('mean("topk", "accuracy")', '"mcc"'),
        ('mean("gated", "f1")', "has no result"),
        ('mean("topk")', "mean(run, metric, condition=...)"),
        ('mean("topk", "f1", condition="x")', '"k8"'),
        ('diff("topk", "topk", "f1")', "itself"),
        ('count("wins")', "baselines"),
        ('config("momentum")', '"d_sae"'),
        ('diagnostic("topk", "share")', "it has none"),
        ("mean(topk, f1)", "quotes"),
        ("1 + 1", "one call"),
        ("mean", "one call"),
        ('mean("topk", "f1").text', "one call"),
        ('open("x")', "not known"),
        ("mean(*[1])", "quotes"),
        ("mean(" * 100, "at most"),
        ("", "not an expression"),
    ],
)
def test_a_wrong_expression_gets_a_message_that_helps(source, says):
    assert says in problem(source)


@given(st.text(max_size=60))
def test_no_text_makes_the_evaluation_fail(source):
    assert isinstance(evaluate(source, FACTS), (Result, Problem))


def test_several_conditions_must_be_named():
    facts = fixture(TWO).facts

    assert '"sparse"' in problem('mean("topk", "f1")', facts)
    assert "condition=" in problem('config("l0")', facts)
    assert text('config("l0", condition="dense")', facts) == "16"
    assert text('mean("topk", "f1", condition="sparse")', facts) != text('mean("topk", "f1", condition="dense")', facts)


def test_a_confirmation_is_never_mixed_into_the_exploration():
    confirmed = record("c1", "nested", "Nested", "confirmation", {"f1": 0.1, "l0": 8.0}, seeds=(11, 12, 13, 14, 15))
    facts = Facts((*records(), confirmed), manifest(), "mini")

    assert text('mean("nested", "f1")', facts) == text('mean("nested", "f1")')
    assert text('count("runs")', facts) == "four"


def test_the_vocabulary_tells_every_function_and_every_name():
    told = vocabulary(FACTS)

    assert all(usage(f) in told for f in FUNCTIONS)
    assert all(f'"{r.name}"' in told for r in FACTS.explored) and "failed: no numbers" in told


def test_equal_expressions_have_one_spelling():
    assert canonical(" mean( 'topk',\n\"f1\" )") == 'mean("topk", "f1")'


def test_the_hash_of_a_record_changes_with_any_value():
    one = record("1", "a", "A", "experiment", {"f1": 0.5, "l0": 8.0})
    two = one.model_copy(update={"wall_s": 64.0})

    assert record_sha256(one) == record_sha256(one.model_copy()) != record_sha256(two)


def test_a_machine_is_named_as_a_reader_would():
    one = record("1", "a", "A", "experiment", {"f1": 0.5, "l0": 8.0})
    runs = [
        one.model_copy(update={"device": name})
        for name in ("cpu: Intel(R) Xeon(R) Processor, 2 cores", "cuda: NVIDIA H200", "cuda: NVIDIA H200", "")
    ]

    assert machines(runs) == "Intel Xeon Processor, 2 cores (cpu); NVIDIA H200 (cuda)"
