"""Escapes text for LaTeX. Every character that reaches the paper passes through `escape`, `code` or `bibliography`.

A character that the paper's own fonts lack becomes \\uni{x} or, in code, \\mono{x}; glyphs.py makes the fonts of both.
"""

from __future__ import annotations

import re
import unicodedata

from paper.text.characters import ACCENTS, BELOW, GREEK, SPECIAL, invisible, writable


def escape(text: str) -> str:
    """Plain text as LaTeX. Characters without a shape of their own (controls, joiners) are left out."""
    written = _quotes(unicodedata.normalize("NFC", text))
    parts = _OVERLONG.split(written)  # every second part is an overlong word
    return "".join(_breakable(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))


# An address, or a word that is longer than half a line; TeX may break a line inside of it.
_OVERLONG = re.compile(r"(\S*://\S{12,}|\S{56,})")


def _breakable(word: str) -> str:
    """A long word in which a line may end behind each sign, and after 16 letters without one."""
    pieces = re.findall(r"[^/._\-?&=%#:;,+~@]{1,16}[/._\-?&=%#:;,+~@]*|[/._\-?&=%#:;,+~@]+", word)
    return r"\allowbreak{}".join(map(_escaped, pieces))


def _escaped(text: str) -> str:
    return _ACCENTED.sub(_accented, "".join(map(_escape_one, text)))


def outline(text: str) -> str:
    """Text for the title in the PDF's metadata, which can hold every character but no formula."""
    text = "".join(c for c in unicodedata.normalize("NFC", text) if not invisible(c))
    return "".join(SPECIAL[c] if c in _TEX else c for c in text)


def bibliography(text: str) -> str:
    """A .bib text in which the characters that BibTeX or the paper's fonts cannot handle are escaped; its TeX stays.

    Each escaped character stands in braces, so that BibTeX treats it as one letter when it abbreviates and sorts.
    """
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c.isascii() else rf"{{\relax {c}}}" if _plain(c) else f"{{{_escape_one(c)}}}" for c in text)


def _plain(character: str) -> bool:
    return writable(character) and character not in SPECIAL and character not in GREEK


def _escape_one(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character in GREEK:
        return rf"\ensuremath{{\{_greek(character)}}}"
    if writable(character):
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return "" if invisible(character) else rf"\uni{{{character}}}"


_TEX = frozenset("\\{}$&%#_~^")
_ACCENTED = re.compile("([A-Za-z])" + r"\\uni\{([" + "".join(ACCENTS) + r"])\}")


def _accented(match: re.Match[str]) -> str:
    """A letter with a combining mark, for which Unicode has no single character, as a LaTeX accent."""
    letter = {"i": r"\i", "j": r"\j"}.get(match[1], match[1]) if match[2] not in BELOW else match[1]
    return rf"\{ACCENTS[match[2]]}{{{letter}}}"


def _greek(character: str) -> str:
    return {"lamda": "lambda"}.get(GREEK[character], GREEK[character])


def _quotes(text: str) -> str:
    """Turns straight double quotes into opening and closing ones."""
    out, opening = [], True
    for index, character in enumerate(text):
        if character == '"':
            before = text[index - 1] if index else " "
            opening = before.isspace() or before in "([-–—"
            out.append("“" if opening else "”")
        else:
            out.append(character)
    return "".join(out)


def code(text: str) -> str:
    """Inline code; a line may end behind an underscore, a dot or a slash."""
    return rf"\code{{{code_text(text)}}}"


def code_text(text: str) -> str:
    """The argument of \\code. Blanks are as wide as a letter, also behind a full stop."""
    parts = _OVERLONG.split(unicodedata.normalize("NFC", text))
    return "".join(
        r"\allowbreak{}".join("".join(map(_code_one, part[i : i + 16])) for i in range(0, len(part), 16))
        if index % 2
        else "".join(map(_code_one, part))
        for index, part in enumerate(parts)
    )


def _code_one(character: str) -> str:
    if character in "\\{}$&%#_~^":
        return rf"\char{ord(character)}{{}}" + (r"\allowbreak{}" if character == "_" else "")
    if character == " ":
        return r"\ "
    if character in "'`":
        return r"\char13{}" if character == "'" else r"\char18{}"  # straight, in the typewriter's own font
    if character == '"':
        return r"\char34{}"
    if character in "./":
        return character + r"\allowbreak{}"
    if " " <= character <= "~":
        return character
    if unicodedata.category(character) == "Zs":
        return r"\ "
    return "" if invisible(character) else rf"\mono{{{character}}}"


def number(text: str) -> str:
    """A number or words from the records, with real minus signs; a short number is not broken over lines."""
    escaped = escape(text)
    if any(c.isdigit() for c in text):
        escaped = escaped.replace(" ", "~") if len(text) < 24 else escaped
        escaped = _minus(escaped)
    return escaped


def _minus(text: str) -> str:
    out = []
    for index, character in enumerate(text):
        starts = index == 0 or text[index - 1] in "(~ "
        if character == "-" and starts and text[index + 1 : index + 2].isdigit():
            out.append(r"\ensuremath{-}")
        else:
            out.append(character)
    return "".join(out)
