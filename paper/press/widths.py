"""Estimates how wide words will be printed, so that a table's columns can be chosen before TeX runs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

LINE_PT = 397.0  # width of the text: 5.5 inches
CODE_EM = 0.53  # width of a letter of the typewriter font
_LONG = 14  # a longer word may be broken at its signs


@cache
def _advances() -> dict[int, float]:
    """The widths in em of the characters of STIX, whose letters are about as wide as those of the paper's Times."""
    import matplotlib
    from fontTools.ttLib import TTFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"
    with TTFont(path, lazy=True) as font:
        widths, unit = font["hmtx"], font["head"].unitsPerEm
        return {code: widths[name][0] / unit for code, name in font.getBestCmap().items()}


def text_pt(text: str, size: float) -> float:
    """The width in points of plain text in letters of `size` points."""
    return size * sum(_em(c) for c in unicodedata.normalize("NFC", text))


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _advances().get(ord(character), 0.6)


def lines_of(text: str, width: float, size: float) -> list[str]:
    """A text broken into lines of a width in points; a word that is too long is broken at its signs, or anywhere."""
    lines: list[str] = []
    for word in text.split():
        for piece, glued in _pieces(word, width, size):
            joined = f"{lines[-1]}{'' if glued else ' '}{piece}" if lines else piece
            if lines and text_pt(joined, size) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines or [""]


def _pieces(word: str, width: float, size: float) -> list[tuple[str, bool]]:
    """The parts of a word between which a line may end, each with whether it belongs to the part before it."""
    if text_pt(word, size) <= width and len(word) <= _LONG:
        return [(word, False)]
    parts: list[str] = []
    for part in re.findall(r"[^_/.\-]+[_/.\-]*|[_/.\-]+", word):
        while text_pt(part, size) > width and len(part) > 1:
            fitting = max(1, next((i for i in range(1, len(part)) if text_pt(part[: i + 1], size) > width), 1))
            parts.append(part[:fitting])
            part = part[fitting:]
        parts.append(part)
    return [(part, index > 0) for index, part in enumerate(parts)]


def shares(widths: Sequence[float], flexible: Sequence[bool], room: float) -> list[float | None]:
    """The width in points that each column gets, so that all fit into `room`; None for one that keeps its own width.

    Only flexible columns are made narrower: the widest of them become equally wide.
    """
    if sum(widths) <= room:
        return [None] * len(widths)
    left = room - sum(w for w, f in zip(widths, flexible, strict=True) if not f)
    waiting = sorted(w for w, f in zip(widths, flexible, strict=True) if f)
    while waiting and waiting[0] <= left / len(waiting):
        left -= waiting.pop(0)
    cap = max(20.0, left / len(waiting)) if waiting else 0.0
    return [cap if f and w > cap else None for w, f in zip(widths, flexible, strict=True)]
