"""Finds the name that was probably meant by a mistyped one.

Standard library only, because launch.py imports it first.
"""

from __future__ import annotations

from collections.abc import Iterable

ALIKE = 0.6  # least difflib ratio (0 to 1); 0.6 accepts one added, missing or swapped letter in short names


def nearest(word: str, names: Iterable[str], alike: float = ALIKE) -> str:
    """The one of `names` that is most similar to `word`; "" if none is similar enough."""
    from difflib import get_close_matches

    there = list(names)
    by_lower = {name.lower(): name for name in reversed(there)}
    if found := get_close_matches(word.lower(), by_lower, 1, alike):
        return by_lower[found[0]]
    longer = [name for name in there if len(word) > 2 and word.lower() in name.lower()]
    return longer[0] if len(longer) == 1 else ""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A remark to append to an error message: "; did you mean NAME?", or "" if no name is similar."""
    found = nearest(word, names)
    return f"; did you mean {found}?" if found else ""
