"""How a run's code differs from its parent's, line by line, with the changed lines marked."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby
from typing import Literal

Mark = Literal["added", "removed", "hunk", "context"]
_MARKS: dict[str, Mark] = {"+": "added", "-": "removed", "@": "hunk"}


@dataclass(frozen=True)
class Block:
    """Neighbouring lines of a diff that have the same mark, each with its sign in front."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Diff:
    """`left_out` counts the lines that are not shown."""

    blocks: tuple[Block, ...] = ()
    added: int = 0
    removed: int = 0
    left_out: int = 0


def diff_of(old: str, new: str, most: int) -> Diff:
    """The unified diff of two files; lines are shown until `most` characters are reached."""
    lines = list(unified_diff(old.splitlines(), new.splitlines(), n=3, lineterm=""))[2:]
    shown, size = 0, 0
    while shown < len(lines) and size + len(lines[shown]) < most:
        size += len(lines[shown]) + 1
        shown += 1
    grouped = groupby(lines[:shown], key=_mark)
    return Diff(
        blocks=tuple(Block(mark, "\n".join(texts)) for mark, texts in grouped),
        added=sum(_mark(line) == "added" for line in lines),
        removed=sum(_mark(line) == "removed" for line in lines),
        left_out=len(lines) - shown,
    )


def _mark(line: str) -> Mark:
    return _MARKS.get(line[:1], "context")
