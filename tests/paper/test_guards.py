"""Guards: whoever is ahead in the primary metric by giving up another one is told so everywhere, and never improves."""

import pytest

from agent.core.metrics import Guard
from paper.evidence.expressions import Problem, evaluate
from paper.evidence.facts import FactError, Facts
from paper.press.appendix import Appendix, appendix_parts
from paper.press.counted import Counted
from paper.press.metric_tables import main_caption
from tests.support.paper_fixture import ONE, TWO, confirmation, fixture, manifest, record, records

GUARDS = (
    Guard(metric="mcc", fall=0.05),
    Guard(metric="uniqueness", fall=0.1),
    Guard(metric="explained_variance", share=0.06),
    Guard(metric="dead", fall=0.02),
    Guard(metric="l0", fall=1.0),
)
EIGHT_COPIED = {"f1": 0.728, "mcc": 0.30, "uniqueness": 0.05, "explained_variance": 0.04, "dead": 0.0, "l0": 8.0}
TOPK = {"f1": 0.58, "mcc": 0.702, "uniqueness": 0.93, "explained_variance": 0.803, "dead": 0.012, "l0": 8.0}
CLAIMS = (
    "confirmation()",
    "confirmed()",
    "confirmed_verdict()",
    "guarded()",
    'versus("eight", "topk", "f1")',
    'improves("eight", "topk", "f1")',
)


def arm(name, centre, conditions=ONE):
    label = {"best": "Eight", "baseline": "TopK"}[name]
    seeds = tuple(range(101, 106))
    return record(f"confirm.{name}", label.lower(), label, "confirmation", centre, conditions=conditions, seeds=seeds)


def session(ours, theirs=TOPK, conditions=ONE, guards=GUARDS):
    """Two explored runs with these metrics, and the same two as arms of the confirmation."""
    runs = (
        record("0", "topk", "TopK", "baseline", theirs, conditions=conditions),
        record("1", "eight", "Eight", "experiment", ours, conditions=conditions),
        arm("baseline", theirs, conditions),
        arm("best", ours, conditions),
    )
    return Facts(runs, manifest(conditions).model_copy(update={"guards": guards}), "mini")


def text(source, facts):
    found = evaluate(source, facts)
    assert not isinstance(found, Problem), found
    return found.text


def test_eight_latents_copied_over_the_dictionary_are_no_improvement_anywhere():
    facts = session(EIGHT_COPIED)
    given = Appendix(facts, (), (), fixture().meta, (), (), Counted())
    part = next(p for p in appendix_parts(given) if p.table == "confirmation")
    said = [*(text(claim, facts) for claim in CLAIMS), part.text, main_caption(facts)]

    assert facts.confirmation.verdict == "price" and facts.confirmation.p < 0.01
    assert all("at the price of" in s and "Uniqueness" in s and "MCC" in s and "Expl. var." in s for s in said)
    assert all("improves" not in s and "improvement is confirmed" not in s.replace("no improvement", "") for s in said)
    assert "Uniqueness (0.05" in said[0].replace("0.049", "0.05") and "so no improvement is confirmed" in said[0]


def test_without_the_collapse_the_same_lead_is_an_improvement():
    facts = session(TOPK | {"f1": 0.728, "explained_variance": 0.775})

    assert facts.confirmation.verdict == "improvement" and not facts.broken_guards("eight", "topk")
    assert "price" not in main_caption(facts)


@pytest.mark.parametrize(
    ("changed", "broken"),
    [({"dead": 0.5}, ["dead"]), ({"l0": 9.5}, ["l0"]), ({"l0": 6.5}, ["l0"]), ({"dead": 0.0, "l0": 8.5}, [])],
)
def test_a_guard_is_held_in_the_direction_of_its_metric(changed, broken):
    assert [g.metric for g in session(TOPK | changed).broken_guards("eight", "topk")] == broken


def test_a_run_that_is_behind_pays_no_price():
    facts = session(EIGHT_COPIED | {"f1": 0.4})

    assert facts.confirmation.verdict == "worse" and "price" not in text("confirmation()", facts) + main_caption(facts)


def test_a_collapse_under_one_condition_is_not_hidden_by_the_others():
    facts = session(TOPK | {"f1": 0.728}, conditions=TWO, guards=(Guard(metric="mcc", fall=0.05),))
    one = facts.record("eight")
    dense = tuple(
        t.model_copy(update={"metrics": t.metrics | {"mcc": 0.59 if t.condition == "dense" else 0.75}})
        for t in one.trainings
    )
    facts = Facts((facts.records[0], one.model_copy(update={"trainings": dense})), facts.manifest, "mini")
    [found] = facts.broken_guards("eight", "topk")

    assert (found.metric, found.condition) == ("mcc", "dense") and found.fall > found.allowed == 0.05
    assert facts.broken_guards("eight", "topk", "dense") == (found,)
    assert facts.broken_guards("eight", "topk", "sparse") == ()


def test_a_template_without_guards_breaks_none_and_a_failed_run_has_none_to_break():
    facts = Facts((*records(), *confirmation()), manifest(), "mini")

    assert facts.confirmation.verdict == "improvement" and facts.broken_guards("nested", "topk") == ()
    with pytest.raises(FactError, match="has no result"):
        facts.broken_guards("gated", "topk")


@pytest.mark.parametrize(("mcc", "words"), [(0.675, "which its guard allows"), (0.60, "at the price of MCC")])
def test_a_loss_within_its_guard_is_told_as_allowed_and_not_as_a_price(mcc, words):
    found = evaluate('tradeoff("eight", "topk", "f1", "mcc")', session(TOPK | {"f1": 0.728, "mcc": mcc}))

    assert words in found.text and "Eight is ahead of TopK in F1" in found.text
