"""Text to LaTeX, safely: every character that reaches the paper passes through `escape`."""

from __future__ import annotations

import unicodedata

from paper.text.characters import GREEK, SPECIAL, writable


def escape(text: str) -> str:
    """Plain text as LaTeX; what cannot be typeset becomes a question mark."""
    return "".join(_escape_one(c) for c in _quotes(unicodedata.normalize("NFC", text)))


def _escape_one(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character in GREEK:
        return rf"\ensuremath{{\{_greek(character)}}}"
    return character if writable(character) else "?"


def _greek(character: str) -> str:
    return {"lamda": "lambda"}.get(GREEK[character], GREEK[character])


def _quotes(text: str) -> str:
    """Straight double quotes become a pair, as a typesetter would set them."""
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
    """Inline code, breakable after its underscores and dots."""
    return rf"\code{{{code_text(text)}}}"


def code_text(text: str) -> str:
    """What stands inside of \\code: a blank is as wide as a letter, also behind a full stop."""
    return "".join(_code_one(c) for c in text)


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
    return character if " " <= character <= "~" else "?"


def number(text: str) -> str:
    """A number or word from the records: unbreakable, with real minus signs."""
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
