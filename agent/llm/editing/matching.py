"""Finds the one place of a file that a SEARCH means, and adapts its REPLACE to it; if it is not clear, says why.

The exact text is tried first, then other blanks at line ends, other quotation marks, another indentation, and tabs for
spaces.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from agent.llm.editing.blocks import Block, fence_of, is_divider
from agent.llm.editing.prose import in_a_line
from agent.llm.editing.quotes import PLAIN, requote

MOST_PLACES = 1000  # candidate places that are compared one by one
UNITS = (2, 3, 4, 8)  # numbers of spaces for which a tab can stand

Lines = list[str]
Key = Callable[[str], str]  # the part of a line that has to be equal
# (SEARCH, the file's lines, REPLACE) -> the lines that replace the file's; None if they do not fit.
Adapt = Callable[[Lines, Lines, Lines], Lines | None]


class Change(NamedTuple):
    """Characters `start` to `end` of the file become `new`."""

    start: int
    end: int
    new: str


class NoPlace(Exception):
    """A block cannot be applied. The text is the rest of a sentence that begins with "this block"."""


def choose(text: str, block: Block, prose: bool) -> Change:
    """The change of a text that a block means. In `prose`, words inside a line may match as well.

    Raises:
        NoPlace: it is not clear which change is meant.
    """
    problems: list[NoPlace] = []
    for exact in (True,) if block.exact else (True, False):
        found: list[tuple[str, str, Change]] = []
        for search, new in block.readings:
            try:
                found.append((search, new, find(text, search, new, exact, prose)))
            except NoPlace as problem:
                problems.append(problem)
        if not found:
            continue
        search, new, change = found[0]
        several = len(block.readings) > 1
        # If the file has a line of `=` next, SEARCH may have meant to go on there, and be misquoted behind that line.
        goes_on = is_divider(text[change.end :].partition("\n")[0])
        if (several and (not exact or goes_on)) or (_edged(new) and not _edged(search)):
            raise NoPlace(_UNCLEAR)
        return change
    raise next((p for p in problems if "match the file" not in str(p)), problems[-1])


_UNCLEAR = (
    "has a line of `=` that could belong to its text or end its SEARCH; quote the file to the letter, with a line more "
    "before and after that one, or write it with ten or more signs"
)


def find(text: str, search: str, new: str, exact: bool, prose: bool) -> Change:
    """The only place of a SEARCH, and what replaces it.

    Raises:
        NoPlace: there is no such place, or several.
    """
    if not search.strip():
        if text.strip():
            raise NoPlace("has an empty SEARCH, but the file is not empty")
        return Change(0, len(text), new)
    lines = _lines(text)
    for wanted, given in [(_lines(search), _lines(new))] if exact else _variants(_lines(search), _lines(new)):
        for key, adapt in _WAYS[:1] if exact else _WAYS:
            fits = [
                (place, put)
                for place in _places(text, wanted, key)
                if (put := adapt(wanted, _bare(lines[place : place + len(wanted)]), given)) is not None
            ]
            if len(fits) > 1:
                raise NoPlace(f"matches {len(fits)} places; quote more lines so that it matches one")
            if fits:
                return _change(text, lines, fits[0][0], len(wanted), fits[0][1])
    if any(line.strip() == "..." for line in _lines(search)):
        raise NoPlace("leaves lines out with '...'; quote every line")
    if prose and not exact:
        places = in_a_line(text, search, new)
        if len(places) > 1:
            raise NoPlace("matches several places; quote more words so that it matches one")
        if places:
            return Change(*places[0])
    raise NoPlace("does not match the file")


def stands_in(text: str, part: str, prose: bool) -> bool:
    """Whether a text contains these lines, or, in prose, these words."""
    return bool(part.strip()) and (
        bool(_places(text, _lines(part), _bare_line)) or (prose and bool(in_a_line(text, part, "")))
    )


def _change(text: str, lines: Lines, place: int, count: int, put: Lines) -> Change:
    start = sum(len(line) + 1 for line in lines[:place])
    end = min(len(text), start + sum(len(line) + 1 for line in lines[place : place + count]))
    return Change(start, end, "".join(f"{line}\n" for line in put))


def _places(whole: str, wanted: Lines, key: Key) -> list[int]:
    """The numbers of the lines at which the wanted lines occur."""
    text = _keyed(whole, key)
    part = "\n" + "".join(f"{key(line)}\n" for line in wanted)
    places: list[int] = []
    at = text.find(part)
    while at >= 0 and len(places) < MOST_PLACES:
        places.append(text.count("\n", 0, at))
        at = text.find(part, at + 1)
    return places


@lru_cache(maxsize=8)
def _keyed(whole: str, key: Key) -> str:
    return "\n" + "".join(f"{key(line)}\n" for line in _lines(whole))


def _variants(wanted: Lines, given: Lines) -> Iterator[tuple[Lines, Lines]]:
    """SEARCH and REPLACE as they are, then without what answers put around them: fences, and blank lines."""
    yield wanted, given
    if len(wanted) > 2 and fence_of(wanted[0]) is not None and fence_of(wanted[-1]) == "":
        wrapped = len(given) >= 2 and fence_of(given[0]) is not None and fence_of(given[-1]) == ""
        yield wanted[1:-1], given[1:-1] if wrapped else given
    above = next((n for n, line in enumerate(wanted) if line.strip()), 0)
    below = next((n for n, line in enumerate(reversed(wanted)) if line.strip()), 0)
    if above or below:
        blank = next((n for n, line in enumerate(given) if line.strip()), len(given))
        given = given[min(above, blank) :]
        blank = next((n for n, line in enumerate(reversed(given)) if line.strip()), len(given))
        yield wanted[above : len(wanted) - below], given[: len(given) - min(below, blank)]


def _as_given(wanted: Lines, found: Lines, given: Lines) -> Lines | None:
    return given


def _requoted(wanted: Lines, found: Lines, given: Lines) -> Lines | None:
    return requote("\n".join(wanted), "\n".join(found), "\n".join(given)).split("\n") if given else given


def _reindented(wanted: Lines, found: Lines, given: Lines) -> Lines | None:
    """The lines of REPLACE with the file's indentation, or with tabs for spaces or the reverse.

    None if neither fits.
    """
    pairs = [(_indent(w), _indent(f)) for w, f in zip(wanted, found, strict=True) if w.strip()]
    shared = len(os.path.commonprefix([*(w for w, _ in pairs), *(_indent(g) for g in given if g.strip())]))
    shift = pairs[0][1].removesuffix(pairs[0][0][shared:])
    if all(f == shift + w[shared:] for w, f in pairs):
        return [shift + line[shared:] if line.strip() else line for line in given]
    for ours, theirs in ((" ", "\t"), ("\t", " ")):
        indents = [_indent(line) for line in given if line.strip()]
        if not any(w.strip(ours) or f.strip(theirs) for w, f in pairs) and not any(i.strip(ours) for i in indents):
            return _retabbed(pairs, given, ours, theirs)
    return None


def _retabbed(pairs: Sequence[tuple[str, str]], given: Lines, ours: str, theirs: str) -> Lines | None:
    for unit in UNITS:
        each, into = (unit, 1) if ours == " " else (1, unit)
        if all(len(w) * into == len(f) * each for w, f in pairs):
            if any(len(_indent(line)) % each for line in given if line.strip()):
                return None
            return [theirs * (len(_indent(line)) // each * into) + line.lstrip(" \t") for line in given]
    return None


def _edged(text: str) -> bool:
    lines = _lines(text)
    return bool(lines) and (is_divider(lines[0]) or is_divider(lines[-1]))


def _lines(text: str) -> Lines:
    return text.removesuffix("\n").split("\n") if text else []


def _bare_line(line: str) -> str:
    return line.removesuffix("\r")


def _plain(line: str) -> str:
    return _bare_line(line).translate(PLAIN)


def _bare(lines: Lines) -> Lines:
    return [_bare_line(line) for line in lines]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


_WAYS: tuple[tuple[Key, Adapt], ...] = (
    (_bare_line, _as_given),
    (str.rstrip, _as_given),
    (_plain, _requoted),
    (str.strip, _reindented),
)
