"""Numbers as others send them."""

from __future__ import annotations


def number_of(value: object) -> float | None:
    """A number, also one that was sent as text; NaN and infinity are numbers too. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, e.g. "1 run" or "5 runs"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
