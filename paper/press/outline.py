"""Reads the template.tex of an AI-Scientist template: its preamble, its bibliography, its headings and their order.

In the body, "INTRO HERE" and the like mark the place of a section. Other text and figures of the body are left out,
because they are not results of this session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.core.errors import UserError
from agent.literature.bibtex import problems
from agent.literature.library import Entry, parse_bibtex

FILE = "template.tex"
PLACES = {
    "INTRO": "introduction",
    "INTRODUCTION": "introduction",
    "RELATED WORK": "related_work",
    "RELATED WORKS": "related_work",
    "BACKGROUND": "background",
    "METHOD": "method",
    "METHODS": "method",
    "EXPERIMENTAL SETUP": "experimental_setup",
    "EXPERIMENTAL SET-UP": "experimental_setup",
    "EXPERIMENTS": "experimental_setup",
    "RESULTS": "results",
    "DISCUSSION": "discussion",
    "CONCLUSION": "conclusion",
    "CONCLUSIONS": "conclusion",
    "TITLE": "title",
    "ABSTRACT": "title",
}
ORIGIN = "the template's own bibliography"
_PLACE = re.compile(rf"\b({'|'.join(sorted(PLACES, key=len, reverse=True))})[ \t]+HERE\b")
_HEADING = re.compile(r"\\section\s*\*?\s*(?:\[[^\]]*\]\s*)?\{((?:[^{}]|\{[^{}]*\})*)\}")
_BEGINS = re.compile(r"^[^%\n]*?(\\begin\{document\})", re.MULTILINE)
_CONTENTS = re.compile(
    r"\\begin\{filecontents(\*?)\}(?:\[[^\]]*\])?\{[^}]*\.bib\}(.*?)\\end\{filecontents\1\}", re.DOTALL
)
_ENTRY = re.compile(r"^[ \t]*@(?!comment|string|preamble)\w+\s*\{\s*([^\s,}]+)", re.IGNORECASE | re.MULTILINE)
_STYLE = re.compile(r"\\bibliographystyle\s*\{\s*([^}\s]+)\s*\}")
_FLOAT = re.compile(r"\\begin\{((?:figure|table|algorithm)\*?)\}.*?\\end\{\1\}", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)%.*")
_COMMAND = re.compile(
    r"\\(?:label|begin|end|bibliography|input|include|vspace|hspace)\s*\*?\s*\{[^}]*\}|"
    r"\\[A-Za-z@]+\*?|\\.|[{}~$&]"
)


@dataclass(frozen=True)
class Outline:
    """What a paper takes from such a file."""

    preamble: str  # without its bibliography; "TITLE HERE" is replaced by the paper's title
    works: tuple[Entry, ...]
    headings: tuple[tuple[str, str], ...]  # section and heading as LaTeX ("" for the usual one), in the file's order
    style: str  # of BibTeX; "" where it names none
    left_out: str  # what else the body has, in words for the person who wrote it


def read_outline(text: str, where: str) -> Outline:
    """Read the text of a template.tex; `where` begins each error message.

    Raises:
        UserError: the file is not of this form.
    """
    begins = _BEGINS.search(text)
    if begins is None:
        raise UserError(f"{where}: {FILE} has no \\begin{{document}}")
    head, body = text[: begins.start(1)], text[begins.end(1) :]
    works = tuple(w for match in _CONTENTS.finditer(text) for w in _works(match[2], where))
    body = _COMMENT.sub("", _CONTENTS.sub("", body))
    places = [m for m in _PLACE.finditer(body) if PLACES[m[1]] != "title"]
    if not places:
        raise UserError(f"{where}: {FILE} has none of the places that a paper fills, such as INTRO HERE or METHOD HERE")
    headings: dict[str, str] = {}
    start = 0
    for place in places:
        above = _HEADING.findall(body[start : place.start()])
        headings.setdefault(PLACES[place[1]], above[-1].strip() if above else "")
        start = place.end()
    style = _STYLE.findall(body) or _STYLE.findall(head)
    preamble = re.sub(r"\bTITLE[ \t]+HERE\b", r"\\csname paper@title\\endcsname{}", _CONTENTS.sub("", head))
    return Outline(
        preamble, tuple(map(_marked, works)), tuple(headings.items()), style[-1] if style else "", _left_out(body)
    )


def _works(text: str, where: str) -> tuple[Entry, ...]:
    """The works of a BibTeX text.

    Raises:
        UserError: an entry cannot be read (the parser itself only skips it), or it has LaTeX that cannot be set.
    """
    works = parse_bibtex(text, f"{where}: {FILE}")
    lost = set(_ENTRY.findall(text)) - {work.key for work in works}
    if lost:
        raise UserError(
            f"{where}: {FILE}: the work {', '.join(sorted(lost))} cannot be read as BibTeX; look for a "
            "comma or brace that is missing"
        )
    for work in works:
        if unknown := problems(work.fields):
            raise UserError(
                f"{where}: {FILE}: the work {work.key} has {', '.join(unknown)}, which a bibliography cannot set here; "
                "write it in letters or in plain LaTeX"
            )
    return works


def _marked(work: Entry) -> Entry:
    """The work with its origin noted, and with its abstract, if it has one, as its summary."""
    summary = work.fields.get("abstract", "") or f"From {ORIGIN}, which has no abstract of it."
    return Entry(work.key, work.kind, {**work.fields, "summary": summary, "source": ORIGIN})


def _left_out(body: str) -> str:
    """The floats and the text of a body that no paper takes over, in words; "" where there are none."""
    text = body.partition(r"\end{document}")[0]
    floats = len(_FLOAT.findall(text))
    text = _PLACE.sub(" ", _HEADING.sub(" ", _STYLE.sub(" ", _FLOAT.sub(" ", text))))
    words = _COMMAND.sub(" ", text).split()
    said = ["a figure or table" if floats == 1 else f"{floats} figures or tables"] if floats else []
    if any(any(c.isalpha() for c in word) for word in words):
        said.append(f'"{" ".join(words)[:80]}"')
    return " and ".join(said)
