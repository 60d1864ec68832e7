"""The truth checks against a corpus: every invented passage is refused, every honest one passes."""

import tomllib
from functools import cache

import pytest

from paper.press import tables
from paper.truth.checks import check, unverified_numbers
from paper.truth.complaints import CODES
from tests.support import ROOT
from tests.support.paper_fixture import SOURCE, fixture

CORPUS = ROOT / "tests" / "support" / "paper_corpus"
INVENTED = tomllib.loads((CORPUS / "invented.toml").read_text(encoding="utf-8"))["passage"]
LEGITIMATE = tomllib.loads((CORPUS / "legitimate.toml").read_text(encoding="utf-8"))["passages"]
FIGURES = ("metrics", "differences", "curves", "tradeoff")
FIXTURE = fixture()
TABLES = tables.names(FIXTURE.facts)
WHOLE = ("duplicate-label", "comparison-not-first", "untold-run")  # said of a whole paper, not of a passage


def complaints(section, text, **options):
    """What the checks say about a text that stands alone in its section."""
    sections = dict(FIXTURE.sections)
    if section == "title" and not text.startswith("# "):
        text = f"# A Question About Dictionaries\n\n{text}"
    sections[section] = text
    found = check(sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE, **options)
    return [c for c in found if c.section == section and c.code not in WHOLE]


@cache
def said_of(section, text):
    """The same for a passage of the corpus: it is asked about alone, and counted."""
    return tuple(complaints(section, text))


def test_the_corpus_is_large_and_its_kinds_are_distinct(say_at_the_end):
    refused = sum(p["code"] in {c.code for c in said_of(p["section"], p["text"])} for p in INVENTED)
    passed = sum(not said_of(section, text) for section, text in LEGITIMATE)
    say_at_the_end(
        f"corpus: {refused} of {len(INVENTED)} invented claims refused, {passed} of {len(LEGITIMATE)} "
        "legitimate passages passed"
    )
    assert len(INVENTED) >= 60 and len({p["kind"] for p in INVENTED}) == len(INVENTED)
    assert len(LEGITIMATE) >= 60 and len({t for _, t in LEGITIMATE}) == len(LEGITIMATE)


@pytest.mark.parametrize("passage", INVENTED, ids=lambda p: p["kind"])
def test_an_invented_passage_is_refused(passage):
    found = said_of(passage["section"], passage["text"])

    assert passage["code"] in {c.code for c in found}, [str(c) for c in found]


@pytest.mark.parametrize(("section", "text"), LEGITIMATE, ids=[t[:50] for _, t in LEGITIMATE])
def test_an_honest_passage_passes(section, text):
    assert [str(c) for c in said_of(section, text)] == []


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("Does a Larger Step Help a Tiny Dictionary?", set()),
        ("Is It Any Wonder That Tiers Outperform Flat Dictionaries?", {"claim-without-expression"}),
        ("A Larger Step Helps", {"claim-without-expression"}),
    ],
)
def test_a_title_may_ask_but_not_claim(title, codes):
    found = complaints("title", f"# {title}\n\nWe vary the step size.")

    assert {c.code for c in found} == codes


def test_a_complaint_names_line_sentence_literal_and_mend():
    found = complaints(
        "results", "We list the runs.\n\nThe runs are listed in [@tab:main].\nThe score is 0.91 today. We ask why."
    )

    assert [(c.line, c.literal, c.sentence) for c in found if c.code == "typed-number"] == [
        (4, "0.91", "The score is 0.91 today.")
    ]
    assert "expression" in found[0].mend


def test_complaints_come_worst_first():
    text = "The cost was [insert cost].\n\nSee [@fig:nowhere].\n\nThe score is 0.91.\n\nNested wins."
    order = [c.code for c in complaints("results", text)]

    assert order == sorted(order, key=list(CODES).index)
    assert order[0] == "typed-number" and order[-1] == "placeholder"


def test_a_missing_section_is_a_complaint():
    sections = {k: v for k, v in FIXTURE.sections.items() if k != "discussion"}
    found = check(sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE)

    assert [(c.section, c.code) for c in found] == [("discussion", "empty-section")]


def test_a_person_may_overrule_a_number_but_not_raw_markup():
    sentence = "The score is 0.91 today."
    assert {c.code for c in complaints("results", sentence)} == {"typed-number", "claim-without-expression"}
    assert complaints("results", sentence, allow=(sentence,)) == []
    assert complaints("method", "We write \\input{x} here.", allow=("\\input",)) != []


def test_a_figure_may_be_placed_once():
    sections = FIXTURE.sections | {"discussion": FIXTURE.sections["discussion"] + "\n\n![](fig:metrics)\n"}
    found = check(sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE)

    assert [(c.code, c.literal) for c in found] == [("duplicate-label", "fig:metrics")]


def test_the_whole_fixture_paper_passes():
    assert check(FIXTURE.sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE) == ()


def test_numbers_in_notes_are_found_for_marking():
    note = "The first tier fires on 40% of inputs, and F1 is what counts."

    assert unverified_numbers(note, FIXTURE.facts) == ("%", "40%")
