"""Reads a provider's answer in whatever form it has, even if litellm refuses it.

An answer with status 200 is paid for, so it is used if it can be read, and its cost is counted in any case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.core.exchange import Message, Reply
from agent.llm.faults import REPLY_TRIES, Paid, Passing, short, stop
from agent.llm.providers import is_ollama, load_litellm
from agent.llm.thinking import UNFINISHED, cut
from agent.llm.usage import stated

_TEXTS = (None, "text", "output_text")  # types of parts that are text; others are thoughts, calls or pictures
# Every answer has one of these keys, and no error has.
_ANSWERS = ("choices", "candidates", "usage", "message", "content", "prompt_eval_count")
_CUT = ("length", "max_tokens")


class Wire:
    """Gets from litellm the provider's answer as it came, before litellm parses it or fails to."""

    def __init__(self) -> None:
        self.body: dict[str, Any] | None = None  # None: no answer has come

    def hear(self, details: Mapping[str, Any]) -> None:
        """To be passed to litellm as `logger_fn`, which is called with other things than answers too."""
        text = details.get("original_response")
        try:
            found = json.loads(text) if isinstance(text, str) and self.body is None else None
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict) and not found.get("error") and any(found.get(name) is not None for name in _ANSWERS):
            self.body = found


def took(model: str, messages: Sequence[Message], body: Mapping[str, Any], listed: float | None = None) -> Reply:
    """What an answer cost, usable or not, as a Reply without text. `listed` is its cost by litellm's price list."""
    text = _text(_parts(body)[0].get("content")) or ""
    return stated(model, messages, text, body.get("usage") or body, listed)


def read(body: Mapping[str, Any], spent: Reply) -> Reply:
    """The reply in an answer; `spent` is what it cost.

    Raises:
        Paid: there is no reply in it. The cause says whether another try may help.
    """
    model, (message, finish) = spent.model, _parts(body)
    if body.get("choices") == []:
        raise Paid(Passing("an answer without a choice", REPLY_TRIES))
    refusal = _mapping(message.get("provider_specific_fields")).get("refusal") or message.get("refusal")
    if refusal:
        raise Paid(stop(model, "the model refused to answer", "choose another model", short(str(refusal))))
    if finish in ("content_filter", "refusal"):
        raise Paid(stop(model, "the provider's content filter cut the answer", "choose another model", finish))
    if finish in _CUT:
        raise Paid(Passing("the answer was truncated at the model's output limit", REPLY_TRIES))
    found = _text(message.get("content"))
    text = cut(found or "").lstrip("\n").encode("utf-8", "replace").decode()
    if text.endswith(UNFINISHED):
        raise Paid(Passing("the answer was truncated in its thinking", REPLY_TRIES))
    if not text.strip():
        kind = "a tool call instead of text" if message.get("tool_calls") else "an empty answer"
        if found is None:
            kind = f"an answer whose text cannot be read ({short(json.dumps(message.get('content')), 80)})"
        raise Paid(Passing(kind, REPLY_TRIES))
    return replace(spent, text=text, finish=finish)


def listed_cost(model: str, response: Any) -> float | None:
    """The cost of an answer by litellm's price list; None if the model is not on it."""
    if is_ollama(model):
        return None
    try:
        return float(load_litellm().completion_cost(completion_response=response, model=model))
    except Exception:  # a bare Exception: the model is not on the price list
        return None


def _parts(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The message in an answer, and the reason for which it ended."""
    choices = body.get("choices")
    choice = _mapping(choices[0] if isinstance(choices, list) and choices else choices) or body
    message = choice if choice.get("message") is None else choice["message"]
    if not isinstance(message, Mapping):
        message = {"content": message}
    if "content" not in message and "text" in message:
        message = {**message, "content": message["text"]}
    finish = choice.get("finish_reason") or choice.get("stop_reason") or choice.get("done_reason")
    return message, finish if isinstance(finish, str) else "stop"


def _text(content: object) -> str | None:
    """The text in a message's content; None if the content has a form in which no text can be found."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, Mapping):
        text = content.get("text") if content.get("type") in _TEXTS else ""
        return text if isinstance(text, str) else None
    if isinstance(content, list):
        parts = [_text(part) for part in content]
        return None if None in parts else "".join(part for part in parts if part)
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
