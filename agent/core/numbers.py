"""Reads numbers that others sent, and writes numbers with their nouns."""

from __future__ import annotations


def number_of(value: object) -> float | None:
    """The number in a value, which may be a text; NaN and infinity count as numbers. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, e.g. "1 run" or "5 runs"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
