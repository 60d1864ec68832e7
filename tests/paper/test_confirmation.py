"""The confirmation: one paired test over fresh seeds, truthful words for every outcome, nothing borrowed from it."""

import statistics

import pytest
from scipy import stats

from agent.core.metrics import MetricSpec
from paper.evidence.confirmed import p_text
from paper.evidence.expressions import Problem, evaluate, vocabulary
from paper.evidence.facts import FactError, Facts
from paper.press import tables
from paper.press.appendix import Appendix, appendix_parts
from paper.press.counted import Counted
from paper.press.render import render
from paper.reading.spoken import spoken
from paper.text.parser import parse
from paper.truth.checks import check
from paper.truth.kinds import kind_of
from tests.support.paper_fixture import SOURCE, TWO, confirmation, fixture, manifest, record, records

FIXTURE = fixture()
FOUND = FIXTURE.facts.confirmation
EVEN, WORSE = fixture(arms=confirmation(0.583)).facts, fixture(arms=confirmation(0.4)).facts
NONE, FAILED = fixture(arms=()).facts, fixture(arms=confirmation(None)).facts
NEED_A_RESULT = (
    "confirmed()",
    "confirmed_run()",
    'confirmed_value("ours")',
    "confirmed_diff()",
    "confirmed_ci()",
    "confirmed_p()",
    "confirmed_n()",
)
WHOLE = ("duplicate-label", "comparison-not-first", "guards-not-shown", "untold-run")
FIGURES = ("metrics", "differences", "curves", "tradeoff")
TABLES = tables.names(FIXTURE.facts)


def text(source, facts=FIXTURE.facts):
    value = evaluate(source, facts)
    assert not isinstance(value, Problem), value
    return value.text


def codes(facts, section, written):
    sections = dict.fromkeys(FIXTURE.sections, "A line on what was done follows.") | {
        "title": "# A Question\n\nWe ask a question.",
        section: written,
    }
    return {
        c.code
        for c in check(sections, facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE)
        if c.section == section and c.code not in WHOLE
    }


def test_it_is_the_paired_test_of_scipy_with_its_interval():
    result = stats.ttest_rel(FOUND.ours.values, FOUND.baseline.values)

    assert FOUND.p == pytest.approx(result.pvalue) and FOUND.n == 5
    assert FOUND.gap.ci == pytest.approx(tuple(result.confidence_interval()))
    assert FOUND.gap.value == pytest.approx(FOUND.ours.mean - FOUND.baseline.mean)
    assert FOUND.gap.se == pytest.approx(stats.sem(FOUND.steps))


def test_conditions_are_averaged_within_a_seed():
    found = fixture(TWO).facts.confirmation
    first = [t.metrics["f1"] for t in found.ours.run.trainings if t.seed == found.ours.seeds[0]]

    assert found.n == 5 and len(first) == 2 and found.ours.values[0] == pytest.approx(statistics.fmean(first))


@pytest.mark.parametrize(
    ("facts", "verdict", "relation", "clause"),
    [
        (FIXTURE.facts, "improvement", "improves on", "the improvement is confirmed"),
        (EVEN, "inconclusive", "does not differ significantly from", "inconclusive"),
        (WORSE, "worse", "is worse than", "no improvement is confirmed"),
    ],
)
def test_the_words_are_those_of_the_test(facts, verdict, relation, clause):
    assert facts.confirmation.verdict == verdict
    assert text("confirmed()", facts) == relation and clause in text("confirmed_verdict()", facts)
    assert relation in text("confirmation()", facts) and clause in text("confirmation()", facts)


def test_where_lower_is_better_less_is_an_improvement():
    facts = Facts(FIXTURE.facts.records, with_primary("dead", better="lower"), "mini")
    arms = fixture(arms=confirmation()).facts.confirmations
    worse = tuple(raised(r, "dead", 0.1) if r.run == "confirm.best" else r for r in arms)

    assert facts.confirmation.better == "lower"
    assert Facts((*records(), *worse), facts.manifest, "mini").confirmation.verdict == "worse"


def test_a_metric_with_a_target_is_judged_by_its_distance():
    def arms(ours, baseline):
        return tuple(raised(r, "l0", ours if r.run == "confirm.best" else baseline) for r in confirmation())

    spec = with_primary("l0", better="target", target=8.0)
    near, far = (Facts((*records(), *arms(*pair)), spec, "mini") for pair in ((-0.1, 3.0), (-3.0, 0.1)))

    assert near.confirmation.verdict == "improvement" and far.confirmation.verdict == "worse"
    assert "the distance of L0 from its target" in text("confirmation()", near)


def test_each_condition_is_held_at_its_own_target():
    def at(given, sparse, dense):
        centre = {"sparse": sparse, "dense": dense}
        moved = (t.model_copy(update={"metrics": {"l0": centre[t.condition] + 0.01 * t.seed}}) for t in given.trainings)
        return given.model_copy(update={"trainings": tuple(moved)})

    sweep = manifest(TWO)  # conditions that ask for 4 and 16
    l0 = MetricSpec(label="L0", primary=True, read="-", better="target", target=8.0)
    chosen = sweep.model_copy(update={"metrics": {"l0": l0}})
    near, own, first = records(TWO)[2], records(TWO)[3], records(TWO)[1]
    arms = {"confirm.best": (4, 16), "confirm.baseline": (8, 8)}
    fresh = (at(r, *arms[r.run]) for r in confirmation(conditions=TWO, seeds=(1, 2, 3, 4, 5)))
    facts = Facts((at(first, 7, 9), at(near, 4, 16), at(own, 8, 8), *fresh), chosen, "mini")

    assert facts.record("best").name == facts.described.name == near.name
    assert facts.direction("l0") == "target of each condition"
    assert (facts.confirmation.ours.mean, facts.confirmation.baseline.mean) == pytest.approx((0.03, 6.0))
    assert facts.confirmation.verdict == "improvement"


def test_without_differences_nothing_is_concluded():
    one, two = confirmation()
    same = two.model_copy(update={"trainings": one.trainings})
    found = Facts((*records(), one, same), manifest(), "mini").confirmation

    assert found.verdict == "inconclusive" and found.p == 1.0 and found.gap.ci == (0.0, 0.0)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (NONE, "no confirmation was made"),
        (FAILED, "failed on the fresh seeds"),
        (fixture(arms=confirmation()[:1]).facts, "not finished"),
        (fixture(arms=confirmation(seeds=(101, 102, 103, 104))).facts, "too few fresh seeds"),
    ],
)
def test_without_a_result_the_sentences_say_so_and_no_number_is_given(facts, says):
    assert says in text("confirmation()", facts) and "exploratory" in text("confirmation()", facts)
    assert "improve" not in text("confirmed_verdict()", facts)
    assert all(isinstance(evaluate(source, facts), Problem) for source in NEED_A_RESULT)
    assert facts.confirmed is None and "confirmation" not in tables.names(facts)
    with pytest.raises(FactError, match=says):
        _ = facts.confirmation


def test_a_seed_that_one_arm_lacks_counts_for_neither():
    one, two = confirmation(seeds=(101, 102, 103, 104, 105, 106))
    lost = two.trainings[0].model_copy(update={"outcome": "failed", "metrics": {}})
    facts = fixture(arms=(one, two.model_copy(update={"trainings": (lost, *two.trainings[1:])}))).facts

    assert facts.confirmation.baseline.seeds == (102, 103, 104, 105, 106)
    assert "on five of six fresh seeds" in text("confirmation()", facts)


def test_a_fresh_world_is_told_only_where_the_data_differs():
    known = tuple(r.model_copy(update={"hashes": records()[0].hashes}) for r in confirmation())
    mixed = (known[0], confirmation()[1])

    assert "fresh seeds and in a fresh world," in text("confirmation()")
    assert "five fresh seeds, Nested" in text("confirmation()", fixture(arms=known).facts)
    assert "different data" in text("confirmation()", fixture(arms=mixed).facts)


def spread(arms, digests):
    """The arms in several worlds, with these digests."""
    named = {f"data/{f'world-{n}/' if n > 1 else ''}train.npy": d for n, d in enumerate(digests, start=1)}
    return tuple(r.model_copy(update={"hashes": {"code/experiment.py": "0", **named}}) for r in arms)


@pytest.mark.parametrize(
    ("digests", "says"),
    [
        ("xyz", "on five fresh seeds in three fresh worlds, Nested"),
        ("xyx", "on five fresh seeds, Nested"),  # two of them are one
    ],
)
def test_worlds_are_counted_where_each_is_fresh(digests, says):
    facts = fixture(arms=spread(confirmation(), list(digests))).facts

    assert says in text("confirmation()", facts)


def test_a_world_that_was_explored_is_not_counted_as_fresh():
    explored = records()[0].hashes["data/train.npy"]
    facts = fixture(arms=spread(confirmation(), ["x", explored, "z"])).facts

    assert "on five fresh seeds, Nested" in text("confirmation()", facts)


def test_the_table_names_the_world_of_each_seed():
    found = fixture(arms=spread(confirmation(), "xyz")).facts.confirmation

    assert "World" in tables.confirmation(found) and "102&2&" in tables.confirmation(found)
    assert "World" not in tables.confirmation(FOUND)


def test_the_number_of_runs_tried_stands_beside_the_best():
    one = Facts((*records()[:2], records()[3], *confirmation()), manifest(), "mini")

    assert "Nested, detached (the best of four runs tried) improves on" in text("confirmation()")
    assert "Nested, detached (the only run tried) improves on" in text("confirmation()", one)


def test_where_no_run_is_ahead_the_sentence_says_why_none_was_confirmed():
    behind = Facts((*records()[:2], raised(records()[4], "f1", -0.05)), manifest(), "mini")

    assert text("confirmation()", behind) == (
        "no confirmation was made, because no run is ahead of TopK; every result is exploratory"
    )
    assert text("confirmed_verdict()", behind) == "no confirmation was made"
    assert text("confirmation()", NONE) == "no confirmation was made in this session; every result is exploratory"


def test_a_self_reported_comparison_says_so():
    assert text("confirmed_diff()", Facts(FIXTURE.facts.records, manifest(measured=False), "mini")).endswith(
        "(self-reported)"
    )


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.00004, "p < 0.0001"),
        (0.0004, "p = 0.0004"),
        (0.0123, "p = 0.012"),
        (0.0496, "p = 0.0496"),
        (0.17, "p = 0.17"),
    ],
)
def test_p_is_never_rounded_across_the_level(p, shown):
    assert p_text(p) == shown


def test_the_sentence_passes_in_every_case_where_results_are_told():
    for facts in (FIXTURE.facts, EVEN, WORSE, NONE, FAILED):
        for section in ("title", "results", "conclusion"):
            head = "# A Question\n\n" if section == "title" else ""
            written = head + "{{ confirmation() }}. On fresh seeds, {{ confirmed_verdict() }}."
            assert codes(facts, section, written) == set()


@pytest.mark.parametrize(
    "text",
    [
        "{{ confirmed_run() }} improves on TopK ({{ confirmed_diff() }}).",
        "The difference is significant ({{ confirmed_p() }}).",
        'The improvement is confirmed, as {{ diff("detached", "topk", "f1") }} shows.',
        "On fresh seeds {{ confirmed_run() }} does not improve on TopK ({{ confirmed_diff() }}).",
    ],
)
def test_what_is_said_of_the_confirmation_in_words_is_told_and_so_judged(text):
    sentence = parse("results", text).sentences[0]

    assert codes(EVEN, "results", text) == set()
    assert kind_of(sentence, spoken(sentence, EVEN), EVEN) == "told"


def test_provenance_names_the_fresh_runs_and_the_table_their_values():
    value = evaluate("confirmed_diff()", FIXTURE.facts)
    given = Appendix(FIXTURE.facts, (("confirmed_diff()", value),), (), FIXTURE.meta, (), (), Counted())
    parts = {p.label: p for p in appendix_parts(given)}

    assert {r.run for r in value.records(FIXTURE.facts)} == {"confirm.best", "confirm.baseline"}
    assert "confirm.best; seeds 101 to 105" in parts["app:provenance"].body
    assert all(str(s) in parts["app:confirmation"].body for s in FOUND.ours.seeds)
    assert "Repeats run 2 on fresh seeds" in parts["app:runs"].body


def test_the_sentence_points_to_the_appendix_but_not_from_the_abstract():
    tex = render(FIXTURE.sections, FIXTURE.facts, (), FIXTURE.library, FIXTURE.meta).tex
    abstract, body = tex.split(r"\end{paperabstract}")

    assert "{On five fresh seeds" in abstract and "{On five fresh seeds" in body

    assert "the improvement is confirmed" in abstract and "app:confirmation" not in abstract
    assert r"\hyperref[app:confirmation]" in body and r"\label{app:confirmation}" in body


def test_a_paper_without_a_confirmation_has_no_such_appendix_and_says_why():
    tex = render(FIXTURE.sections, NONE, (), FIXTURE.library, FIXTURE.meta).tex

    assert "app:confirmation" not in tex and "No confirmation was made in this session" in tex


def test_the_writer_is_told_how_the_confirmation_came_out():
    assert "the result is inconclusive" in vocabulary(EVEN) and "no confirmation was made" in vocabulary(NONE)


def with_primary(name, **spec):
    """The manifest with another primary metric."""
    metrics = {k: v.model_copy(update={"primary": False}) for k, v in manifest().metrics.items() if k != name}
    label = manifest().metrics[name].label
    return manifest().model_copy(
        update={"metrics": metrics | {name: MetricSpec(label=label, primary=True, read="-", **spec)}}
    )


def raised(given, metric, by):
    """A record with a metric moved by about the same amount for every seed."""
    moved = tuple(
        t.model_copy(update={"metrics": t.metrics | {metric: t.metrics[metric] + by + 0.001 * (t.seed % 3)}})
        for t in given.trainings
    )
    return given.model_copy(update={"trainings": moved})


def test_the_arms_stay_out_of_the_exploration():
    other = record("confirm.best", "nested", "Nested", "confirmation", {"f1": 0.1, "l0": 8.0}, seeds=(1, 2, 3, 4, 5))

    assert text('rank("nested", "f1")', fixture(arms=(other,)).facts) == text('rank("nested", "f1")', NONE)
