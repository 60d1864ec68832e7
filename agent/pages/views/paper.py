"""The paper as the page shows it: its sentences by kind, and every number with its origin.

It is made from the same tree as the LaTeX, and the origins are the rows of the paper's provenance appendix.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase
from typing import Literal

from agent.literature.library import Library
from agent.pages.reading import PaperSource
from agent.pages.views.plain import surnames_of, title_of
from paper.evidence.expressions import canonical
from paper.evidence.facts import Facts, record_sha256
from paper.evidence.vocabulary import Result
from paper.press.counted import Counted
from paper.reading.branches import parsed_paper
from paper.reading.spoken import Spoken, spoken
from paper.text.nodes import (
    Block,
    Citation,
    Code,
    Emphasis,
    Equation,
    Expression,
    Forbidden,
    Heading,
    Inline,
    Listing,
    Math,
    Paragraph,
    Placement,
    Reference,
    Sentence,
    Text,
)
from paper.text.sections import SECTIONS
from paper.truth.kinds import kind_of
from paper.truth.told import Verdicts, passages, to_judge

KINDS = {"fig": "Figure", "tab": "Table", "sec": "Section"}
SHOWN = {"tab:main": "runs", "tab:runs": "runs", "tab:confirmation": "confirmation", "tab:provenance": "paper"}
_LABEL = re.compile(
    r"^(?:(\\paperappendix|\\section\{)|\\label\{([^}]+)\}|\\begin\{appendixtable\}\{([^}]+)\})", re.MULTILINE
)


@dataclass(frozen=True)
class Piece:
    """A part of a sentence. `target` is the number of a provenance row, or what a citation or reference names."""

    kind: Literal["text", "em", "strong", "code", "math", "number", "cite", "ref"]
    text: str = ""
    target: str = ""
    children: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Spoke:
    """A sentence; `cut` says why it is not in the paper, "" where it is."""

    kind: str  # "measured", "cited", "told"
    pieces: tuple[Piece, ...]
    cut: str = ""
    judged: bool = True


@dataclass(frozen=True)
class Part:
    """A paragraph, heading, list, equation or float."""

    kind: Literal["paragraph", "heading", "list", "ordered", "equation", "float"]
    sentences: tuple[Spoke, ...] = ()
    items: tuple[tuple[Part, ...], ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Chapter:
    """One section."""

    name: str
    heading: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Origin:
    """The row of the provenance appendix behind a number."""

    number: int
    expression: str
    prints: str
    condition: str
    seeds: str
    records: tuple[tuple[str, str, str, str], ...]  # run, label, first digits of the record's hash, commit


@dataclass(frozen=True)
class PaperView:
    """The whole paper."""

    title: tuple[Piece, ...]
    chapters: tuple[Chapter, ...]
    origins: tuple[Origin, ...]
    kinds: Counted
    judge: str  # the model that judged; "" where none did
    dropped: tuple[tuple[str, str, str], ...]  # section, sentence, why


def paper_view(source: PaperSource, facts: Facts, library: Library) -> PaperView:
    """The paper of a session that has compiled one."""
    return _Reader(source, facts, library).view()


def labels_of(tex: str) -> dict[str, str]:
    """The printed name of each label of paper.tex, such as "Figure 2" for "fig:curves", counted as TeX counts."""
    found, counted, appendix = {}, Counter[str](), False
    for begun, label, table in _LABEL.findall(tex):
        label = label or table
        if begun == r"\paperappendix":
            appendix, counted["sec"] = True, 0
        elif begun:
            counted["sec"] += 1
        elif label.startswith(("fig:", "tab:")):
            counted[label[:3]] += 1
            found[label] = f"{KINDS[label[:3]]} {counted[label[:3]]}"
        elif appendix:
            found[label] = f"Appendix {ascii_uppercase[(counted['sec'] - 1) % 26]}"
        else:
            found.setdefault(label, f"Section {counted['sec']}")
    return found


class _Reader:
    def __init__(self, source: PaperSource, facts: Facts, library: Library) -> None:
        self.source, self.facts, self.library = source, facts, library
        self.rows = {expression: number for number, (expression, _) in enumerate(source.rendered.rows, start=1)}
        self.labels = labels_of(source.rendered.tex)
        self.authors = self._cited()
        self.cut = {d.key: f"{d.code}: {d.text}" for d in source.rendered.dropped}
        self.parsed = parsed_paper(source.sections, facts)
        account = source.account
        verdicts = Verdicts(frozenset(account.judged), account.refusals)
        self.unjudged = {told.key for told in to_judge(passages(self.parsed, facts), verdicts)}

    def view(self) -> PaperView:
        source, account = self.source, self.source.account
        title = self.parsed["title"].title
        usable = title is not None and title.key not in self.cut
        return PaperView(
            title=self._sentence(title).pieces if usable and title else (Piece("text", account.fallback_title),),
            chapters=tuple(self._chapters()),
            origins=tuple(self._origins()),
            kinds=source.rendered.kinds,
            judge=account.judge,
            dropped=tuple((d.section, d.sentence, f"{d.code}: {d.text}") for d in source.rendered.dropped),
        )

    def _chapters(self) -> Iterator[Chapter]:
        for spec in SECTIONS:
            heading = "Abstract" if spec.name == "title" else spec.heading
            yield Chapter(spec.name, heading, tuple(map(self._part, self.parsed[spec.name].blocks)))

    def _part(self, block: Block) -> Part:
        match block:
            case Paragraph(sentences=sentences):
                return Part("paragraph", tuple(map(self._sentence, sentences)))
            case Heading(sentence=sentence):
                return Part("heading", (self._sentence(sentence),))
            case Listing(ordered=ordered, items=items):
                parts = tuple(tuple(map(self._part, item)) for item in items)
                return Part("ordered" if ordered else "list", items=parts)
            case Equation(source=text):
                return Part("equation", text=text)
            case Placement(kind=kind, name=name):
                return Part("float", (Spoke("told", (self._reference(kind, name),)),))

    def _sentence(self, sentence: Sentence) -> Spoke:
        values = spoken(sentence, self.facts)
        waiting = iter(values)
        pieces = [self._piece(part, waiting) for part in sentence.parts if not isinstance(part, Forbidden)]
        return Spoke(
            kind=kind_of(sentence, values, self.facts),
            pieces=tuple(_begun(pieces, values)),
            cut=self.cut.get(sentence.key, ""),
            judged=sentence.key not in self.unjudged,
        )

    def _piece(self, part: Inline, waiting: Iterator[Spoken]) -> Piece:
        match part:
            case Text(text):
                return Piece("text", text)
            case Emphasis(children, strong):
                inner = (self._piece(c, waiting) for c in children if not isinstance(c, Forbidden))
                return Piece("strong" if strong else "em", children=tuple(inner))
            case Code(text):
                return Piece("code", text)
            case Math(text):
                return Piece("math", text)
            case Expression():
                one = next(waiting)
                row = self.rows.get(canonical(one.source)) if isinstance(one.value, Result) else None
                return Piece("number", one.text, str(row or ""))
            case Citation(keys):
                return Piece("cite", children=tuple(Piece("cite", self.authors.get(key, key), key) for key in keys))
            case Reference(kind, name):
                return self._reference(kind, name)
        return Piece("text", "")

    def _reference(self, kind: str, name: str) -> Piece:
        """The printed name of a figure, table or section, with a link to the part of the page that shows it."""
        label = f"{kind}:{name}"
        words = self.labels.get(label) or f"{KINDS[kind]} “{name.replace('_', ' ')}”"
        return Piece("ref", words, SHOWN.get(label, "") if kind == "tab" else label)

    def _cited(self) -> dict[str, str]:
        """How each work is cited, by key; citations that would read alike get letters, as in the PDF."""
        keys = re.findall(r"^@\w+\{([^,\s]+),", self.source.rendered.bib, re.MULTILINE)
        entries = sorted(
            self.library.entries(keys), key=lambda e: (surnames_of(e), e.fields.get("author", ""), e.year, title_of(e))
        )
        same: dict[str, list[str]] = {}
        for entry in entries:
            same.setdefault(f"{surnames_of(entry)} {entry.year}".strip(), []).append(entry.key)
        return {
            key: name + (ascii_lowercase[place % 26] if len(found) > 1 else "")
            for name, found in same.items()
            for place, key in enumerate(found)
        }

    def _origins(self) -> Iterator[Origin]:
        for number, (expression, value) in enumerate(self.source.rendered.rows, start=1):
            records = value.records(self.facts)
            yield Origin(
                number=number,
                expression=expression,
                prints=value.text,
                condition=self.facts.condition_label(value.condition) if value.condition else "",
                seeds=", ".join(map(str, value.seeds)),
                records=tuple((r.run, r.label, record_sha256(r)[:12], r.commit[:12]) for r in records[:12]),
            )


def _begun(pieces: list[Piece], values: Sequence[Spoken]) -> list[Piece]:
    """The pieces of a sentence, with a capital where it begins with the words of an expression, as in the PDF."""
    first = next((i for i, p in enumerate(pieces) if p.kind != "text" or p.text.strip()), None)
    if first is None or pieces[first].kind != "number" or not values or not isinstance(values[0].value, Result):
        return pieces
    if values[0].value.kind in ("count", "words", "clause"):
        text = pieces[first].text
        pieces[first] = replace(pieces[first], text=text[:1].upper() + text[1:])
    return pieces
