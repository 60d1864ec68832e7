"""The checks of form: typed numbers, unknown names, expressions beside other names, and what may not stand at all."""

import tomllib
from functools import cache

import pytest

from agent.core.writing import Refusal
from paper.press import tables
from paper.reading.branches import parsed_paper
from paper.reading.spoken import printed as read
from paper.text.parser import parse
from paper.truth.checks import check, unverified_numbers
from paper.truth.complaints import CODES
from paper.truth.told import Verdicts, passages
from tests.support import ROOT
from tests.support.paper_fixture import SOURCE, fixture

CORPUS = ROOT / "tests" / "support" / "paper_corpus"
INVENTED = tomllib.loads((CORPUS / "invented.toml").read_text(encoding="utf-8"))["passage"]
FIGURES = ("metrics", "differences", "curves", "tradeoff")
FIXTURE = fixture()
TABLES = tables.names(FIXTURE.facts)
WHOLE = (
    "duplicate-label",
    "comparison-not-first",
    "guards-not-shown",
    "untold-run",
)  # said of a whole paper, not of a passage


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
    say_at_the_end(f"corpus: {refused} of {len(INVENTED)} passages that no form carries refused")
    assert len(INVENTED) >= 60 and len({p["kind"] for p in INVENTED}) == len(INVENTED)


@pytest.mark.parametrize("passage", INVENTED, ids=lambda p: p["kind"])
def test_an_invented_passage_is_refused(passage):
    found = said_of(passage["section"], passage["text"])

    assert passage["code"] in {c.code for c in found}, [str(c) for c in found]


@pytest.mark.parametrize(
    "text",
    [
        "Nested is better than TopK.",
        "Our method outperforms all others.",
        "We find that Nested is as good as the baseline.",
        "Nearly every latent of Nested has a feature of its own.",
        "TopK has the lowest share of dead latents.",
        "Nested reaches the highest F1.",
        "Nested is the fastest.",
        "Nested has the largest value of all runs.",
    ],
)
def test_a_comparison_of_runs_in_words_alone_is_refused(text):
    assert {c.code for c in complaints("results", text)} == {"claim-without-form"}


@pytest.mark.parametrize(
    "text",
    [
        "Is Nested better than TopK?",
        "TopK keeps the largest latents of each row.",
        "In Nested the smallest tier is trained with the fewest latents.",
        "We ask whether Nested is better than TopK.",
        "If Nested were better than TopK, more tiers might help.",
        "Larger dictionaries are better than small ones [@gao2024scaling].",
        "TopK is trained first.",
    ],
)
def test_questions_hopes_and_the_work_of_others_are_no_comparisons_of_ours(text):
    assert complaints("introduction", text) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('A clear win: {{ versus("nested", "topk", "f1") }}, which is no surprise.', "no"),
        ('{{ versus("nested", "topk", "f1") }}, because the tiers separate.', "because"),
        ('In most cases {{ versus("nested", "topk", "f1") }}.', "most"),
        ('{{ effect("nested", "f1") }}, a significant step.', "significant"),
    ],
)
def test_words_that_say_more_than_the_clause_beside_them_are_refused(text, word):
    assert [(c.code, c.literal) for c in complaints("results", text)] == [("claim-beside-form", word)]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('F1 of Nested is {{ value("nested", "f1") }}.', "F1 of Nested is 0.7691."),
        ('It comes to {{ value("nested", "f1") }}.', "It comes to 0.7691 (F1, Nested)."),
        ('The score of Nested is {{ value("nested", "f1") }}.', "The score of Nested is 0.7691 (F1)."),
        ('F1 is {{ value("nested", "f1") }}, MCC {{ value("topk", "mcc") }}.', None),
        ('{{ name("nested") }} and TopK reach {{ value("nested", "f1") }} and {{ value("topk", "f1") }} in F1.', None),
    ],
)
def test_a_number_prints_what_it_measures_unless_its_clause_says_so(text, printed):
    sentence = parse("results", text).sentences[0]
    found = read(sentence, FIXTURE.facts)
    if printed is not None:
        assert found == printed
    assert [c.code for c in complaints("results", text)] == []


def test_the_branch_that_the_records_choose_is_the_one_that_is_checked():
    text = (
        'We ask. {% if ahead("nested", "topk", "f1") %}The tiers are kept.{% else %}F1 is 0.3 here.{% endif %} '
        '{% if not ahead("nested", "topk", "f1") %}F1 is 0.3 here.{% endif %}'
    )
    assert complaints("discussion", text) == []
    assert {c.literal for c in complaints("discussion", text.replace("nested", "standard"))} >= {"0.3"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('We ask {% if ahead("nested", "topk", "f1") %}why.{% endif %}', "after a whole sentence"),
        ('We ask. {% if ahead("nested", "topk", "f1") %}why{% endif %}', "whole sentences"),
        ('We ask. {% if wins("nested") %}Why.{% endif %}', "not known"),
        (
            'We ask. {% if measured("topk") %}A. {% if measured("topk") %}B.{% endif %}{% endif %}',
            "one level",
        ),
        ('We ask. {% if measured("topk") %}Why.', "left-over markup"),
    ],
)
def test_a_choice_holds_whole_sentences_on_one_level(text, why):
    found = complaints("discussion", text)
    assert "forbidden-markdown" in {c.code for c in found} and any(why in c.text for c in found)


def test_a_complaint_names_line_sentence_literal_and_mend():
    found = complaints(
        "results", "We list the runs.\n\nThe runs are listed in [@tab:main].\nThe score is 0.91 today. We ask why."
    )

    assert [(c.line, c.literal, c.sentence) for c in found if c.code == "typed-number"] == [
        (4, "0.91", "The score is 0.91 today.")
    ]
    assert "expression" in found[0].fix


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
    assert {c.code for c in complaints("results", sentence)} == {"typed-number"}
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


def test_a_displayed_formula_is_told_and_may_be_refused_as_a_sentence_may():
    sections = dict(FIXTURE.sections) | {"method": "The loss adds a penalty.\n\n$$L = x + y$$\n\nIt is minimised."}
    told = [t for p in passages(parsed_paper(sections, FIXTURE.facts), FIXTURE.facts) for t in p.sentences]
    [formula] = [t for t in told if t.section == "method" and "$" in t.text]
    assert (formula.kind, formula.source) == ("told", "$$L = x + y$$")

    why = Refusal(
        name=formula.name, section="method", sentence=formula.source, kind="contradiction", why="no such term"
    )
    verdicts = Verdicts(frozenset({formula.name}), (why,))
    found = check(sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=SOURCE, verdicts=verdicts)
    assert [(c.code, c.key) for c in found if c.section == "method"] == [("told-refused", formula.key)]
