"""The tree of a parsed section, as plain data: the checks walk it, and the renderer writes it as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

# In the flat text of a sentence, one private character stands for each node that is not prose.
EXPRESSION, CITATION, REFERENCE, MATH, CODE = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Emphasis:
    children: tuple[Inline, ...]
    strong: bool = False


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Math:
    source: str
    display: bool = False


@dataclass(frozen=True)
class Expression:
    source: str


@dataclass(frozen=True)
class Citation:
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    kind: Literal["fig", "tab", "sec"]
    name: str


@dataclass(frozen=True)
class Forbidden:
    """Markup inside a sentence that the parser does not allow, with the reason."""

    literal: str
    why: str


Inline = Text | Emphasis | Code | Math | Expression | Citation | Reference | Forbidden


@dataclass(frozen=True)
class Sentence:
    """The unit that is checked, and cut if it is refused. `key` is unique in the paper, e.g. "results:4.2"."""

    key: str
    line: int
    parts: tuple[Inline, ...]

    @cached_property
    def flat(self) -> str:
        """The words, with one private character for each node that is not prose."""
        return "".join(_flat(p) for p in self.parts).strip()

    @cached_property
    def source(self) -> str:
        """The sentence in Markdown, as it was written."""
        return "".join(_source(p) for p in self.parts).strip()

    def walk(self) -> Iterator[Inline]:
        """All nodes, those inside of emphasis included, in the order of the text."""
        yield from _walk(self.parts)

    def expressions(self) -> tuple[Expression, ...]:
        return tuple(p for p in self.walk() if isinstance(p, Expression))


@dataclass(frozen=True)
class Paragraph:
    key: str
    sentences: tuple[Sentence, ...]
    interpretation: bool = False  # begins with *Interpretation.*


@dataclass(frozen=True)
class Heading:
    key: str
    level: int  # 2 or 3
    sentence: Sentence


@dataclass(frozen=True)
class Listing:
    key: str
    ordered: bool
    items: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Equation:
    """A displayed formula. It is checked as a sentence of its own, because it too may contradict code and settings."""

    key: str
    line: int
    source: str

    @property
    def sentence(self) -> Sentence:
        return Sentence(self.key, self.line, (Math(self.source, display=True),))


@dataclass(frozen=True)
class Placement:
    """`![](fig:name)` on a line of its own: the place of a figure or table."""

    key: str
    line: int
    kind: Literal["fig", "tab"]
    name: str


Block = Paragraph | Heading | Listing | Equation | Placement


@dataclass(frozen=True)
class Refused:
    """A block that the parser does not allow: its beginning (`literal`) and the reason (`text`)."""

    key: str
    line: int
    literal: str
    text: str


@dataclass(frozen=True)
class Section:
    name: str
    blocks: tuple[Block, ...]
    refused: tuple[Refused, ...] = ()
    title: Sentence | None = None  # of title.md only
    paragraphs: tuple[Paragraph, ...] = ()  # of the blocks, those inside of lists included

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(s for p in self.paragraphs for s in p.sentences)


def paragraphs_of(blocks: tuple[Block, ...]) -> Iterator[Paragraph]:
    """All paragraphs of these blocks, those inside of lists included."""
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block
        elif isinstance(block, Listing):
            for item in block.items:
                yield from paragraphs_of(item)


def _walk(parts: tuple[Inline, ...]) -> Iterator[Inline]:
    for part in parts:
        yield part
        if isinstance(part, Emphasis):
            yield from _walk(part.children)


def _flat(part: Inline) -> str:
    match part:
        case Text(text):
            return text
        case Emphasis(children):
            return "".join(_flat(c) for c in children)
        case Expression():
            return EXPRESSION
        case Citation():
            return CITATION
        case Reference():
            return REFERENCE
        case Math():
            return MATH
        case Code():
            return CODE
        case Forbidden():
            return ""


def _source(part: Inline) -> str:
    match part:
        case Text(text):
            return text
        case Emphasis(children, strong):
            mark = "**" if strong else "*"
            return mark + "".join(_source(c) for c in children) + mark
        case Expression(source):
            return "{{ " + source.strip() + " }}"
        case Citation(keys):
            return "[" + "; ".join("@" + k for k in keys) + "]"
        case Reference(kind, name):
            return f"[@{kind}:{name}]"
        case Math(source, display):
            return f"$${source}$$" if display else f"${source}$"
        case Code(text):
            return f"`{text}`"
        case Forbidden(literal):
            return literal
