"""Reads the SEARCH/REPLACE blocks of an answer. An answer that was cut or is ambiguous is refused as a whole.

Not here: the place of a SEARCH in the file (matching.py), and which file a name means (naming.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from agent.llm.editing.naming import Names, file_above
from agent.llm.thinking import UNFINISHED

MARKER = re.compile(r"\s*(?:<{5,9} SEARCH>?|>{5,9} REPLACE)\s*\Z")
_HEAD = re.compile(r"(\s*)<{5,9} SEARCH>?\s*\Z")
_DIVIDER = re.compile(r"\s*={5,9}\s*\Z")
_FENCE = re.compile(r"\s*`{3,}([^`]*)\Z")
MOST_DIVIDERS = 20  # lines of a block that could end its SEARCH; each is tried
_ABOVE = 4  # how many lines above a block may have the name of its file
_CUT = "Nothing of this answer was applied. Send all of it again; if it gets too long, change less in shorter blocks."


class Unreadable(Exception):
    """An answer is refused as a whole; the text tells the model why."""


class Block(NamedTuple):
    """One change of a file. If several lines of `=` could end its SEARCH, it has several readings, likeliest first."""

    name: str
    readings: tuple[tuple[str, str], ...]  # (SEARCH, REPLACE)
    exact: bool = False  # it has to match the file exactly


def read(answer: str, names: Names) -> list[Block]:
    """The blocks of an answer, in order; empty if it has none.

    Raises:
        Unreadable: the answer was cut, or its markers do not fit together.
    """
    if answer.endswith(UNFINISHED):
        raise Unreadable(f"The answer ends inside its thinking: it was cut. {_CUT} Think more briefly.")
    lines = answer.split("\n")
    marks = [number for number, line in enumerate(lines) if MARKER.match(line)]
    blocks: list[Block] = []
    outside: list[str] = []  # the lines around the blocks
    since = 0
    for first, last in zip(marks[::2], [*marks[1::2], None], strict=False):
        head = _HEAD.match(lines[first])
        if head is None:
            raise Unreadable(f"A line `>>>>>>> REPLACE` stands outside a block. {_CUT}")
        if last is None or _HEAD.match(lines[last]):
            raise Unreadable(f"{_begun(lines, first)} has no line `>>>>>>> REPLACE`: it seems to be cut. {_CUT}")
        above = lines[max(since, first - _ABOVE) : first]
        name = file_above(above, names, blocks[-1].name if blocks else None)
        if name is None:
            raise Unreadable(f"A block names no file; write one of {', '.join(names.editable)} above it. {_CUT}")
        body = _outdented(lines[first + 1 : last], head[1])
        dividers = sum(is_divider(line) for line in body)
        if not dividers:
            raise Unreadable(f"{_begun(lines, first)} has no line `=======` between SEARCH and REPLACE. {_CUT}")
        if dividers > MOST_DIVIDERS:
            many = f"{_begun(lines, first)} holds {dividers} lines of 5 to 9 `=`"
            raise Unreadable(f"{many}; write those that belong to the text with ten signs or more. {_CUT}")
        blocks.append(Block(name, _readings(body)))
        outside += lines[since:first]
        since = last + 1
    if blocks:
        check_fences([*outside, *lines[since:]])
    return blocks


def check_fences(lines: Sequence[str]) -> None:
    """Check the lines outside of blocks.

    Raises:
        Unreadable: they end inside a code fence.
    """
    depth = 0
    for line in lines:
        info = fence_of(line)
        if info is not None:
            depth += 1 if info or not depth else -1
    if depth:
        raise Unreadable(f"The answer ends inside a fence that is never closed: it seems to be cut. {_CUT}")


def is_divider(line: str) -> bool:
    """Whether a line could end SEARCH."""
    return bool(_DIVIDER.match(line))


def fence_of(line: str) -> str | None:
    """The text behind the backticks of a line that opens or closes a fence; None for any other line."""
    match = _FENCE.match(line)
    return match[1].strip() if match else None


def _begun(lines: Sequence[str], first: int) -> str:
    said = next((line.strip() for line in lines[first + 1 :] if line.strip()), "")
    return f"The block that begins with {said[:80]!r}"


def _outdented(lines: list[str], indent: str) -> list[str]:
    """The lines of a block without the indentation that all of them share with its marker, as in a list."""
    if indent and all(line.startswith(indent) for line in lines if line.strip()):
        return [line[len(indent) :] if line.strip() else line.strip(" \t") for line in lines]
    return lines


def _readings(body: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The readings of a block: first those with a proper divider, and of these the one with the longest SEARCH.

    A longer SEARCH is preferred, because a short one may match the file by chance, and the text behind it would then be
    put there a second time.
    """
    places = [number for number, line in enumerate(body) if is_divider(line)]
    places.sort(key=lambda number: (body[number].rstrip() != "=======", -number))
    return tuple((_text(body[:number]), _text(body[number + 1 :])) for number in places)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
