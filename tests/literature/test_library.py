"""The library: found by meaning, cited by key, printed without our own fields."""

import pytest

from agent.core.errors import UserError
from agent.literature import bibtex
from agent.literature.library import Library, load_library, parse_bibtex, references_bib
from tests.support.paper_fixture import library

LIBRARY = library()


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("nested dictionaries matryoshka", "bussmann2025matryoshka"),
        ("dead latents auxiliary loss", "gao2024scaling"),
        ("absorption of general features", "chanin2024absorption"),
        ("synthetic ground truth", "chanin2026synthsaebench"),
        ("Bricken", "bricken2023monosemanticity"),
    ],
)
def test_the_nearest_entry_comes_first(query, key):
    assert LIBRARY.search(query, 3)[0].key == key


def test_a_query_without_any_known_word_finds_nothing():
    assert LIBRARY.search("qwertz", 5) == ()


def test_the_printed_bibliography_holds_no_field_of_ours():
    printed = references_bib(LIBRARY.entries(["gao2024scaling", "nobody2020"]))

    assert "gao2024scaling" in printed and "summary" not in printed and "source" not in printed
    assert parse_bibtex(printed)[0].title == LIBRARY.entries(["gao2024scaling"])[0].title


def test_specials_of_a_foreign_entry_cannot_break_the_compile():
    entry = parse_bibtex("@article{x, title={Costs & 50% of a_b \\input{secret}}, author={A B}, year={2020}}")[0]
    printed = references_bib([entry])

    assert r"\&" in printed and r"\%" in printed and r"a\_b" in printed and r"\input" not in printed


def test_an_entry_that_exists_is_never_replaced():
    entry = parse_bibtex("@misc{gao2024scaling, title={Other}, year={1999}}")

    assert LIBRARY.adding(entry).entries(["gao2024scaling"])[0].year == "2024"


def test_the_shipped_library_loads_and_every_entry_has_a_summary_and_a_source():
    shipped = load_library()

    assert all(e.title and e.year and e.summary and e.fields.get("source") for e in shipped.entries(shipped.keys))


def test_a_key_that_stands_twice_is_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.bib").write_text("@misc{same, title={T}, year={2020}}")

    with pytest.raises(UserError, match="'same' occurs twice"):
        load_library(tmp_path)


def test_an_empty_library_finds_nothing():
    assert Library().search("anything") == ()


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        (r"{$\ell_1$} in $\mathcal{O}(n^2)$, $\alpha \geq 0$", r"{$\ell_1$} in $\mathcal{O}(n^2)$, $\alpha \geq 0$"),
        ("A $620 billion code", r"A \$620 billion code"),
        ("From $5 to $10 of $x_1$", r"From \$5 to \$10 of $x_1$"),
        (r"Cost: \$5 & 50% of a_b, #1", r"Cost: \$5 \& 50\% of a\_b, \#1"),
        (r"{\DJ}uc, P{\'a}l and Erd{\H o}s", r"{\DJ}uc, P{\'a}l and Erd{\H o}s"),
        (r"\emph{Not} \url{https://x.org/~a_b%20}", r"\emph{Not} \url{https://x.org/~a_b%20}"),
        ("An {open brace", "An open brace"),
    ],
)
def test_the_tex_of_an_entry_stays_as_it_is(written, printed):
    assert bibtex.value("title", written) == printed


def test_an_address_with_letters_of_its_own_becomes_one_that_tex_can_break():
    assert bibtex.value("url", "https://x.org/naïve a?b=1%20") == "https://x.org/na%C3%AFvea?b=1%20"


def test_a_date_gives_the_year():
    entry = parse_bibtex("@misc{doe, title={T}, author={Doe, Jane}, date={2020-04-06}}")[0]

    assert entry.year == "2020" and "year = {2020}" in references_bib([entry])


def test_a_command_that_is_no_text_is_named():
    assert bibtex.problems({"title": r"$\ell_1$ \emph{x} \input{secret}"}) == (r"\input in its title",)


def test_every_shipped_entry_is_printed_whole():
    shipped = load_library()

    assert [e.key for e in shipped.entries(shipped.keys) if bibtex.problems(e.fields)] == []
