"""The form of the library's entries: fields, keys, identifiers, summaries. Not here: the search over them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import bibtexparser
import pytest
from bibtexparser.bparser import BibTexParser

from tests.support import ROOT

FOLDER = ROOT / "agent" / "literature" / "shelf"
FILES = sorted(FOLDER.glob("*.bib"))
PLACE = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}
NEEDED = ("title", "author", "year", "summary", "source")
IDENTIFIERS = ("eprint", "doi", "url")
KNOWN = {
    *NEEDED,
    *PLACE.values(),
    *IDENTIFIERS,
    "archiveprefix",
    "volume",
    "number",
    "pages",
    "note",
    "ID",
    "ENTRYTYPE",
}
KEY = re.compile(r"([a-z]+)((?:19|20)\d\d)[a-z][a-z0-9]*")
ARXIV = re.compile(r"\d\d(0[1-9]|1[0-2])\.\d{4,5}")
DOI = re.compile(r"10\.\d{4,9}/\S+")
CONFIRMED = re.compile(r"arXiv|(reference|author|reading) list|README|CITATION|bibliography|BibTeX", re.I)
BREAKS = re.compile(r"(?<!\\)[&%#_$^~]")

Entry = dict[str, str]


def entries_of(path: Path) -> list[Entry]:
    parser = BibTexParser(common_strings=True, ignore_nonstandard_types=False)
    return bibtexparser.loads(path.read_text(encoding="ascii"), parser).entries


ENTRIES = [entry for path in FILES for entry in entries_of(path)]


def failing(holds: Callable[[Entry], object]) -> list[str]:
    """Keys of the entries for which something does not hold."""
    return [entry["ID"] for entry in ENTRIES if not holds(entry)]


def repeated(values: list[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


def plain(text: str) -> str:
    """Lower-case letters and digits of a LaTeX text."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\\[a-zA-Z]+\s|\\.", "", text).lower())


def unbraced(title: str) -> str:
    """A title without what its braces protect."""
    previous = ""
    while previous != title:
        previous, title = title, re.sub(r"\{[^{}]*\}", "", title)
    return title


def authors(entry: Entry) -> list[str]:
    return [author.strip() for author in entry["author"].replace("\n", " ").split(" and ")]


def test_the_library_holds_at_least_sixty_works():
    assert len(ENTRIES) >= 60


def test_the_parser_loses_no_entry():
    for path in FILES:
        written = re.findall(r"^@", path.read_text(encoding="ascii"), re.MULTILINE)
        assert len(entries_of(path)) == len(written), path.name


@pytest.mark.parametrize("name", ["ID", "title", *IDENTIFIERS])
def test_no_key_title_or_identifier_stands_twice(name):
    assert repeated([plain(entry[name]) for entry in ENTRIES if name in entry]) == []


def test_every_entry_has_what_its_kind_needs():
    assert failing(lambda e: e["ENTRYTYPE"] in PLACE) == []
    assert failing(lambda e: all(e.get(name) for name in (*NEEDED, PLACE[e["ENTRYTYPE"]]))) == []
    assert failing(lambda e: any(e.get(name) for name in IDENTIFIERS)) == []


def test_no_entry_has_a_misspelt_field():
    assert failing(lambda e: set(e) <= KNOWN) == []


def test_a_key_is_the_first_authors_last_name_the_year_and_a_word():
    def holds(entry: Entry) -> bool:
        match = KEY.fullmatch(entry["ID"])
        return match is not None and match.groups() == (plain(authors(entry)[0].split(",")[0]), entry["year"])

    assert failing(holds) == []


def test_identifiers_are_well_formed():
    assert failing(lambda e: "eprint" not in e or ARXIV.fullmatch(e["eprint"])) == []
    assert failing(lambda e: "eprint" not in e or e.get("archiveprefix") == "arXiv") == []
    assert failing(lambda e: "doi" not in e or DOI.fullmatch(e["doi"])) == []
    assert failing(lambda e: "url" not in e or re.fullmatch(r"https?://\S+", e["url"])) == []


def test_a_preprint_is_named_by_its_own_number():
    def holds(entry: Entry) -> bool:
        place = entry.get("howpublished", "")
        return "arXiv" not in place or place == f"arXiv preprint arXiv:{entry.get('eprint')}"

    assert failing(holds) == []


def test_no_work_is_older_than_its_preprint():
    # A year of slack: a number may be given in January for a work of December.
    assert failing(lambda e: "eprint" not in e or int(e["year"]) >= 1999 + int(e["eprint"][:2])) == []


def test_authors_are_written_last_name_first_and_none_stands_twice():
    assert failing(lambda e: all("," in a or a.startswith("{") for a in authors(e) if a != "others")) == []
    assert failing(lambda e: repeated([plain(a) for a in authors(e)]) == []) == []
    assert failing(lambda e: "others" not in authors(e)[:-1]) == []


def test_a_summary_is_two_lines_of_moderate_length():
    assert failing(lambda e: len(e["summary"].splitlines()) == 2) == []
    assert failing(lambda e: all(20 <= len(line) <= 200 for line in e["summary"].splitlines())) == []
    assert failing(lambda e: all(line.endswith(".") for line in e["summary"].splitlines())) == []


def test_a_summary_reports_no_measured_number():
    measured = re.compile(r"\d\s*(\\?%|x\b|times\b)|\d\.\d|\bpercent")
    assert failing(lambda e: not measured.search(e["summary"])) == []


def test_a_source_says_where_the_entry_was_confirmed():
    assert failing(lambda e: len(e["source"]) >= 15 and CONFIRMED.search(e["source"])) == []


def test_braces_keep_the_capitals_of_a_title():
    assert failing(lambda e: not re.search(r"[A-Z]{2,}|[a-z][A-Z]", unbraced(e["title"]))) == []


def test_nothing_in_an_entry_breaks_a_latex_run():
    def holds(entry: Entry) -> bool:
        texts = [text for name, text in entry.items() if name not in (*IDENTIFIERS, "ID", "ENTRYTYPE")]
        return not any(BREAKS.search(text) or text.count("{") != text.count("}") for text in texts)

    assert failing(holds) == []


def test_the_readme_names_every_file():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in FILES if f"`{path.name}`" not in readme] == []


@pytest.mark.parametrize(("title", "rest"), [("{SAE} Latents", " Latents"), ("A {{TopK} {SAE}} b", "A  b")])
def test_unbraced_drops_what_braces_protect(title, rest):
    assert unbraced(title) == rest


def test_plain_reads_through_accents():
    assert plain(r"Kram{\'a}r, J{\'a}nos") == "kramarjanos"
