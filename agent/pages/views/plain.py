"""Turns fields of BibTeX into plain text: accents, names, and titles with formulas."""

from __future__ import annotations

import re
import unicodedata

from agent.literature.library import Entry
from agent.pages.views.maths import formula
from paper.text.characters import ACCENTS

MOST_NAMES = 6
_LETTERS = {
    **{"l": "ł", "L": "Ł", "o": "ø", "O": "Ø", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å"},
    **{"AA": "Å", "i": "i", "j": "j", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ"},
    **{"NG": "Ŋ", "textendash": "–", "textemdash": "—", "textquoteright": "’", "textquoteleft": "‘"},
}
_MARKS = {accent.strip(): mark for mark, accent in ACCENTS.items()}
_FORMULA = re.compile(r"(?<!\\)\$([^$]+)\$")
_ACCENT = re.compile(r"\\(?:([`'^\"~=.])|([uvHcdkbr])(?![A-Za-z]))\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))")
_LETTER = re.compile(rf"\\({'|'.join(sorted(_LETTERS, key=len, reverse=True))})(?![A-Za-z])(?:\{{\}}|\s+)?")
_SIGN = re.compile(r"\\([&%#_$ ])")


def plain(tex: str) -> str:
    """A field of BibTeX as plain text; a command that is not known is left out, and its argument stays."""
    text = _FORMULA.sub(lambda found: "".join(piece.text for piece in formula(found[1])), tex)
    text = _ACCENT.sub(lambda found: (found[3] or found[4]) + _MARKS[found[1] or found[2]], text)
    text = _SIGN.sub(r"\1", _LETTER.sub(lambda found: _LETTERS[found[1]], text))
    text = re.sub(r"[{}]", "", re.sub(r"\\[A-Za-z]+\s*|\\.", "", text)).replace("~", " ").replace("--", "–")
    return " ".join(unicodedata.normalize("NFC", text).split())


def title_of(entry: Entry) -> str:
    """The work's title."""
    return plain(entry.fields.get("title", "")) or entry.key


def authors_of(entry: Entry) -> str:
    """The first authors by their whole names, e.g. "Leo Gao, Tom Dupré la Tour"; the others are counted."""
    names = [_whole(name) for name in _names(entry)]
    more = len(names) - MOST_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMES])} and {more} more"


def surnames_of(entry: Entry) -> str:
    """How a citation names the authors: "Gao et al.", "Leask and Nanda"."""
    last = [_last(name) for name in _names(entry)]
    if not last:
        return title_of(entry)
    return last[0] + {1: "", 2: f" and {last[-1]}"}.get(len(last), " et al.")


def _names(entry: Entry) -> list[str]:
    return [name.strip() for name in re.split(r"\s+and\s+", entry.fields.get("author", "")) if name.strip()]


def _whole(name: str) -> str:
    last, comma, first = name.partition(",")
    return f"{plain(first)} {plain(last)}" if comma else plain(name)


def _last(name: str) -> str:
    if "," in name:
        return plain(name.partition(",")[0])
    whole = re.fullmatch(r"\{.*\}", name)
    return plain(name) if whole else plain(name).split(" ")[-1]
