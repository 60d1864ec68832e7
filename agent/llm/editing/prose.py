"""Finds quoted words inside a line, for prose files, in which a paragraph is one line and a change is a sentence."""

from __future__ import annotations

import difflib
import re
from itertools import islice

from agent.llm.editing.quotes import PLAIN, SAME, requote

MAX_SENTENCES = 2000  # of a file that are compared with what was quoted
MAX_SENTENCE = 600  # characters that are compared, because the time grows with their square
MAX_WORDS = 10_000  # characters of a quotation that is searched for
SIMILAR = 0.5
# A blank may also be a line end, because answers break lines, but not before a list item, heading or table row.
_BLANK = r"(?:[ \t\u00a0]+|[ \t]*\r?\n[ \t]*(?![-*+#>|]|\d+[.)]\s|```))"
_PARAGRAPH = r"[ \t]*\r?\n(?:[ \t]*\r?\n)+[ \t]*"
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")


def in_a_line(text: str, search: str, new: str) -> list[tuple[int, int, str]]:
    """The places of quoted words in a text, at most two, each as (start, end, replacement)."""
    words = search.strip()
    if len(words) > MAX_WORDS or not any(c.isalnum() for c in words):
        return []
    lead, trail = search[: search.index(words[0])], search[len(search.rstrip()) :]
    new = new.removeprefix(lead).removesuffix(trail)
    for pattern in (re.escape(words), _loose(words)):
        found = list(islice(re.finditer(_whole_words(words, pattern), text), 2))
        if found:
            return [_put(text, match.start(), match.end(), _marked(words, match[0], new)) for match in found]
    return []


def closest(text: str, search: str) -> str:
    """The sentence of a text that is most similar to a quotation; "" if none is similar enough."""
    sentences = [s for s in _SENTENCE.split(text) if s.strip() and len(s) <= MAX_SENTENCE][:MAX_SENTENCES]
    wanted = max((s for s in _SENTENCE.split(search.strip()) if s.strip()), key=len, default="")
    return "\n".join(difflib.get_close_matches(wanted[:MAX_SENTENCE], sentences, n=1, cutoff=SIMILAR))


def _whole_words(words: str, pattern: str) -> str:
    before = r"(?<!\w)" if words[0].isalnum() else ""
    after = r"(?!\w)" if words[-1].isalnum() else ""
    return f"{before}{pattern}{after}"


def _loose(words: str) -> str:
    """A pattern for the same words with other quotation marks and other line breaks."""
    parts = []
    for part in re.split(r"(\s+)", words.translate(PLAIN)):
        if part.isspace():
            parts.append(_PARAGRAPH if part.count("\n") > 1 else _BLANK)
        else:
            parts.append("".join(SAME.get(c, re.escape(c)) for c in part))
    return "".join(parts)


def _marked(words: str, found: str, new: str) -> str:
    return requote(words, found, new) if words.translate(PLAIN) == found.translate(PLAIN) else new


def _put(text: str, start: int, end: int, new: str) -> tuple[int, int, str]:
    """The change at this place; if words are deleted, a blank beside them is deleted as well."""
    if not new.strip():
        if text[end : end + 1] == " ":
            end += 1
        elif text[start - 1 : start] == " ":
            start -= 1
        return start, end, ""
    return start, end, new
