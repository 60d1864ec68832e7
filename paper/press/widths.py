"""How wide words are printed, before TeX has seen them, so that a table's columns can be chosen to fit the page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

LINE_PT = 397.0  # width of the text: 5.5 inches
CODE_EM = 0.53  # a letter of the typewriter font
_LONG = 14  # letters of a word that may be broken at its signs


@cache
def _advances() -> dict[int, float]:
    """Widths in em of STIX, which is cut like the paper's Times."""
    import matplotlib
    from fontTools.ttLib import TTFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"
    with TTFont(path, lazy=True) as font:
        widths, unit = font["hmtx"], font["head"].unitsPerEm
        return {code: widths[name][0] / unit for code, name in font.getBestCmap().items()}


def text_pt(text: str, size: float) -> float:
    """Width in points of plain text at a size."""
    return size * sum(_em(c) for c in unicodedata.normalize("NFC", text))


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _advances().get(ord(character), 0.6)


def lines_of(text: str, width: float, size: float) -> list[str]:
    """Words set into lines of a width; a long word is broken at its signs, or where it must be."""
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
    """Parts of a word between which a line may end; all but the first are glued to the one before."""
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
    """The width in points that each column gets; None for one that keeps its natural width.

    What is too much is taken from the widest of the flexible columns, which become equally wide.
    """
    if sum(widths) <= room:
        return [None] * len(widths)
    left = room - sum(w for w, f in zip(widths, flexible, strict=True) if not f)
    waiting = sorted(w for w, f in zip(widths, flexible, strict=True) if f)
    while waiting and waiting[0] <= left / len(waiting):
        left -= waiting.pop(0)
    cap = max(20.0, left / len(waiting)) if waiting else 0.0
    return [cap if f and w > cap else None for w, f in zip(widths, flexible, strict=True)]
