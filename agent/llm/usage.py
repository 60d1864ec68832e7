"""Tokens and cost of a call: the provider's own count if it is believable, else an estimate that is marked as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from agent.core.exchange import Message, Reply
from agent.core.numbers import number_of
from agent.llm.providers import cached_price, price

MOST_TOKENS = 10**9  # of one call; a larger count is not believed
BYTES_A_TOKEN = 4  # roughly, because not every model's tokenizer is at hand
# Providers' names for the tokens sent, for the part of them read from a cache, for the part written to one, and for
# the tokens received.
IN = ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount")
CACHED = ("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount")
KEPT = ("cache_creation_input_tokens",)
OUT = ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount")


def estimated(model: str, messages: Sequence[Message], text: str, why: str) -> Reply:
    """Tokens and cost of an exchange as a Reply without text, estimated by the length of its texts and listed prices.

    `why` says why this is an estimate.
    """
    return _priced(_reply(model, _tokens(*(m.content for m in messages)), _tokens(text), why))


def stated(model: str, messages: Sequence[Message], text: str, usage: object, listed: float | None) -> Reply:
    """Tokens and cost of an answer as its provider states them; `listed` is litellm's price for this usage.

    What is missing, negative, not a number or too large is estimated.
    """
    said: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    guess = estimated(model, messages, text, "")
    into, out, total = _count(said, IN), _count(said, OUT), _count(said, ("total_tokens",)) or 0
    cached = _cached(said)
    if into is not None and "prompt_tokens" not in said and "input_tokens" in said:
        into += cached + (_count(said, KEPT) or 0)  # Anthropic does not include these in input_tokens
    whole = into is not None and (out is not None or not text)
    if into is None:
        into = max(guess.tokens_in, total - (out or guess.tokens_out))
    if out is None:
        out = max(guess.tokens_out, total - into)
    why = "" if whole else "the provider states no usage that can be believed"
    reply = replace(_reply(model, into, out, why), tokens_cached=min(cached, into))
    cost = number_of(said.get("cost"))  # openrouter says what it charged
    if believable(cost):
        return replace(reply, cost_usd=cost)
    if said.get("cost") is not None:
        reply = replace(reply, estimated=reply.estimated or f"the provider states a cost of {str(said['cost'])[:20]}")
    return replace(reply, cost_usd=listed) if whole and believable(listed) else _priced(reply)


def checked(reply: Reply, messages: Sequence[Message]) -> Reply:
    """The reply of any model, also of one that a caller handed in, with counts and a cost that can be added up."""
    if not all(type(count) is int and 0 <= count <= MOST_TOKENS for count in (reply.tokens_in, reply.tokens_out)):
        guess = estimated(reply.model, messages, reply.text, "the model states tokens that cannot be believed")
        reply = replace(reply, tokens_in=guess.tokens_in, tokens_out=guess.tokens_out, estimated=guess.estimated)
    if type(reply.tokens_cached) is not int or not 0 <= reply.tokens_cached <= reply.tokens_in:
        reply = replace(reply, tokens_cached=0)
    if reply.cost_usd is not None and not believable(reply.cost_usd):
        why = reply.estimated or f"the model states a cost of {str(reply.cost_usd)[:20]}"
        reply = _priced(replace(reply, estimated=why))
    return reply


def believable(cost: object) -> TypeGuard[float]:
    """Whether a value can be a cost: a finite number that is not negative."""
    return isinstance(cost, int | float) and not isinstance(cost, bool) and math.isfinite(cost) and cost >= 0


def _reply(model: str, tokens_in: int, tokens_out: int, why: str) -> Reply:
    return Reply(text="", model=model, tokens_in=tokens_in, tokens_out=tokens_out, estimated=why)


def _priced(reply: Reply) -> Reply:
    each = price(reply.model)
    if each is None:
        return replace(reply, cost_usd=None)
    saved = reply.tokens_cached * (each[0] - cached_price(reply.model, each[0]))
    return replace(reply, cost_usd=reply.tokens_in * each[0] + reply.tokens_out * each[1] - saved)


def _tokens(*texts: str) -> int:
    return math.ceil(sum(len(text.encode("utf-8", "replace")) for text in texts) / BYTES_A_TOKEN)


def _count(said: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """The first believable count under these names. 0 is not: every question and every answer has tokens."""
    numbers = (number_of(said.get(name)) for name in names)
    return next((math.ceil(n) for n in numbers if n is not None and 0 < n <= MOST_TOKENS), None)


def _cached(said: Mapping[str, Any]) -> int:
    """How many tokens were read from a cache, wherever a provider states it; 0 if it does not."""
    parts = (said.get("prompt_tokens_details"), said.get("input_tokens_details"), said)
    return next((n for part in parts if isinstance(part, Mapping) and (n := _count(part, CACHED))), 0)
