"""Marks in a request up to where a provider should cache it: at the ends of parts that later requests repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.core.exchange import Message
from agent.llm.providers import load_litellm

# A line of a prompt. The text above it is the same in the next request of its kind. The line itself is not sent.
STAYS_ABOVE = "<!-- above this line stays the same -->"
MOST = 4  # marks that Anthropic accepts in one request
_MARK = {"cache_control": {"type": "ephemeral"}}


def with_cache_markers(model: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages in litellm's form, with up to MOST marks if the model's provider caches only what is marked.

    The marks are at the end of the system message, at each line STAYS_ABOVE, and at the end of the last message but
    one, because the next request of a conversation repeats everything up to there. If these are too many, the one of
    the system message and the last ones are kept.
    """
    texts = [message.content.split(f"{STAYS_ABOVE}\n") for message in messages]
    if not _wants_marks(model):
        return [{"role": m.role, "content": "".join(parts)} for m, parts in zip(messages, texts, strict=True)]
    ends = [(i, part) for i, parts in enumerate(texts) for part in range(len(parts)) if parts[part].strip()]
    wanted = [end for end in ends if _is_repeated(messages, texts, *end)]
    kept = {*wanted[:1], *wanted[1:][-(MOST - 1) :]}
    return [
        {"role": message.role, "content": _content(parts, [(i, part) in kept for part in range(len(parts))])}
        for i, (message, parts) in enumerate(zip(messages, texts, strict=True))
    ]


def _wants_marks(model: str) -> bool:
    """Whether the provider caches only what is marked. Those of Claude do; others cache without marks."""
    return "claude" in model.lower() and bool(load_litellm().utils.supports_prompt_caching(model))


def _is_repeated(messages: Sequence[Message], texts: list[list[str]], i: int, part: int) -> bool:
    """Whether later requests probably begin with everything up to the end of this part."""
    is_last_part = part == len(texts[i]) - 1
    return not is_last_part or messages[i].role == "system" or i == len(messages) - 2


def _content(parts: list[str], marked: list[bool]) -> str | list[dict[str, Any]]:
    """A message's content in litellm's form: one text, or several pieces if one of them is marked."""
    if not any(marked):
        return "".join(parts)
    pieces = [(text, mark) for text, mark in zip(parts, marked, strict=True) if text.strip()]
    return [{"type": "text", "text": text, **(_MARK if mark else {})} for text, mark in pieces]
