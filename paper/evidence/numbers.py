"""How a measured number is written: its standard error decides how many digits are shown. Formatting only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PLUS_MINUS = "±"


@dataclass(frozen=True)
class Quantity:
    """A number with the standard error of its mean (None: there was one value only)."""

    value: float
    se: float | None = None
    signed: bool = False
    unit: str = ""
    places: int | None = None  # decimals that a table's column asks for; None: those that the error supports

    @property
    def decimals(self) -> int:
        if self.places is not None:
            return self.places
        if self.se is None or self.se <= 0:
            return decimals_for_value(self.value)
        return decimals_for_error(self.se)

    def bare(self) -> str:
        """The value alone, with the digits its error supports."""
        return fixed(self.value, self.decimals, self.signed) + self.unit

    def error(self) -> str:
        """The error alone: "0" only if all values are equal, "< 0.001" if it is too small for the decimals shown.

        Raises:
            ValueError: there is no error.
        """
        if self.se is None:
            raise ValueError("one value has no standard error")
        if self.places is not None and self.se == 0:
            return "0"
        small = self.se > 0 and round(self.se, self.decimals) == 0
        return f"< {fixed(10.0**-self.decimals, self.decimals)}" if small else fixed(self.se, self.decimals)

    def text(self) -> str:
        """The value with its error, as plain text."""
        if self.se is None:
            return self.bare()
        error = self.error()
        if self.unit and not self.unit[0].isspace():  # "(12.0 ± 0.3)%"; a unit that is a word needs no brackets
            return f"({fixed(self.value, self.decimals, self.signed)} {PLUS_MINUS} {error}){self.unit}"
        return f"{fixed(self.value, self.decimals, self.signed)} {PLUS_MINUS} {error}{self.unit}"


def decimals_for_error(se: float) -> int:
    """One significant digit of the error, two where the first is a 1."""
    mantissa, exponent = f"{se:.1e}".split("e")
    return max(0, -int(exponent) + (1 if mantissa[0] == "1" else 0))


def decimals_for_column(column: Sequence[Quantity]) -> int:
    """The number of decimals that all rows of a table's column share.

    It is what the largest error supports, plus one where another row supports one more (an error then has at most two
    significant digits). So that a single run with a huge error does not take the digits from all others, three
    significant digits of the median value are kept where any row supports them. Without errors, the largest value
    gets three significant digits.
    """
    errors = [decimals_for_error(q.se) for q in column if q.se]
    sizes = sorted(abs(q.value) for q in column) or [0.0]
    if not errors:
        return decimals_for_value(sizes[-1])
    most = max(errors)
    return max(min(min(errors) + 1, most), min(decimals_for_value(sizes[len(sizes) // 2]), most))


def decimals_for_value(value: float) -> int:
    """The decimals of a value without an error: three significant digits; whole numbers from 10 on have none."""
    if value == 0 or (float(value).is_integer() and abs(value) >= 10):
        return 0
    return max(0, min(6, 2 - math.floor(math.log10(abs(value)))))


def fixed(value: float, decimals: int, signed: bool = False) -> str:
    """Fixed-point text with commas between thousands; a value that rounds to zero has no minus sign."""
    text = f"{value:,.{decimals}f}"
    if text.startswith("-") and not any(c in "123456789" for c in text):
        text = text[1:]
    return text if text.startswith("-") or not signed else "+" + text


def interval_text(ends: tuple[float, float], unit: str = "") -> str:
    """Both ends of an interval with their signs, e.g. "+0.12 to +0.14"; the digits follow its half width.

    An interval that excludes zero is never printed as touching it, and a zero has no sign.
    """
    low, high = ends
    decimals = decimals_for_error((high - low) / 2) if high > low else decimals_for_value(low)
    while not low <= 0 <= high and decimals < 12 and any(round(end, decimals) == 0 for end in ends):
        decimals += 1
    shown = (fixed(end, decimals, signed=round(end, decimals) != 0) for end in ends)
    return " to ".join(shown) + unit


def setting_text(value: object) -> str:
    """A setting as text: 1048576 as "1,048,576", 3e-4 as "0.0003", 1e-8 as "1e-08", True as "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:.10f}".rstrip("0") if 1e-6 <= abs(value) < 1e6 else f"{value:g}"
    return str(value)


ORDINALS = (
    "",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
CARDINALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def count_text(number: int) -> str:
    """Small counts in words, as in running prose."""
    return CARDINALS[number] if 0 <= number < len(CARDINALS) else f"{number:,}"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c" """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
