"""Cuts a reasoning model's thinking out of its reply, so that it is never taken for an answer.

A tag that the answer only quotes is kept: inside a SEARCH/REPLACE block, in backticks or quotation marks, or as a pair
inside fenced code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

UNFINISHED = "<think>"  # replaces thinking that never ends, because the reply was cut before the answer began
_NAMES = "think(?:ing)?|thoughts?|reasoning"
_TAG = re.compile(
    rf"<(?P<shut>/)?(?:{_NAMES})(?:\s[^<>\n]*)?>"
    r"|(?P<open>◁think▷|(?-i:\[THINK\])|<\|begin_of_thought\|>)"
    r"|(?P<close>◁/think▷|(?-i:\[/THINK\])|<\|end_of_thought\|>)",
    re.IGNORECASE,
)
# gpt-oss writes in channels; the one called `final` is the answer. Some servers drop the markers between the words.
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)(?:[^<\n]|<\|constrain\|>)*<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_BARE_CHANNELS = re.compile(r"\Aanalysis(?=[A-Z]).*?assistantfinal", re.DOTALL)
_HEAD = re.compile(r"\s*<{5,9} SEARCH>?\s*\Z")
_UPDATED = re.compile(r"\s*>{5,9} REPLACE\s*\Z")
_FENCE = re.compile(r"\s*`{3,}")
_BEFORE_A_QUOTE = "\"'`(\\"
_AFTER_A_QUOTE = "\"'`)]},.;:\\"

Span = tuple[int, int]


def cut(text: str) -> str:
    """The reply without thinking. It ends with UNFINISHED if thinking begins and never ends."""
    text = _final_channel(text)
    blocks, fences = _spans(text)
    kept, since, thinking = [], 0, False  # the answer's parts; where the next begins; whether it is thinking
    for tag in _TAG.finditer(text):
        if _around(tag.start(), blocks) or _quoted(text, tag):
            continue
        opens = not (tag["shut"] or tag["close"])
        if opens and not thinking:
            if not _around(tag.start(), fences):
                kept.append(text[since : tag.start()])
                thinking = True
        elif not opens and thinking:
            since, thinking = tag.end(), False
        elif not opens and not _closes_quoted_pair(text, tag.start(), fences):
            kept, since = [], tag.end()  # a tag closes what no tag opened: everything before it was thinking
    if thinking:
        return "".join([*kept, UNFINISHED])
    return "".join([*kept, text[since:]]).lstrip("\n") if kept or since else text


def _final_channel(text: str) -> str:
    text = _BARE_CHANNELS.sub("", text)
    blocks, fences = _spans(text)
    marks = [
        mark
        for mark in _CHANNEL.finditer(text)
        if not (_around(mark.start(), blocks) or _around(mark.start(), fences) or _quoted(text, mark))
    ]
    if not marks:
        return text
    if marks[-1][1].lower() != "final":
        return UNFINISHED
    answer = text[marks[-1].end() :]
    end = _CHANNEL_END.search(answer)
    return answer[: end.start()] if end and not answer[end.end() :].strip() else answer


def _spans(text: str) -> tuple[list[Span], list[Span]]:
    """The positions of whole SEARCH/REPLACE blocks, and of closed code fences."""
    blocks, fences = [], []
    head: int | None = None
    fence: int | None = None
    for start, line in _lines(text):
        if _HEAD.match(line):
            head = start
        elif _UPDATED.match(line) and head is not None:
            blocks.append((head, start))
            head = None
        elif _FENCE.match(line) and head is None:
            if fence is None:
                fence = start
            elif not line.strip().strip("`"):
                fences.append((fence, start))
                fence = None
    return blocks, fences


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _around(place: int, spans: Sequence[Span]) -> Span | None:
    """The span around a position; None if there is none."""
    number = bisect_right(spans, place, key=lambda span: span[0]) - 1
    return spans[number] if number >= 0 and place < spans[number][1] else None


def _quoted(text: str, tag: re.Match[str]) -> bool:
    """Whether a tag is quoted, by the characters next to it or by being in the middle of a sentence."""
    before, after = text[tag.start() - 1 : tag.start()], text[tag.end() : tag.end() + 1]
    in_a_sentence = before in (" ", "\t") and after in (" ", "\t") and _words_before(text, tag.start())
    return in_a_sentence or bool(before and before in _BEFORE_A_QUOTE) or bool(after and after in _AFTER_A_QUOTE)


def _words_before(text: str, place: int) -> bool:
    return bool(text[text.rfind("\n", 0, place) + 1 : place].strip())


def _closes_quoted_pair(text: str, place: int, fences: Sequence[Span]) -> bool:
    """Whether a closing tag ends a pair that is as a whole inside one fence."""
    fence = _around(place, fences)
    return fence is not None and any(not (t["shut"] or t["close"]) for t in _TAG.finditer(text, fence[0], place))
