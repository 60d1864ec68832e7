"""Applies blocks to the files of one editing conversation, or says why one cannot be applied.

Not here: aider's function that replaces lines (handed in), and what the model is told (aider_edit.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.llm.editing.blocks import Block
from agent.llm.editing.forms import left_out
from agent.llm.editing.matching import Change, NoPlace, choose, find, stands_in

BOM = "\ufeff"
_PROSE = (".md", ".txt")
_REPLY_FAULTS = (ValueError, LookupError, AttributeError)  # what aider's function can raise for an odd reply
Replace = Callable[[str, str, str], str | None]  # (text, lines of it, their replacement) -> the new text


class Files:
    """The files below `root`, which are changed block by block. `replace` is the function that replaces lines."""

    def __init__(self, root: Path, replace: Replace) -> None:
        self.root = root
        self.replace = replace
        self.first: dict[str, str] = {}  # the files' texts before this conversation changed them
        self.applied: set[Block] = set()

    def text(self, name: str) -> str:
        """A file's text now, without a byte-order mark; "" if it does not exist."""
        return self._read(name).removeprefix(BOM)

    def apply(self, block: Block, *, whole: bool) -> str:
        """Apply a block; return what is wrong with it, or "". With `whole`, an empty SEARCH means the whole file.

        A block that this conversation has already applied is not applied again.
        """
        name = block.name
        text = self.text(name)
        first = self.first.setdefault(name, text)
        if block in self.applied and _stands(block, text):
            return ""
        try:
            change = (_whole(block, text) if whole else None) or choose(text, block, is_prose(name))
            change = change._replace(new=change.new.replace("\n", _line_end(text)))
            if text != first and _repeats(first, text, change):
                return ""
            self._write(name, self._replaced(text, change))
        except NoPlace as problem:
            return "" if text != first and _is_gone(block, first, text) and _stands(block, text) else str(problem)
        except _REPLY_FAULTS as error:
            return f"cannot be applied ({type(error).__name__})"
        self.applied.add(block)
        return ""

    def apply_diff(self, hunks: list[Block]) -> bool:
        """Apply all hunks of a diff or none of them; return whether they were applied."""
        before, applied = {hunk.name: self._read(hunk.name) for hunk in hunks}, set(self.applied)
        if any(self.apply(hunk, whole=False) for hunk in hunks):
            for name, text in before.items():
                Path(self.root, name).write_bytes(text.encode())
            self.applied = applied
            return False
        return True

    def _replaced(self, text: str, change: Change) -> str:
        """The text after `replace` was given the whole lines around a change.

        Raises:
            NoPlace: the file would be empty, or `replace` returns another text than the change means.
        """
        start = text.rfind("\n", 0, change.start) + 1
        end = change.end if text[: change.end].endswith("\n") else (text.find("\n", change.end) + 1 or len(text))
        put = text[start : change.start] + change.new + text[change.end : end]
        wanted = text[:start] + put + text[end:]
        if not wanted.strip():
            raise NoPlace("would leave the file empty")
        made = self.replace(text, text[start:end], put) if text else put
        if made not in (wanted, f"{wanted}\n"):  # aider adds a line end to the last line; that is not kept
            raise NoPlace("cannot be applied for sure: it holds unusual line ends")
        return wanted

    def _read(self, name: str) -> str:
        path = Path(self.root, name)
        return path.read_bytes().decode() if path.exists() else ""

    def _write(self, name: str, text: str) -> None:
        # Text that cannot be encoded raises before the file is opened
        data = (BOM * self._read(name).startswith(BOM) + text).encode()
        Path(self.root, name).write_bytes(data)


def is_prose(name: str) -> bool:
    """Whether a file is prose, in which a paragraph is one line."""
    return name.endswith(_PROSE)


def _whole(block: Block, text: str) -> Change | None:
    """The change of the whole file that a block with an empty SEARCH means; None for any other block.

    Raises:
        NoPlace: its REPLACE leaves lines out.
    """
    new = next((new.removeprefix(BOM) for search, new in block.readings if not search.strip()), "")
    if not new or not text.strip():
        return None
    if problem := left_out(text, new):
        raise NoPlace(problem)
    return Change(0, len(text), new)


def _repeats(first: str, text: str, change: Change) -> bool:
    """Whether this conversation has made a change already.

    Raises:
        NoPlace: a part of it was made already: lines that it adds are above or below its place.
    """
    before = change.new.find(text[change.start : change.end])
    there = text[change.start - before : change.start - before + len(change.new)]
    if 0 <= before <= change.start and there == change.new and change.new not in first:
        return True
    old = text[change.start : change.end].splitlines(keepends=True) or [change.new]
    above = change.new[: max(0, change.new.find(old[0]))]
    below = change.new[change.new.rfind(old[-1]) + len(old[-1]) :] if old[-1] in change.new else ""
    doubled_above = above and text[: change.start].endswith(above) and above + old[0] not in first
    doubled_below = below and text[change.end :].startswith(below) and old[-1] + below not in first
    if doubled_above or doubled_below:
        raise NoPlace("would put lines there once more that an earlier block has put there; leave them out")
    return False


def _stands(block: Block, text: str) -> bool:
    """Whether a text contains a block's REPLACE; for a deletion, whether it does not contain its SEARCH."""
    prose = is_prose(block.name)
    return any(
        stands_in(text, new, prose) if new.strip() else not stands_in(text, search, prose)
        for search, new in block.readings
    )


def _is_gone(block: Block, first: str, text: str) -> bool:
    """Whether a SEARCH matched the file before this conversation, and does not any more."""
    prose = is_prose(block.name)
    for search, new in block.readings:
        try:
            find(first, search, new, exact=False, prose=prose)
        except NoPlace:
            continue
        return bool(new.strip()) and not stands_in(text, search, prose)
    return False


def _line_end(text: str) -> str:
    return "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
