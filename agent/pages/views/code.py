"""How a run's code differs from its parent's, line by line, with the changed lines marked."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

Mark = Literal["added", "removed", "hunk", "context"]
_MARKS: dict[str, Mark] = {"+": "added", "-": "removed", "@": "hunk"}


@dataclass(frozen=True)
class Line:
    """One line of a diff."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Diff:
    """`left_out` counts the lines that are not shown."""

    lines: tuple[Line, ...] = ()
    added: int = 0
    removed: int = 0
    left_out: int = 0


def diff_of(old: str, new: str, most: int) -> Diff:
    """The unified diff of two files; lines are shown until `most` characters are reached."""
    lines = [_line(text) for text in list(unified_diff(old.splitlines(), new.splitlines(), n=3, lineterm=""))[2:]]
    shown, size = [], 0
    for line in lines:
        size += len(line.text) + 1
        if size > most:
            break
        shown.append(line)
    return Diff(
        lines=tuple(shown),
        added=sum(line.mark == "added" for line in lines),
        removed=sum(line.mark == "removed" for line in lines),
        left_out=len(lines) - len(shown),
    )


def _line(text: str) -> Line:
    mark = _MARKS.get(text[:1], "context")
    return Line(mark, text if mark == "hunk" else text[1:])
