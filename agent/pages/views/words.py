"""Times, sizes and shortened texts as the pages print them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


def moment(at: float) -> str:
    """A time of day in UTC, e.g. "2026-11-30 04:03 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso(at: float) -> str:
    """The same time in ISO 8601, for machines."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lasted(seconds: float) -> str:
    """A duration in its two largest units, e.g. "3 min 12 s" or "2 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} days"


def ago(seconds: float) -> str:
    """How long ago something was, in one unit, e.g. "5 min ago"."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= (2 if unit == "days" else 1) * size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def money(usd: float, unpriced: int = 0) -> str:
    """US dollars, with a mark where some calls have no known price."""
    return f"${usd:.2f}" + (" and more" if unpriced else "")


def compact(number: float) -> str:
    """A count of tokens in three digits, e.g. "2.3k"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


@dataclass(frozen=True)
class Shortened:
    """The head and the tail of a text; `left_out` counts the characters between them."""

    head: str
    tail: str = ""
    left_out: int = 0


def shortened(text: str, most: int) -> Shortened:
    """At most `most` characters: three quarters of them from the head, the rest from the tail."""
    if len(text) <= most:
        return Shortened(text)
    head = 3 * most // 4
    return Shortened(text[:head], text[len(text) - (most - head) :], len(text) - most)


def ended(text: str, most: int) -> Shortened:
    """The last `most` characters, because the end of a log or a traceback says most."""
    return Shortened(text) if len(text) <= most else Shortened("", text[-most:], len(text) - most)
