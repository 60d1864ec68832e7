"""Cleans text from literature services: one bounded line, without markup, control characters and TeX's own signs."""

from __future__ import annotations

import re
import unicodedata

TITLE, NAME, VENUE, ABSTRACT = 300, 60, 120, 1500  # how many characters are kept
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>|\x1b\[[0-9;]*[A-Za-z]")  # HTML tags and terminal colours
_PLAIN = {
    "‐": "-",
    "‑": "-",
    "‒": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "‘": "'",
    "’": "'",
    "“": "'",
    "”": "'",
    "…": "...",
    '"': "'",
    "×": "x",
    "ß": "ss",
}
_TEX = frozenset("\\{}$^~`<>|")
_STOP = frozenset(
    [
        "and",
        "are",
        "can",
        "does",
        "for",
        "from",
        "how",
        "into",
        "the",
        "toward",
        "towards",
        "via",
        "what",
        "when",
        "why",
        "with",
        "without",
    ]
)


def prose(text: object, most: int = ABSTRACT) -> str:
    """Text for a model: one line of at most `most` characters, without tags and invisible characters.

    "" for no text.
    """
    if not isinstance(text, str):
        return ""
    text = unicodedata.normalize("NFC", _TAG.sub(" ", text[: 20 * most]))
    text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(text.split())[:most].strip()


def printable(text: object, most: int) -> str:
    """Text for a bibliography: only characters that the paper's fonts have, and none that TeX interprets."""
    letters = "".join(_letter(c) for c in prose(text, most))
    return " ".join("".join(c for c in letters if c not in _TEX).split())


def _letter(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if " " <= character <= "~" or "\u00c0" <= character <= "\u017e":
        return character
    name = unicodedata.name(character, "")
    if name.startswith("GREEK ") and "LETTER" in name:
        return unicodedata.normalize("NFD", name.split(" LETTER ")[1]).split()[0].lower()
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()


def person(name: object) -> str:
    """One author as "First Last", without commas and the word "and", which BibTeX would interpret."""
    words = printable(name, NAME).replace(",", " ").split()
    return " ".join(w for w in words if w.lower() != "and" and any(c.isalpha() for c in w))


def identifier(text: object, pattern: str) -> str:
    """The text if it matches the pattern as a whole; "" otherwise."""
    return text if isinstance(text, str) and re.fullmatch(pattern, text) else ""


def same(title: str) -> str:
    """A title reduced to ASCII letters and digits, which is the same for different spellings."""
    return re.sub(r"[^a-z0-9]", "", _ascii(title))


def key(authors: tuple[str, ...], year: int | None, title: str) -> str:
    """A citation key in the library's form, e.g. cunningham2023sparse."""
    last = re.sub(r"[^a-z]", "", _ascii(authors[0].split()[-1])) if authors else ""
    words = [w for w in re.findall(r"[a-z0-9]+", _ascii(title)) if w not in _STOP and len(w) > 2]
    return f"{(last or 'anon')[:30]}{year or 'nd'}{(words[0] if words else 'work')[:30]}"


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
