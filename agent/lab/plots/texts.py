"""Checks the numbers that are written in a figure: in annotations, titles, legends and tick labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.lab.plots.known import ANY, Known

# A number that is not part of a name: not directly before a letter, nor behind a letter or its hyphen (k8, GPT-2).
_NUMBER = re.compile(r"(?<![\w.^])(?<![A-Za-z]-)[-+\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])\s?%?")
_COUNTED = re.compile(
    r"(?:\b(?:seeds?|runs?|steps?|figure|panel|condition)\s+\d+\b)"
    r"|(?:[±\u00b1]?\s?\b[12](?:\.96)?\s?(?:\u00d7\s?)?(?:standard\s+(?:errors?|deviations?)|s\.?e\.?m?\.?|s\.?d\.?|std|\u03c3))"
    r"|(?:\b(?:90|95|99)\s?%\s*(?:CI\b|confidence|interval))",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"(?:does|do) not (?:start|begin) at (?:zero|0)|(?:starts?|begins?) at \d|(?:cut|truncated|broken) axis",
    re.IGNORECASE,
)


def tells_of_a_cut(text: str) -> bool:
    """Whether the text says that an axis does not begin at zero."""
    return _CUT.search(text) is not None


def problems(
    before: Sequence[str], after: Sequence[str], said: Known, fixed: Sequence[float], names: Sequence[str]
) -> Iterator[str]:
    """Complaints about written numbers that do not come from the records.

    Args:
        before, after: the texts of the figure over the real and the perturbed records, in the order of drawing.
        said: the numbers that may be written; one must agree to the last written digit.
        fixed: counts and settings.
        names: labels, whose digits do not count as numbers.
    """
    paired = len(before) == len(after)
    for place, text in enumerate(before):
        mine = _numbers(text, names)
        partners = _numbers(after[place], names) if paired else []
        for number, one in enumerate(mine):
            other = partners[number] if len(partners) == len(mine) else None
            if not _is_known(one, other, said, fixed):
                yield (
                    f"the words {text[:80]!r} hold {one.strip()}, which does not follow from records.json (or does not "
                    "change with it); compute it from the records or remove it"
                )


def tick_problems(ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    """A complaint if a tick has another number as its label than its position, or its position in percent."""
    for place, label in ticks:
        plain = label.strip().replace("\u2212", "-")
        if not re.fullmatch(r"[-+]?\d+(?:\.\d+)?\s?%?", plain):
            continue
        value = float(plain.rstrip("% "))
        half = _half(plain)
        if not any(abs(value - scale * place) <= half + 1e-6 * abs(scale * place) for scale in (1.0, 100.0)):
            yield f"a tick at {place:g} is called {plain!r}; leave the numbers of an axis to matplotlib"
            return


def _numbers(text: str, names: Sequence[str]) -> list[str]:
    for name in names:
        if any(c.isdigit() for c in name):
            text = text.replace(name, " ")
    return _NUMBER.findall(_COUNTED.sub(" ", text))


def _is_known(one: str, other: str | None, said: Known, fixed: Sequence[float]) -> bool:
    a = _value(one)
    if a in fixed and "%" not in one and (other is None or _value(other) == a):
        return True
    if other is not None and other == one:
        return False  # it was typed, because every measured number has changed
    b = None if other is None else _value(other)
    within = (_half(one) + 1e-9, _half(other or one) + 1e-9)
    return said.holds(a, b, ANY, within) or said.holds(-a, None if b is None else -b, ANY, within)


def _value(written: str) -> float:
    return float(written.replace("\u2212", "-").rstrip("% "))


def _half(written: str) -> float:
    """Half a unit of the last written digit."""
    plain = written.strip().rstrip("% ")
    mantissa, _, exponent = plain.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)
