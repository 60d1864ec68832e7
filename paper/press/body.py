"""Writes the tree of a section as LaTeX, without the pieces that were cut.

Every number links to its row in the provenance appendix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from paper.evidence.expressions import canonical
from paper.evidence.facts import Facts
from paper.evidence.vocabulary import Result
from paper.press import latex
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
    Section,
    Sentence,
    Text,
    paragraphs_of,
)

# A citation after one of these words is a noun of its sentence ("by Gao et al. (2024)"); elsewhere it is set in
# parentheses.
_TEXTUAL = re.compile(
    r"(?:^|[.!?]\s|\b(?:by|from|following|with|in|see|like|unlike|than|of|to|for|on|after|against|beside|as|that|and|or|"
    r"but|both|because|since|when|where|while|whereas|which|what|how)\s)$",
    re.IGNORECASE,
)
# An equation belongs to the paragraph before it, and so does text after it that goes on in lower case.
_LEADS_TO = re.compile(r"\n\n(% piece: \S+\n\\begin\{equation\})")
_GOES_ON = re.compile(r"(\\end\{equation\}\n)\n(?=(?:% piece: \S+\n)+[a-z])")
# A measured number inside of a clause: with its sign, decimals and error; no digits of a name such as F1.
_NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d,]*(?:\.\d+)?(?: ± [\d.,]+)?%?(?![\w-])")


@dataclass
class Ledger:
    """Numbers the distinct expressions of a paper in the order of their first use."""

    facts: Facts
    rows: dict[str, Result] = field(default_factory=dict)

    def use(self, source: str, value: Result) -> int:
        """The number of the row of this expression, which is added with its value if it is new."""
        key = canonical(source)
        self.rows.setdefault(key, value)
        return list(self.rows).index(key) + 1


@dataclass
class Body:
    """Writes sections. `floats` returns the LaTeX of a figure or table by kind and name; each is printed once."""

    ledger: Ledger
    floats: Callable[[str, str], str | None]
    cut: frozenset[str]  # keys of sentences and blocks that are left out
    cited: dict[str, None] = field(default_factory=dict)  # the citation keys that were written, in order
    printed: set[str] = field(default_factory=set)  # labels of the floats that were written
    reserved: frozenset[str] = frozenset()  # labels of floats that the writer placed by `![](...)`
    refers: bool = True  # false in the abstract, which must not refer to the appendix
    unjudged: frozenset[str] = frozenset()  # keys of told sentences that nobody judged: they print with a mark
    _values: Iterator[Spoken] = field(default_factory=lambda: iter(()))  # of the sentence that is being written

    def section(self, section: Section) -> str:
        """All blocks of a section; "" if nothing of it is left."""
        self.refers = section.name != "title"
        text = "\n\n".join(t for t in self._blocks(section.blocks, floats=True) if t)
        return _GOES_ON.sub(r"\1", _LEADS_TO.sub(r"\n\1", text))

    def inline(self, sentence: Sentence, plain: bool = False) -> str:
        """One sentence; `plain` leaves out the links, because titles go into the PDF's outline."""
        values = spoken(sentence, self.ledger.facts)
        self._values = iter(values)
        parts = list(self._parts(sentence.parts, plain))
        if parts and isinstance(sentence.parts[0], Expression) or _blank_first(sentence):
            index = 0 if isinstance(sentence.parts[0], Expression) else 1
            if isinstance(values[0].value, Result) and values[0].value.kind in ("count", "words", "clause"):
                parts[index] = re.sub(r"^(\\result\{\d+\}\{|)([a-z])", lambda m: m[1] + m[2].upper(), parts[index])
        mark = "" if plain or sentence.key not in self.unjudged else r"\unjudged{}"
        return "".join(parts).strip() + mark

    def _blocks(self, blocks: tuple[Block, ...], floats: bool) -> Iterator[str]:
        for block in blocks:
            text = self._block(block)
            if text:
                yield f"% piece: {block.key}\n{text}"
            if floats and text:
                yield from self._mentioned(block)

    def _block(self, block: Block) -> str:
        if block.key in self.cut:
            return ""
        match block:
            case Paragraph():
                return self._paragraph(block)
            case Heading(level=level, sentence=sentence):
                command = "subsection" if level == 2 else "paragraph"
                return "" if sentence.key in self.cut else rf"\{command}{{{self.inline(sentence, plain=True)}}}"
            case Listing(ordered=ordered, items=items):
                kind = "enumerate" if ordered else "itemize"
                written = ["\n\n".join(self._blocks(i, floats=False)) for i in items]
                rows = "\n".join(rf"\item {w}" for w in written if w)
                return f"\\begin{{{kind}}}\n{rows}\n\\end{{{kind}}}" if rows else ""
            case Equation(source=source):
                return f"\\begin{{equation}}\n{source}\n\\end{{equation}}"
            case Placement(kind=kind, name=name):
                return self._float(kind, name)

    def _paragraph(self, paragraph: Paragraph) -> str:
        kept = [s for s in paragraph.sentences if s.key not in self.cut]
        if all(isinstance(p, Emphasis) or isinstance(p, Text) and not p.text.strip() for s in kept for p in s.parts):
            return ""  # only a heading in bold is left, and the text behind it was cut
        lines = [t for t in (self.inline(s) for s in kept) if t]
        return "\n".join(f"% piece: {s.key}\n{t}" for s, t in zip(kept, lines, strict=False))

    def _mentioned(self, block: Block) -> Iterator[str]:
        """The floats that this block mentions first; they are placed behind it."""
        for sentence in (s for p in paragraphs_of((block,)) for s in p.sentences if s.key not in self.cut):
            for node in sentence.walk():
                if not isinstance(node, Reference) or f"{node.kind}:{node.name}" in self.reserved:
                    continue
                if text := self._float(node.kind, node.name):
                    yield text

    def _float(self, kind: str, name: str) -> str:
        label = f"{kind}:{name}"
        if label in self.printed:
            return ""
        text = self.floats(kind, name)
        if text is None:
            return ""
        self.printed.add(label)
        return text

    # ------------------------------------------------------------ inline

    def _parts(self, parts: tuple[Inline, ...], plain: bool) -> Iterator[str]:
        before = ""
        for part in parts:
            if isinstance(part, Citation):
                yield self._citation(part, "citep" if plain else _role(before.lstrip()))
                before += "x"
                continue
            yield self._inline(part, plain)
            before += part.text if isinstance(part, Text) else "x"

    def _inline(self, part: Inline, plain: bool) -> str:
        match part:
            case Text(text):
                return latex.escape(text)
            case Emphasis(children, strong):
                return rf"\{'textbf' if strong else 'emph'}{{{''.join(self._parts(children, plain))}}}"
            case Code(text):
                return latex.code(text)
            case Math(source, display):
                return rf"\[{source}\]" if display else f"${source}$"
            case Expression():
                return self._expression(plain)
            case Reference(kind, name):
                return _reference(kind, name)
            case Citation() | Forbidden():
                return ""

    def _citation(self, citation: Citation, command: str) -> str:
        self.cited |= dict.fromkeys(citation.keys)
        return rf"\{command}{{{','.join(citation.keys)}}}"

    def _expression(self, plain: bool) -> str:
        one = next(self._values)
        if not isinstance(one.value, Result):
            return ""
        row = self.ledger.use(one.source, one.value)
        written = latex.number(one.value.text) if plain else _set_off(one.value)
        note = latex.escape(one.behind)
        see = one.value.see if self.refers else ""
        more = rf" (\hyperref[{see}]{{Appendix~\ref*{{{see}}}}})" if see else ""
        return written + note if plain else rf"\result{{{row}}}{{{written}}}{note}{more}"


def _role(before: str) -> str:
    """natbib's command for a citation, by the words before it.

    `citet` where it is a noun of the sentence, `citealp` inside of parentheses, else `citep`.
    """
    if before.count("(") > before.count(")"):
        return "citealp"
    return "citet" if _TEXTUAL.search(before) else "citep"


def _set_off(value: Result) -> str:
    """What an expression prints, as LaTeX; its measured numbers are coloured, names, words and counts are not."""
    if value.kind not in ("clause", "words"):
        numeric = value.kind in ("result", "setting") and any(c.isdigit() for c in value.text)
        return rf"\measured{{{latex.number(value.text)}}}" if numeric else latex.number(value.text)
    pieces, last = [], 0
    for found in _NUMBER.finditer(value.text):
        pieces += [latex.escape(value.text[last : found.start()]), rf"\measured{{{latex.number(found[0])}}}"]
        last = found.end()
    return "".join(pieces) + latex.escape(value.text[last:])


def _blank_first(sentence: Sentence) -> bool:
    """Whether the sentence begins with an expression after white space."""
    parts = sentence.parts
    return (
        len(parts) > 1 and isinstance(parts[0], Text) and not parts[0].text.strip() and isinstance(parts[1], Expression)
    )


def _reference(kind: str, name: str) -> str:
    word = {"fig": "Figure", "tab": "Table", "sec": "Section"}[kind]
    return rf"\hyperref[{kind}:{name}]{{{word}~\ref*{{{kind}:{name}}}}}"
