"""The parser that turns the Markdown of a section into the tree of nodes.py.

Only the kinds of Markdown on an allow-list are accepted. Everything else becomes a `Refused` or `Forbidden` with its
line, and none of it reaches the paper.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

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
    Refused,
    Section,
    Sentence,
    Text,
    paragraphs_of,
)
from paper.text.sentences import split

MAX_CHARACTERS = 60_000
MAX_BLOCK = 8_000  # characters of a paragraph or list: the checks take time that grows with the square of its length
_TARGET = re.compile(r"(fig|tab|sec):([a-z0-9][a-z0-9_.-]{0,60})", re.IGNORECASE)
_KEY = re.compile(r"@([A-Za-z0-9][\w:.+-]{0,80})")
_INTERPRETATION = re.compile(r"interpretation\s*[.:]?", re.IGNORECASE)


def parse(name: str, markdown: str) -> Section:
    """The tree of one section file. Never raises for what a writer typed."""
    return _Parser(name).parse(markdown)


def _between(kind: str, opens: str, closes: str, begins: int) -> Callable[[StateInline, bool], bool]:
    """A rule for what stands between two marks; the token's content begins so many characters behind the first."""

    def rule(state: StateInline, silent: bool) -> bool:
        if not state.src.startswith(opens, state.pos):
            return False
        end = state.src.find(closes, state.pos + len(opens))
        if end < 0:
            return False
        if not silent:
            token = state.push(kind, "", 0)
            token.content = state.src[state.pos + begins : end]
        state.pos = end + len(closes)
        return True

    return rule


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"maxNesting": 12}).use(dollarmath_plugin, double_inline=True)
    markdown.inline.ruler.before("escape", "expression", _between("expression", "{{", "}}", 2))
    markdown.inline.ruler.before("escape", "citation", _between("citation", "[@", "]", 1))
    return markdown


class _Parser:
    def __init__(self, name: str) -> None:
        self.name = name
        self.refused: list[Refused] = []
        self.title: Sentence | None = None
        self.count = 0

    def parse(self, markdown: str) -> Section:
        text = unicodedata.normalize("NFC", markdown.replace("\r\n", "\n"))
        if len(text) > MAX_CHARACTERS:
            self._refuse(1, text[:40], f"a section has at most {MAX_CHARACTERS} characters")
            text = text[:MAX_CHARACTERS]
        for number, line in enumerate(text.split("\n"), start=1):
            if bad := next(
                (c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Cn") and c != "\t"), None
            ):
                self._refuse(number, f"U+{ord(bad):04X}", "an invisible or private character; retype the word")
        text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")
        tokens = _markdown().parse(self._without_overlong(text))
        blocks = self._blocks(tokens, depth=0)
        return Section(
            name=self.name,
            blocks=blocks,
            refused=tuple(self.refused),
            title=self.title,
            paragraphs=tuple(paragraphs_of(blocks)),
        )

    def _without_overlong(self, text: str) -> str:
        """The text in which each block that is too long is blank, so that the other lines keep their numbers."""
        lines, first = text.split("\n"), 0
        for end in [i for i, line in enumerate(lines) if not line.strip()] + [len(lines)]:
            if sum(map(len, lines[first:end])) > MAX_BLOCK:
                self._refuse(
                    first + 1, lines[first][:40], f"a paragraph or list has at most {MAX_BLOCK} characters; divide it"
                )
                lines[first:end] = [""] * (end - first)
            first = end + 1
        return "\n".join(lines)

    def _refuse(self, line: int, literal: str, text: str) -> None:
        self.refused.append(Refused(self._key(), line, literal.strip()[:120], text))

    def _key(self) -> str:
        self.count += 1
        return f"{self.name}:{self.count}"

    def _blocks(self, tokens: list[Token], depth: int) -> tuple[Block, ...]:
        blocks: list[Block] = []
        position = 0
        while position < len(tokens):
            token = tokens[position]
            end = _closing(tokens, position)
            inner = tokens[position + 1 : end]
            line = (token.map[0] if token.map else 0) + 1
            match token.type:
                case "paragraph_open":
                    blocks += self._paragraph(inner[0], line)
                case "heading_open":
                    blocks += self._heading(token, inner[0], line)
                case "bullet_list_open" | "ordered_list_open" if depth < 2:
                    blocks.append(self._listing(token, inner, depth))
                case "math_block" | "math_block_label":
                    blocks.append(Equation(self._key(), line, token.content.strip()))
                case _:
                    self._refuse(
                        line,
                        token.content or token.markup or token.type,
                        _WHY.get(
                            token.type, "this kind of Markdown is not allowed here; write plain paragraphs and lists"
                        ),
                    )
            position = end + 1
        return tuple(blocks)

    def _listing(self, token: Token, inner: list[Token], depth: int) -> Listing:
        key, items, position = self._key(), [], 0
        while position < len(inner):
            end = _closing(inner, position)
            items.append(self._blocks(inner[position + 1 : end], depth + 1))
            position = end + 1
        return Listing(key, token.type == "ordered_list_open", tuple(items))

    def _heading(self, token: Token, inline: Token, line: int) -> list[Block]:
        key, level = self._key(), int(token.tag[1])
        sentence = Sentence(f"{key}.0", line, tuple(p for p, _ in self._inlines(inline, line)))
        if level == 1:  # the heading of the section: the program words it, except in title.md
            if self.name == "title" and self.title is None:
                self.title = sentence
            return []
        if level > 3:
            self._refuse(line, sentence.source, "headings inside a section are ## or ###")
            return []
        return [Heading(key, level, sentence)]

    def _paragraph(self, inline: Token, line: int) -> list[Block]:
        children = inline.children or []
        images = [c for c in children if c.type == "image"]
        rest = [c for c in children if c.type not in ("image", "softbreak") and c.content.strip()]
        if images and not rest:
            return [b for image in images for b in self._placement(image, line)]
        key = self._key()
        sentences = split(self._inlines(inline, line), key)
        first = sentences[0].parts[0] if sentences else None
        interpretation = isinstance(first, Emphasis) and bool(
            _INTERPRETATION.fullmatch("".join(c.text for c in first.children if isinstance(c, Text)).strip())
        )
        return [Paragraph(key, sentences, interpretation)] if sentences else []

    def _placement(self, image: Token, line: int) -> list[Block]:
        source = str(image.attrs.get("src", ""))
        kind, name = _target(source) or ("sec", "")
        if kind == "sec":
            self._refuse(line, source, "figures go by name: ![](fig:name)")
            return []
        return [Placement(self._key(), line, kind, name)]

    def _inlines(self, inline: Token, line: int) -> list[tuple[Inline, int]]:
        parts: list[tuple[Inline, int]] = []
        stack: list[tuple[list[tuple[Inline, int]], int]] = []
        address = False  # inside of <https://...>, whose text is its own address and would be reported twice
        for token in inline.children or []:
            if token.info == "auto":
                address = token.type == "link_open"
            elif address:
                continue
            match token.type:
                case "softbreak" | "hardbreak":
                    line += 1
                    parts.append((Text(" "), line))
                case "em_open" | "strong_open":
                    stack.append((parts, line))
                    parts = []
                case "em_close" | "strong_close":
                    children = tuple(p for p, _ in parts)
                    parts, opened = stack.pop()
                    parts.append((Emphasis(children, token.type == "strong_close"), opened))
                case _:
                    parts += [(p, line) for p in _inline(token)]
        return parts


def _inline(token: Token) -> list[Inline]:
    """The nodes of one token inside a sentence."""
    match token.type:
        case "text":
            return [
                Text(token.content),
                *(Forbidden(x, _LEFTOVER_WHY) for x in dict.fromkeys(_LEFTOVER.findall(token.content))),
            ]
        case "code_inline":
            return [Code(token.content)]
        case "math_inline" | "math_inline_double":
            return [Math(token.content.strip(), token.type == "math_inline_double")]
        case "expression":
            return [Expression(token.content.strip())]
        case "citation":
            return _bracket(token.content)
        case "link_close":
            return []
        case "image":
            return [
                Forbidden(
                    str(token.attrs.get("src", "")),
                    "a figure stands on a line of its own, ![](fig:name); in a sentence write [@fig:name]",
                )
            ]
        case _:
            literal = token.content or str(token.attrs.get("href", token.type))
            return [Forbidden(literal, _WHY.get(token.type, "this Markdown is not allowed in a sentence"))]


def _target(text: str) -> tuple[Literal["fig", "tab", "sec"], str] | None:
    """Kind and name of what `fig:name` and its like point to, in capitals or not; None for anything else."""
    if (found := _TARGET.fullmatch(text)) is None:
        return None
    match found[1].lower():
        case "fig" | "tab" | "sec" as kind:
            return kind, found[2]
    return None


def _bracket(content: str) -> list[Inline]:
    """The nodes of `[@...]`: one citation of all keys in it, and a reference for each figure, table or section."""
    keys: list[str] = []
    others: list[Inline] = []
    for piece in (p.strip() for p in re.split(r"[;,]", content) if p.strip()):
        if target := _target(piece.removeprefix("@")):
            others.append(Reference(*target))
        elif found := _KEY.fullmatch(piece):
            keys.append(found[1])
        else:
            others.append(Forbidden(piece, "in brackets stand citation keys only: [@key] or [@key1; @key2]"))
    return [*([Citation(tuple(dict.fromkeys(keys)))] if keys else []), *others]


_LEFTOVER = re.compile(r"\{\{|\}\}|\{%|%\}|\\[A-Za-z]+|\[@|\$")
_LEFTOVER_WHY = (
    "left-over markup: expressions end with }}, {% if ... %} with {% endif %}, math with $, citations with ]; LaTeX "
    "stands inside $...$ only"
)
_WHY = {
    "html_block": "raw HTML is not allowed",
    "html_inline": "raw HTML is not allowed",
    "fence": "code blocks are not allowed; describe the step, or write an equation",
    "code_block": "an indented line is a code block in Markdown; remove the indent",
    "blockquote_open": "quotations are not allowed",
    "hr": "rules are not allowed",
    "link_open": "links are not allowed; cite with [@key]",
    "bullet_list_open": "lists nest at most twice",
    "ordered_list_open": "lists nest at most twice",
}


def _closing(tokens: list[Token], position: int) -> int:
    """Index of the token that closes the one at `position` (itself, if it stands alone)."""
    depth = 0
    for index in range(position, len(tokens)):
        depth += tokens[index].nesting
        if depth <= 0:
            return index
    return len(tokens) - 1
