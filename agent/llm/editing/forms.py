"""Reads changes in other forms than SEARCH/REPLACE blocks (diffs, whole files); recognises forms that are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.llm.editing.blocks import Block, check_fences, fence_of
from agent.llm.editing.naming import Names, named_in

_FOREIGN = re.compile(  # an edit, in a form that is not read
    r"(?:&lt;){5,9} SEARCH|^\*{3} (?:Begin|Update|End) (?:Patch|File)|^[ \t]*(?:<{4,}|>{4,}) ?\w"
    r"|^(?:--- |\+\+\+ |diff --git )\S|^@@|^[ \t]*```(?:diff|patch)\b",
    re.MULTILINE,
)
_OLD, _NEW, _HUNK = re.compile(r"--- \S"), re.compile(r"\+\+\+ (?:[ab]/)?(\S+)"), re.compile(r"@@")
_SKIPPED = re.compile(r"\\ No newline|diff --git |index [0-9a-f]{4,}|(?:new|old|deleted) (?:file )?mode ")
_LEFT_OUT = re.compile(
    r"^\s*(?:#|//|%|<!--)?\s*(?:\.\.\.|…)|(?:#|//|%|<!--|\[|\().*\b(?:unchanged|(?:rest|remainder) of|existing code)\b",
    re.IGNORECASE,
)


def form(name: str) -> str:
    """A text that shows the model the form that is wanted."""
    return (
        "Give each change as a SEARCH/REPLACE block, in plain characters, like this:\n\n"
        f"{name}\n```\n<<<<<<< SEARCH\n(lines of the file as they are)\n=======\n(what they become)\n"
        ">>>>>>> REPLACE\n```"
    )


def is_foreign(answer: str) -> bool:
    """Whether an answer without blocks looks like an edit in a form that is not read."""
    return bool(_FOREIGN.search(answer))


def diff_blocks(answer: str, names: Names) -> list[Block]:
    """The hunks of a unified diff, as blocks that have to match exactly; empty if the answer is not a diff.

    Raises:
        Unreadable: the diff's fence is never closed.
    """
    blocks: list[Block] = []
    name = names.editable[0] if len(names.editable) == 1 else ""
    hunk: list[str] | None = None  # the lines of the one that is being read
    for line, after in _with_the_next([*answer.split("\n"), "@@"]):
        headed = bool(_OLD.match(line) and _NEW.match(after))
        if hunk and (headed or _HUNK.match(line) or line.startswith("```")):
            blocks.append(_block(name, hunk))
            hunk = None
        if headed:
            hunk = None
        elif hunk is None and (found := _NEW.match(line)):
            name = names.known(found[1]) or found[1]
        elif _HUNK.match(line):
            hunk = []
        elif hunk is not None and not _SKIPPED.match(line):
            if line[:1] not in ("", " ", "-", "+"):
                return []  # a line without a sign could be text or context
            hunk.append(line)
    if blocks:
        check_fences([line for line in answer.split("\n") if line.startswith("```")])
    return blocks if all(block.name for block in blocks) else []


def _block(name: str, hunk: list[str]) -> Block:
    while hunk and not hunk[-1].strip():  # a blank line at the end may belong to the answer's text
        hunk.pop()
    old, new = ("".join(f"{line[1:]}\n" for line in hunk if line[:1] != drop) for drop in "+-")
    return Block(name, ((old, new),), exact=True)


def whole_file(answer: str, names: Names) -> Block | None:
    """The whole file in the answer's only code fence, below its name, as one block with an empty SEARCH; or None."""
    lines = answer.split("\n")
    fences = [number for number, line in enumerate(lines) if fence_of(line) is not None]
    if len(fences) < 2 or fence_of(lines[fences[-1]]):
        return None
    first, last = fences[0], fences[-1]
    marks = len(lines[first].strip()) - len(lines[first].strip().lstrip("`"))
    if any(lines[number].strip().startswith("`" * marks) for number in fences[1:-1]):
        return None  # several fences, or one that a fence inside has ended
    above = next((line for line in reversed(lines[:first]) if line.strip()), "")
    name = named_in(lines[first], names) or named_in(above, names)
    return Block(name, (("", "".join(f"{line}\n" for line in lines[first + 1 : last])),)) if name else None


def left_out(old: str, new: str) -> str:
    """Why `new` cannot be a whole new version of the file `old`; "" if it can."""
    known = set(old.split("\n"))
    for line in new.split("\n"):
        if line not in known and _LEFT_OUT.search(line[:200]):
            return f"leaves lines out ({line.strip()[:80]}); write every line"
    few, many = (sum(bool(line.strip()) for line in text.split("\n")) for text in (new, old))
    if 2 * few < many:
        return f"is to be the whole file, but has {few} lines where the file has {many}; write every line"
    return ""


def _with_the_next(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(lines, [*lines[1:], ""], strict=True)
