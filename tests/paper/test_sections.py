"""Markdown by an allow-list: what passes becomes a tree, what does not is named with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper.press import latex
from paper.press.tables import names
from paper.text import characters, mathcheck
from paper.text.nodes import Citation, Equation, Expression, Forbidden, Heading, Math, Placement, Reference
from paper.text.parser import parse
from paper.truth.checks import check
from tests.support.paper_fixture import fixture


def nodes(text, kind):
    return [n for s in parse("results", text).sentences for n in s.walk() if isinstance(n, kind)]


def test_a_sentence_knows_its_line_and_ends_where_it_ends():
    section = parse("results", "First, e.g. this.\nSecond by Smith et al. here!\n\nA third (i.e. this\none) ends.")

    assert [(s.line, s.source) for s in section.sentences] == [
        (1, "First, e.g. this."),
        (2, "Second by Smith et al. here!"),
        (4, "A third (i.e. this one) ends."),
    ]


def test_a_sentence_may_begin_with_a_term_whose_first_letter_is_a_formula_s():
    section = parse("results", "It does so over a batch. p-annealing moves it, e.g. slowly. k-sparse codes do not.")

    assert [s.source for s in section.sentences] == [
        "It does so over a batch.",
        "p-annealing moves it, e.g. slowly.",
        "k-sparse codes do not.",
    ]


def test_expressions_citations_references_and_math_are_nodes():
    text = 'It is {{ mean("a_b", "f_1") }} in [@fig:x], see [@key1; @key2], $x_1$.'

    assert nodes(text, Expression) == [Expression('mean("a_b", "f_1")')]
    assert nodes(text, Citation) == [Citation(("key1", "key2"))]
    assert nodes(text, Reference) == [Reference("fig", "x")]
    assert nodes(text, Math) == [Math("x_1")]


def test_blocks_are_headings_equations_lists_and_placements():
    section = parse("method", "# Method\n\n## Part\n\nText.\n\n$$\na = b\n$$\n\n- one\n- two\n\n![](fig:metrics)\n")

    assert [type(b) for b in section.blocks if isinstance(b, (Heading, Equation, Placement))] == [
        Heading,
        Equation,
        Placement,
    ]
    assert [s.source for s in section.sentences] == ["Text.", "one", "two"]


def test_title_and_abstract_are_one_file():
    section = parse("title", "# A Title\n\nThe abstract.")

    assert section.title.source == "A Title" and [s.source for s in section.sentences] == ["The abstract."]


@pytest.mark.parametrize(
    "text",
    [
        "A <b>bold</b> word.",
        "<div>x</div>",
        "[a](http://x.org)",
        "<http://x.org>",
        "> quoted",
        "```\ncode\n```",
        "---",
        "Text ![](fig:x) inside.",
        "![](plot.png)",
        "![](sec:results)",
        "![](SEC:results)",
        "Write \\emph{x}.",
        "An open {{ mean( here.",
        "Costs $5 only.",
        "[@]",
        "zero\u200bwidth",
        "right-to-left \u202e text",
        "private \ue000 sign",
        "a [@key with no end",
        "    indented = 1",
    ],
)
def test_what_is_not_allowed_is_refused(text):
    section = parse("results", text)

    assert section.refused or any(isinstance(n, Forbidden) for s in section.sentences for n in s.walk())


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_no_text_makes_the_parser_or_the_writer_fail(text):
    section = parse("results", text)

    assert all(latex.escape(s.source).isprintable() for s in section.sentences)


@given(st.text(max_size=80))
def test_escaped_text_holds_no_live_command(text):
    out = latex.escape(text)
    for safe in sorted({*characters.SPECIAL.values()}, key=len, reverse=True):
        out = out.replace(safe, "")

    assert not set("#$%^_&") & set(out.replace(r"\ensuremath", "")) - set()


@pytest.mark.parametrize(
    "formula",
    [
        r"\mathcal{L} = \sum_{t=1}^{T} w_t \lVert x - \hat{x}_t \rVert_2^2",
        r"\frac{1}{n} \left( a + b \right)",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"z = \operatorname{TopK}(W x)",
        r"\mathbb{E}_{x \sim p}[f(x)]",
    ],
)
def test_common_math_passes(formula):
    assert mathcheck.problems(formula) == ()


@pytest.mark.parametrize(
    "formula",
    [
        r"\input{/etc/passwd}",
        r"\write18{ls}",
        r"\def\x{1}",
        r"\csname end\endcsname",
        r"\catcode`\%=12",
        r"\immediate x",
        r"\newcommand{\x}{1}",
        r"\loop x \repeat",
        r"\expandafter a",
        r"\openin1=x",
        r"\href{x}{y}",
        r"\includegraphics{x}",
        r"\begin{filecontents}x\end{filecontents}",
        r"x^2^3",
        r"\left( x",
        r"{x",
        r"x}",
        r"a & b",
        r"a % b",
        r"x #1",
        "",
        r"\text{improves by 95 percent}",
        "{" * 9 + "x" + "}" * 9,
        "x" * 700,
        r"\begin",
        r"x_",
        r"\^^5c",
        r"a $ b",
    ],
)
def test_any_other_math_is_refused(formula):
    assert mathcheck.problems(formula)


def test_an_address_in_angle_brackets_is_refused_once_and_as_a_link():
    address = "https://example.org/a%20b/percent_of?x=1"
    sentence = parse("introduction", f"We use <{address}> here.\n").sentences[0]

    assert sentence.source == f"We use {address} here." and "percent" not in sentence.flat
    found = check_parsed_of(f"We use <{address}> here.\n")
    assert [c.code for c in found] == ["forbidden-markdown"]


@pytest.mark.parametrize("symbol", ["x²", "R²", "L₀", "ΔF₁", "‖z‖₂²"])
def test_a_digit_above_or_below_a_symbol_is_no_typed_number(symbol):
    assert check_parsed_of(f"It is known as {symbol} since then.\n") == []


@pytest.mark.parametrize("number", ["by⁹⁵", "a⁹⁵", "₉₅", "x².5", "½"])
def test_a_number_in_small_digits_is_a_typed_number(number):
    assert "typed-number" in [c.code for c in check_parsed_of(f"It rose {number} since then.\n")]


def check_parsed_of(text: str) -> list:
    known = fixture()
    found = check({**known.sections, "introduction": text}, known.facts, [], names(known.facts), known.library)
    return [c for c in found if c.section == "introduction"]
