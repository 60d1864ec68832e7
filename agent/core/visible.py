"""Makes text from anywhere safe to print: a character that a terminal would obey is shown as its code.

Without this, a file's name, a provider's error or a stranger's record could move the cursor, change the clipboard or
the window's title, or reverse the order of letters. Standard library only.
"""

from __future__ import annotations

import unicodedata

LAYOUT = "\n\t"  # control characters that our own texts use


def visible(text: str, kept: str = LAYOUT) -> str:
    r"""The text with each invisible character replaced by its escape (`\x1b`, `\u202e`), except those in `kept`."""
    if text.translate(dict.fromkeys(map(ord, kept))).isprintable():
        return text
    return "".join(c if c in kept or _is_seen(c) else c.encode("unicode_escape").decode() for c in text)


def line(text: str) -> str:
    r"""`visible` for a text that has to stay on one line: a line end in it is shown as `\n`."""
    return visible(text, "")


def _is_seen(character: str) -> bool:
    """Whether it is a letter, a sign or a space, and no control or format character, half of a pair, or unassigned."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
