"""Reads answers about numbered items: the accepted numbers as ranges in a text, the refused ones one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence


def each_once(accepted: str, refused: Sequence[int], count: int) -> str | None:
    """What is wrong with an answer that should name each of the numbers 1 to `count` once; None if nothing is."""
    numbers = ranges(accepted, count)
    if numbers is None:
        return 'write "accepted" as numbers and ranges, e.g. "1-7, 9, 12-30"'
    named = sorted([*numbers, *refused])
    if named == list(range(1, count + 1)):
        return None
    missing = sorted(set(range(1, count + 1)) - set(named))
    twice = sorted({n for n in named if named.count(n) > 1 or not 1 <= n <= count})
    return f"name each of the numbers 1 to {count} once; missing: {missing[:20]}, twice or unknown: {twice[:20]}"


def ranges(text: str, last: int) -> list[int] | None:
    """The numbers in a text such as "1-7, 9, 12-", where an open end means `last`; None for any other form."""
    numbers: list[int] = []
    for piece in (p.strip() for p in text.split(",") if p.strip()):
        if not (found := re.fullmatch(r"(\d{1,5})(\s*[-–]\s*(\d{1,5})?)?", piece)):
            return None
        numbers += range(int(found[1]), int(found[3] or (last if found[2] else found[1])) + 1)
    return numbers
