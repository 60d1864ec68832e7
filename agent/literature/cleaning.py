"""Text from a service that nobody vouches for: one line, bounded, printable, without markup or TeX's own signs."""

from __future__ import annotations

import re
import unicodedata

TITLE, NAME, VENUE, ABSTRACT = 300, 60, 120, 1500  # characters kept
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>|\x1b\[[0-9;]*[A-Za-z]")  # of HTML, of a terminal
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
    """Words for a model to read: no control or invisible characters, no tags, one line."""
    if not isinstance(text, str):
        return ""
    text = unicodedata.normalize("NFC", _TAG.sub(" ", text[: 20 * most]))
    text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(text.split())[:most].strip()


def printable(text: object, most: int) -> str:
    """Words for a bibliography: only letters that the paper's fonts hold, and nothing that TeX obeys."""
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
    """One author as "First Last": no comma and no `and`, which BibTeX would read as its own."""
    words = printable(name, NAME).replace(",", " ").split()
    return " ".join(w for w in words if w.lower() != "and" and any(c.isalpha() for c in w))


def identifier(text: object, pattern: str) -> str:
    """An identifier that has exactly its form, or nothing."""
    return text if isinstance(text, str) and re.fullmatch(pattern, text) else ""


def same(title: str) -> str:
    """What two spellings of one title have in common."""
    return re.sub(r"[^a-z0-9]", "", _ascii(title))


def key(authors: tuple[str, ...], year: int | None, title: str) -> str:
    """A citation key like those of the library: cunningham2023sparse."""
    last = re.sub(r"[^a-z]", "", _ascii(authors[0].split()[-1])) if authors else ""
    words = [w for w in re.findall(r"[a-z0-9]+", _ascii(title)) if w not in _STOP and len(w) > 2]
    return f"{(last or 'anon')[:30]}{year or 'nd'}{(words[0] if words else 'work')[:30]}"


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
