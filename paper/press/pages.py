"""Checks the pages of a compiled paper (paper.tex and its PDF) for flaws that a reader would see. Pure.

A finding that names a section goes back to the writer once; a writer cannot fix the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from paper.press.compile import Problem
from paper.press.printed import Printed

CONTENT_PAGES = (6, 9)  # of the main text, without references and appendix
FIGURE_LETTERS_PT = 6.0  # as printed
TABLE_LETTERS_PT = 6.0
RASTER_DPI = 150.0  # as printed
FAR = 1  # pages between a float and its first mention
EMPTY, NEARLY_EMPTY = 20, 200  # letters on a page without a picture
_SMALL_LETTERS = 100  # so many small letters of a page may be indices of formulas; more are a table or a paragraph

# How the finding of each code is fixed.
CODES: dict[str, str] = {
    "too-long": "shorten the section, or leave out what another one says",
    "too-short": "nothing to pad: say it only if there is more to report",
    "overfull": "shorten the formula, split it over lines, or rewrite the sentence",
    "unresolved": "refer to what exists",
    "missing-character": "write it in another way; no font has it, and the paper prints its code point",
    "small-letters": "draw the figure as wide as it is printed, with letters of at least 7 pt",
    "small-print": "give the table fewer or narrower columns",
    "coarse-raster": "save the figure as PDF, or with more pixels",
    "empty-page": "let the float stand elsewhere",
    "same-figure": "keep one of them",
    "same-label": "keep one of them",
    "far-float": "mention it where it stands, or place it beside the paragraph that mentions it first",
    "never-mentioned": "mention it in the text, or leave it to the appendix",
    "missing-font": "embed it",
    "bitmap-font": "set pdf.fonttype to 42 in the figure",
}


@dataclass(frozen=True)
class PageFinding:
    """One flaw of the pages. `section`: the section whose text can fix it; "" where no text can."""

    code: str
    page: int  # 0: of the whole paper
    words: str
    section: str = ""

    @property
    def fix(self) -> str:
        return CODES[self.code]

    def __str__(self) -> str:
        where = f"page {self.page}" if self.page else "the paper"
        return f"{self.code}, {where}: {self.words}; {self.fix}"


def examine(tex: str, printed: Printed, problems: Sequence[Problem] = ()) -> tuple[PageFinding, ...]:
    """The flaws of a compiled paper: `tex` is its paper.tex, `printed` its PDF, `problems` those of TeX's log."""
    paper = _Paper(tex, printed)
    found = [
        *_length(paper),
        *_log(problems),
        *_letters(paper),
        *_fonts(printed),
        *_empty(printed),
        *_twice(paper),
        *_floats(paper),
    ]
    return tuple(dict.fromkeys(found))


def content_pages(printed: Printed) -> int:
    """The number of pages of the main text: up to the references, or up to the appendix where nothing is cited."""
    cites = [page for name, page in printed.places.items() if name.startswith("cite.")]
    if not cites:
        starts = [page for name, page in printed.places.items() if name.startswith("appendix.")]
        return min(starts) - 1 if starts else len(printed.pages)
    first = min(cites)
    before = re.split(r"(?i)\breferences\b(?!.*\breferences\b)", printed.pages[first - 1].text, flags=re.DOTALL)[0]
    return first if len("".join(before.split())) > EMPTY else first - 1  # the references begin a page of their own


# ---------------------------------------------------------------- the paper as LaTeX names it

_LABEL = re.compile(r"\\(?:label|begin\{appendixtable\})\{((?:fig|tab|sec|app):[^}]+)\}")


class _Paper:
    """paper.tex and what TeX made of it, side by side."""

    def __init__(self, tex: str, printed: Printed) -> None:
        self.tex, self.printed = tex, printed
        self.labels = _LABEL.findall(tex)
        self.appendix = min((p for n, p in printed.places.items() if n.startswith("appendix.")), default=10**6)

    def floats(self) -> Iterator[tuple[str, str, str]]:
        """Each figure and table as (label, name as printed, name of the PDF's destination), in the order of the
        text."""
        for kind, word in (("fig", "Figure"), ("tab", "Table")):
            name = {"fig": "figure", "tab": "table"}[kind]
            there = sorted(
                (n for n in self.printed.places if re.fullmatch(rf"{name}\.(?:caption\.)?\d+", n)),
                key=lambda n: ("caption" not in n, int(n.rpartition(".")[2])),
            )
            labels = dict.fromkeys(label for label in self.labels if label.startswith(kind))
            for number, (label, place) in enumerate(zip(labels, there, strict=False), start=1):
                yield label, f"{word} {number}", place

    def section_of(self, label: str) -> str:
        """The section in which a figure or table stands; "" before the first one."""
        return self._section_before(rf"\label{{{label}}}")

    def mentioned_in(self, label: str) -> str:
        """The section that mentions a figure or table first."""
        return self._section_before(rf"\hyperref[{label}]")

    def _section_before(self, text: str) -> str:
        before = self.tex.partition(text)[0]
        return (re.findall(r"\\label\{sec:([^}]+)\}", before) or [""])[-1]

    def longest(self, pages: int) -> tuple[str, ...]:
        """The longest sections, one more than the pages that are too many: one section can rarely lose a whole page."""
        parts = re.split(r"\\label\{sec:([^}]+)\}", self.tex.partition(r"\bibliography")[0])
        lengths = {name: len(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
        return tuple(sorted(lengths, key=lengths.__getitem__, reverse=True)[: pages + 1]) or ("",)


# ---------------------------------------------------------------- the checks


def _length(paper: _Paper) -> Iterator[PageFinding]:
    pages = content_pages(paper.printed)
    least, most = CONTENT_PAGES
    if pages > most:
        for section in paper.longest(pages - most):
            yield PageFinding("too-long", 0, f"its text has {pages} pages; at most {most} are allowed", section)
    elif pages < least:
        yield PageFinding("too-short", 0, f"its text has {pages} pages, {least} to {most} are usual")


def _log(problems: Sequence[Problem]) -> Iterator[PageFinding]:
    for problem in problems:
        section = problem.piece.partition(":")[0]
        section = "" if section in ("fig", "tab") else section
        if problem.kind == "overfull":
            yield PageFinding(
                "overfull", 0, f"{problem.text}, line {problem.line} of paper.tex: {problem.source[:80]}", section
            )
        elif problem.kind == "undefined":
            yield PageFinding("unresolved", 0, problem.text, section)
        elif problem.kind == "glyph":
            yield PageFinding("missing-character", 0, problem.text, section)


def _letters(paper: _Paper) -> Iterator[PageFinding]:
    for number, picture in enumerate(paper.printed.pictures, start=1):
        if picture.smallest is not None and picture.smallest < FIGURE_LETTERS_PT:
            yield PageFinding(
                "small-letters",
                picture.page,
                f"the smallest letters of picture {number} are printed at "
                f"{picture.smallest:g} pt, below {FIGURE_LETTERS_PT:g}",
            )
        coarse = [dpi for dpi in picture.dpi if dpi < RASTER_DPI]
        if coarse:
            yield PageFinding(
                "coarse-raster",
                picture.page,
                f"picture {number} is printed at {min(coarse):.0f} dpi, below {RASTER_DPI:g}",
            )
    for page in paper.printed.pages:
        small = {size: n for size, n in page.letters.items() if 0 < size < TABLE_LETTERS_PT}
        if sum(small.values()) > _SMALL_LETTERS and page.number < paper.appendix:
            yield PageFinding(
                "small-print",
                page.number,
                f"{sum(small.values())} letters are set at {min(small):g} pt to {max(small):g} pt",
            )


def _fonts(printed: Printed) -> Iterator[PageFinding]:
    holders = [(p.number, p.fonts) for p in printed.pages] + [(p.page, p.fonts) for p in printed.pictures]
    for page, fonts in holders:
        for name, kind in sorted(fonts.items()):
            if kind == "missing":
                yield PageFinding("missing-font", page, f"the font {name} is not in the file")
            elif kind == "bitmap":
                yield PageFinding("bitmap-font", page, f"the font {name} is of Type 3, which prints badly")


def _empty(printed: Printed) -> Iterator[PageFinding]:
    drawn = {picture.page for picture in printed.pictures}
    for page in printed.pages:
        letters = len("".join(page.text.split()))
        if page.number in drawn or letters >= NEARLY_EMPTY:
            continue
        last = page.number == len(printed.pages)
        if letters < EMPTY or not last:  # the last page ends where the paper ends
            yield PageFinding(
                "empty-page",
                page.number,
                "it is empty" if letters < EMPTY else f"it is nearly empty ({letters} letters)",
            )


def _twice(paper: _Paper) -> Iterator[PageFinding]:
    for digest, number in Counter(p.digest for p in paper.printed.pictures).items():
        if number > 1:
            pages = [p.page for p in paper.printed.pictures if p.digest == digest]
            yield PageFinding("same-figure", pages[-1], f"the same picture stands on page {pages[0]}")
    for label, number in Counter(paper.labels).items():
        if number > 1:
            yield PageFinding("same-label", 0, f"{label} is set {number} times", paper.section_of(label))


def _floats(paper: _Paper) -> Iterator[PageFinding]:
    """Figures and tables of the text that no sentence mentions, or that stand far from their first mention."""
    for label, word, name in paper.floats():
        page = paper.printed.places[name]
        if page >= paper.appendix:
            continue
        mentions = paper.printed.links.get(name, ())
        section = paper.section_of(label)
        if not mentions:
            yield PageFinding("never-mentioned", page, f"the text does not mention {word} ({label})", section)
        elif abs(page - mentions[0]) > FAR:
            first = paper.mentioned_in(label)
            where = f" in the section {first.replace('_', ' ')}" if first else ""
            words = f"{word} ({label}) is first mentioned on page {mentions[0]}{where}"
            yield PageFinding("far-float", page, words, section or first)
