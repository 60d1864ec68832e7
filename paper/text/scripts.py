"""Which characters a sentence may use: all signs, and letters that cannot be mistaken for other letters.

The checks compare words. A word that only looks like `improves`, because its e is Cyrillic, would escape them, so it is
refused. A Cyrillic name, a Greek symbol or a word in Han is allowed. The rule does not depend on the fonts of the
machine, so that a sentence is cut or kept everywhere alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from paper.text.characters import ACCENTS, GREEK, SPECIAL, writable

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "IDEOGRAPHIC")
_SYMBOLS = ("SCRIPT", "DOUBLE-STRUCK", "BLACK-LETTER", "ALEF", "SUBSCRIPT", "SUPERSCRIPT", "PLANCK")  # alone: ℝ, ℓ
# Letters of Cyrillic and Greek that look like a Latin letter.
_TWINS = frozenset(
    "\u0410\u0412\u0415\u0417\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408\u0410\u0430\u0435"
    "\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u044c\u0433\u043f\u0442\u0432\u043a\u043c"
    "\u043d\u0442\u0491\u04af\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf"
    "\u03c2\u0451\u0401\u0457\u0407"
)


def refused_characters(text: str) -> list[str]:
    """The characters of a sentence's flat text that may not be printed. The private characters of nodes.py are
    allowed."""
    return sorted({c for c in text if not _sign(c)} | {c for word in _WORD.findall(text) for c in _letters(word)})


def _sign(character: str) -> bool:
    """Whether a character that is no letter may be printed: it must have a shape. Letters are judged word by word."""
    category = unicodedata.category(character)
    if "\ue000" <= character <= "\ue004" or writable(character) or category[0] == "L":
        return True
    return category[0] in "PSN" or character in ACCENTS or character == "\u00a0"


def _letters(word: str) -> Iterator[str]:
    """The letters of a word that could be mistaken for others."""
    foreign = [c for c in word if unicodedata.category(c)[0] == "L" and not (writable(c) or c in SPECIAL)]
    plain = any(c.isascii() for c in word)
    for character in foreign:
        script = unicodedata.name(character, "").partition(" ")[0]
        if script in _SCRIPTS:
            continue
        if script == "LATIN" and unicodedata.normalize("NFD", character)[0].isascii():
            continue
        if script in ("CYRILLIC", "GREEK"):
            own = any(c not in _TWINS for c in foreign)
            if character not in _TWINS or (own and not plain):
                continue
        elif len(word) == 1 and character not in GREEK and script in _SYMBOLS:
            continue
        yield character
