"""A session's searches: recorded before they are read, works keyed once, the library's own first."""

import os

import pytest

from agent.core.errors import InfrastructureError
from agent.core.works import Paper
from agent.literature import cleaning
from agent.literature.searches import RecordedSearches
from tests.support.fake_literature import SHELF


def paper(title: str, key: str = "roe2024sparse") -> Paper:
    return Paper(key=key, title=title, authors=("Bob Roe",), year=2024, source="openalex")


class Scripted:
    """A finder with an answer for each query."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def find(self, query):
        self.asked.append(query)
        return tuple(self.answers[query]), "openalex"


def searches(folder, **answers):
    return RecordedSearches(Scripted(**answers), folder, lambda: SHELF)


def test_a_repeated_step_reads_its_record_and_asks_nobody(tmp_path):
    first = searches(tmp_path, one=[paper("A Sparse Work")]).search("novelty.round-1", ["one"])
    again = searches(tmp_path)
    assert again.search("novelty.round-1", ["one"]) == first and again.finder.asked == []
    assert set(again.found()) == {"roe2024sparse"}


def test_two_works_never_share_a_key_and_one_work_keeps_its_own(tmp_path):
    made = searches(tmp_path, one=[paper("Sparse A"), paper("Sparse B")], two=[paper("Sparse C"), paper("sparse b!")])
    assert [p.key for p in made.search("s1", ["one"]).papers] == ["roe2024sparse", "roe2024sparseb"]
    later = made.search("s2", ["two"]).papers
    assert [p.key for p in later] == ["roe2024sparsec", "roe2024sparseb"]


def test_a_work_of_the_library_is_cited_under_the_librarys_key(tmp_path):
    found = (
        searches(
            tmp_path, one=[paper("EMERGENCE of sparse receptive fields"), paper("Another", "olshausen1996emergence")]
        )
        .search("s", ["one"])
        .papers
    )
    assert [p.key for p in found] == ["olshausen1996emergence", "olshausen1996emergenceb"]
    assert found[0].source == "library"


def test_a_record_that_is_no_file_is_one_line_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "s.json")
    for read in (lambda: searches(tmp_path, one=[]).search("s", ["one"]), searches(tmp_path).found):
        with pytest.raises(InfrastructureError, match="not a plain file"):
            read()


def test_a_record_that_was_changed_by_hand_is_one_line(tmp_path):
    (tmp_path / "s.json").write_text('{"queries": [], "sources": [], "papers": [{"key": "x y"}]}')
    with pytest.raises(InfrastructureError, match="the record was changed by hand"):
        searches(tmp_path).search("s", ["one"])


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("\\textbf{Bold} $k$-sparse ^^41", "textbfBold k-sparse 41"),
        ("α-SAE – “deep”", "alpha-SAE - 'deep'"),
        ("Ünïcödé Straße", "Ünïcödé Strasse"),
        ("<i>Italic</i> <b>x", "Italic x"),
        ("a\x00b\u202ec\u2028d", "a b c d"),
        ("本", ""),
        (None, ""),
        ("a < b > c", "a b c"),
        ("x" * 900, "x" * 300),
    ],
)
def test_what_reaches_the_bibliography_is_letters_that_tex_prints(said, printed):
    assert cleaning.printable(said, cleaning.TITLE) == printed


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Lovelace, Ada", "Lovelace Ada"),
        ("Ada and Bob", "Ada Bob"),
        ("{\\relax}", "relax"),
        ("  ", ""),
        ("42", ""),
        ("李 明", ""),
    ],
)
def test_an_author_is_one_name_for_bibtex(name, cleaned):
    assert cleaning.person(name) == cleaned
