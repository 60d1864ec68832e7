"""Words of anybody as a person may see them: a character that a terminal would obey is shown as its code.

The name of a file, a provider's error or a stranger's record could otherwise move the cursor, change the clipboard
or the window's title, or turn the order of letters around. Standard library only.
"""

from __future__ import annotations

import unicodedata

LAYOUT = "\n\t"  # what our own texts are laid out with


def visible(text: str, kept: str = LAYOUT) -> str:
    r"""The text with each character that is not to be seen as its escape: `\x1b`, `\u202e`; those in `kept` stay."""
    if text.translate(dict.fromkeys(map(ord, kept))).isprintable():
        return text
    return "".join(c if c in kept or _is_seen(c) else c.encode("unicode_escape").decode() for c in text)


def line(text: str) -> str:
    r"""`visible` for what has to stay one line: the end of a line in it is shown as `\n`."""
    return visible(text, "")


def _is_seen(character: str) -> bool:
    """Whether it is a letter, a sign or a space; controls, formats, halves of pairs and unassigned ones are not."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
