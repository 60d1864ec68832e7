"""The name that was probably meant by a mistyped one. Standard library only: launch.py reads this first."""

from __future__ import annotations

from collections.abc import Iterable

ALIKE = 0.6  # of difflib's ratio, 0 to 1; 0.6 takes a letter too many, too few or swapped in short names


def nearest(word: str, names: Iterable[str], alike: float = ALIKE) -> str:
    """The one of `names` that is most like `word`; "" where none is like it."""
    from difflib import get_close_matches

    there = list(names)
    by_lower = {name.lower(): name for name in reversed(there)}
    if found := get_close_matches(word.lower(), by_lower, 1, alike):
        return by_lower[found[0]]
    longer = [name for name in there if len(word) > 2 and word.lower() in name.lower()]
    return longer[0] if len(longer) == 1 else ""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A remark to append to a complaint: "; did you mean NAME?", or "" where no name is like it."""
    found = nearest(word, names)
    return f"; did you mean {found}?" if found else ""
