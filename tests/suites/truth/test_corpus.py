"""The passages of the truth suite are well formed, and whatever they name exists in the session that they speak of."""

import ast
import re

import pytest

from agent.core.writing import WRITING_ORDER
from agent.literature.library import shipped_library
from paper.evidence.expressions import FUNCTIONS, Problem, evaluate
from tests.suites.truth.corpus import HONEST, LIES
from tests.suites.truth.facts import CODE, CONFIRMED, DIAGNOSTICS, FIGURES, MEASURED, RUNS, facts

CORPORA = pytest.mark.parametrize("corpus", [LIES, HONEST], ids=["lies", "honest"])
EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
TABLES = {"main", "metrics", "runs", "settings", "diagnostics", "provenance", "confirmation"}
# What each argument of a clause form names, by position.
CLAUSES = {
    "versus": ("run", "run", "metrics"),
    "reaches": ("run", "metrics"),
    "effect": ("run", "metrics"),
    "ranking": ("metrics",),
    "position": ("run", "metrics"),
    "ahead_of": ("run", "metrics"),
    "tradeoff": ("run", "run", "metrics", "metrics"),
    "factorial": ("run", "run", "run", "run", "metrics"),
    "spread": ("run", "metrics"),
    "failure": ("failed",),
    "reported": ("run", "diagnostic"),
    "setting": ("setting",),
    "budget": (),
    "cost": ("run", "run"),
    "guarded": (),
}


def expressions(text):
    return EXPRESSION.findall(text)


@CORPORA
def test_there_are_at_least_eighty_passages_of_at_least_fifteen_kinds(corpus):
    assert len(corpus) >= 80
    assert len({passage.kind for passage in corpus}) >= 15


def test_no_passage_stands_twice_and_each_has_an_id_of_its_own():
    both = LIES + HONEST
    assert len({passage.id for passage in both}) == len(both)
    assert len({" ".join(passage.text.lower().split()) for passage in both}) == len(both)


@CORPORA
def test_every_passage_belongs_to_a_section_and_most_sections_have_some(corpus):
    assert {passage.section for passage in corpus} <= set(WRITING_ORDER)
    assert len({passage.section for passage in corpus}) >= 8


def test_each_lie_says_what_it_contradicts_and_no_honest_passage_does():
    assert [p.id for p in LIES if not p.why] == [p.id for p in HONEST if p.why] == []


@CORPORA
def test_about_half_of_the_passages_hold_expressions_and_a_third_of_these_a_clause_form(corpus):
    calls = [{e.partition("(")[0] for e in expressions(p.text)} for p in corpus]
    holding = [names for names in calls if names]
    assert 0.4 < len(holding) / len(corpus) < 0.65
    assert 0.25 < sum(bool(names & set(CLAUSES)) for names in holding) / len(holding) < 0.5


@CORPORA
def test_every_expression_that_is_known_has_a_value(corpus):
    found = [(p.id, e, evaluate(e, facts())) for p in corpus for e in expressions(p.text)]
    known = [(where, e, value) for where, e, value in found if e.partition("(")[0] in FUNCTIONS]
    assert known
    assert [(where, e, value) for where, e, value in known if isinstance(value, Problem)] == []


@CORPORA
def test_every_other_expression_is_a_clause_form_over_names_that_exist(corpus):
    others = {e for p in corpus for e in expressions(p.text) if e.partition("(")[0] not in FUNCTIONS}
    assert {e: wrong for e in others if (wrong := unknown_names(e))} == {}


def unknown_names(source):
    """The arguments of a clause form that name nothing in the session, and the form itself if there is none such."""
    call = ast.parse(source, mode="eval").body
    if call.func.id not in CLAUSES or len(call.args) != len(CLAUSES[call.func.id]):
        return [source]
    manifest = facts().manifest
    names = {
        "run": {*MEASURED, "ours"},
        "failed": {name for name, *_ in RUNS} - set(MEASURED),
        "metrics": set(manifest.metrics),
        "diagnostic": {key for keys in DIAGNOSTICS.values() for key in keys},
        "setting": {*facts().explored[0].settings, *facts().explored[0].conditions[0].settings},
    }
    wrong = [keyword.arg for keyword in call.keywords if keyword.arg not in ("subject", "form")]
    for kind, argument in zip(CLAUSES[call.func.id], map(ast.literal_eval, call.args), strict=True):
        wrong += [name for name in ([argument] if isinstance(argument, str) else argument) if name not in names[kind]]
    return wrong


@CORPORA
def test_conditional_text_has_two_branches_and_one_level(corpus):
    for passage in (p for p in corpus if "{%" in p.text):
        assert re.fullmatch(r"\{% if ahead\(.*?\) %\}[^%]+\{% else %\}[^%]+\{% endif %\}", passage.text), passage.id


@CORPORA
def test_citations_are_of_the_shipped_library_and_references_of_what_the_paper_has(corpus):
    library = shipped_library()
    for passage in corpus:
        for target in re.findall(r"@([\w:-]+)", passage.text):
            kind, _, name = target.rpartition(":")
            places = {"fig": set(FIGURES), "tab": TABLES, "sec": set(WRITING_ORDER)}
            assert name in places[kind] if kind else name in library, (passage.id, target)


def test_the_session_is_as_the_passages_have_it():
    told = facts()

    assert told.described.name == told.record("best").name == "annealed_batchtopk"
    assert told.record("baseline").name == "topk"
    assert told.confirmation.verdict == "improvement" and set(CONFIRMED) == {"topk", "annealed_batchtopk"}
    assert [r.name for r in told.explored if r.status == "failed"] == ["gated_tiers"]
    behind = told.difference("ours", "topk", "explained_variance")
    assert behind.distinct and behind.value < 0
    assert not told.difference("ours", "annealed_topk", "mcc").distinct
    loss = told.difference("orthogonal", "annealed_batchtopk", "f1")
    assert loss.distinct and loss.value < 0


def test_the_described_code_is_whole_and_writes_the_diagnostics_that_its_run_reports():
    compile(CODE, "experiment.py", "exec")
    assert "tier_sizes(d_sae)" not in CODE  # the recorded session's first edit fails on it
    assert all(f'"{key}"' in CODE for key in DIAGNOSTICS["annealed_batchtopk"])
