"""Splits a paragraph's inline nodes into sentences. What a sentence may say is not decided here (paper/truth)."""

from __future__ import annotations

import re
from itertools import groupby

from paper.text.nodes import Emphasis, Inline, Sentence, Text

_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|cf|vs|resp|approx|Fig|Figs|Eq|Eqs|Sec|Tab|No|Dr|St|w\.r\.t|viz|a\.k\.a)|\b[A-Z])\.$"
)
_SMALL_NAME = re.compile(r"[a-z]-[a-z]")  # a term such as p-annealing, with which a sentence may begin in lower case
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s|$)")

Placed = tuple[Inline, int]  # a node and its line


def split(parts: list[Placed], key: str) -> tuple[Sentence, ...]:
    """The sentences of one paragraph, whose nodes come with their lines; their keys are `key`.0, `key`.1 and so on.

    A sentence ends at a full stop, question or exclamation mark that the rest of the text allows; a node other than
    text is never divided.
    """
    groups: list[list[Placed]] = [[]]
    pieces = _merged(parts)
    for position, piece in enumerate(pieces):
        last = position == len(pieces) - 1
        for part, line, ends in _cut(piece, last):
            groups[-1].append((part, line))
            if ends:
                groups.append([])
    kept = [g for g in groups if any(_visible(p) for p, _ in g)]
    return tuple(
        Sentence(key=f"{key}.{index}", line=next(n for p, n in group if _visible(p)), parts=tuple(p for p, _ in group))
        for index, group in enumerate(kept)
    )


def _merged(parts: list[Placed]) -> list[list[Placed]]:
    """Neighbouring texts form one piece, so that a line break never hides the end of a sentence."""
    pieces: list[list[Placed]] = []
    for is_text, group in groupby(parts, key=lambda placed: isinstance(placed[0], Text)):
        items = list(group)
        pieces += [items] if is_text else [[item] for item in items]
    return pieces


def _cut(piece: list[Placed], last: bool) -> list[tuple[Inline, int, bool]]:
    """The piece's parts in order, each with its line and whether a sentence ends after it."""
    first, line = piece[0]
    if not isinstance(first, Text):
        return [(first, line, isinstance(first, Emphasis) and bool(re.search(r"[.!?]$", _last_text(first))))]
    text = "".join(p.text for p, _ in piece if isinstance(p, Text))
    lines = [n for p, n in piece if isinstance(p, Text) for _ in p.text]
    found: list[tuple[Inline, int, bool]] = []
    start = 0
    for match in _END.finditer(text):
        rest = text[match.end() :].lstrip()
        goes_on = rest[:1].islower() and not _SMALL_NAME.match(rest)
        continues = goes_on if rest else last or match.end() == len(text)
        if continues or _ABBREVIATION.search(text[: match.end()]):
            continue
        found.append((Text(text[start : match.end()]), lines[start + _indent(text[start:])], True))
        start = match.end()
    if start < len(text):
        found.append((Text(text[start:]), lines[start + _indent(text[start:])], False))
    return found


def _indent(text: str) -> int:
    return min(len(text) - len(text.lstrip()), len(text) - 1)


def _visible(part: Inline) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())


def _last_text(part: Emphasis) -> str:
    last = part.children[-1] if part.children else None
    return last.text if isinstance(last, Text) else ""
