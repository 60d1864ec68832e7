"""Decides what a failed call means: ask again after a wait, or stop with one clear line.

And whether it was paid for.
"""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime

from agent.core.errors import InfrastructureError, causes
from agent.core.wire import why_unbearable
from agent.llm.names import nearest
from agent.llm.providers import key_variable, load_litellm, scrub

OUTAGE_TRIES = 10  # with the waits of litellm_model.py, a provider may be out of order for about eight minutes
HANG_TRIES = 4  # fewer, because each try takes a whole time-out
REPLY_TRIES = 3  # for answers that came and are of no use
LONGER_CONTEXT = "choose a model with a longer one, or let its server hold a longer one and state it with --context N"
# What providers write if a request is too long; the last two are llama.cpp's.
_TOO_LONG = ("context length", "context window", "prompt is too long", "context size", "exceed_context_size")


class Passing(Exception):
    """A fault that may have passed after a wait. `wait_s` is the wait that the provider asked for, if it did."""

    def __init__(self, text: str, tries: int, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.tries = tries
        self.wait_s = wait_s


class Away(InfrastructureError):
    """A provider cannot be used now: all tries failed, the account is empty, or no server answers at its address.

    If `lasts` is true, asking it again would only take the same time again.
    """

    def __init__(self, text: str, *, lasts: bool = True) -> None:
        super().__init__(text)
        self.lasts = lasts


class Unreached(Passing):
    """No server answers at an address: the address is wrong, or the server is not running."""


class Paid(Exception):
    """Wraps the fault of a try that was, or may have been, paid for."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def judge(model: str, error: Exception, api_base: str | None = None, sent: str = "") -> Exception:
    """What an exception of litellm means: a Passing to wait, an InfrastructureError to stop; Paid around either.

    `api_base` is the server that was asked, if it is the person's own; `sent` tells how long the request was.
    """
    litellm = load_litellm()
    if unbearable := why_unbearable(error):
        return Paid(Passing(unbearable, REPLY_TRIES))
    if refused := unreached(error):
        return Unreached(f"no server answers at {api_base or refused}", OUTAGE_TRIES)
    said = one_line(error)
    low = said.lower()
    status = getattr(error, "status_code", None)
    if isinstance(error, litellm.ContextWindowExceededError) or any(words in low for words in _TOO_LONG):
        cause = f"the request{f' ({sent})' if sent else ''} is longer than the model's context"
        return stop(model, cause, LONGER_CONTEXT, said)
    if isinstance(error, litellm.ContentPolicyViolationError) or "safety system" in low or "content polic" in low:
        return stop(model, "the provider's content filter refused the request", "choose another model", said)
    if (
        status == 402
        or "insufficient_quota" in low
        or "current quota" in low
        or "insufficient credits" in low
        or "credit balance" in low
    ):
        return Away(_line(model, "the account has no credit left", "top it up, then resume", said))
    if status in (401, 403):
        return stop(model, f"the provider refuses the key ({status})", f"set {key_variable(model)}", said)
    if status == 404 or "model_not_found" in low or "valid model" in low or "provider not provided" in low:
        near = nearest(model, api_base)
        remedy = f"check its name (provider/model){f'; {near}' if near else ''}"
        return stop(model, "the provider does not know this model", remedy, said)
    if status in (400, 413, 422):
        return stop(model, f"the provider does not accept the request ({status})", "choose another model", said)
    if status is None:
        return Paid(Passing(f"the call failed: {said}", REPLY_TRIES))
    if isinstance(error, litellm.Timeout):
        return Paid(Passing("no answer in time", HANG_TRIES))
    word = "rate limit" if status == 429 else "provider fault"
    return Passing(f"{word} ({status}): {said}", OUTAGE_TRIES, _retry_after(error))


def stop(model: str, cause: str, mend: str, said: str) -> InfrastructureError:
    """The error with which the session stops, as one line."""
    return InfrastructureError(_line(model, cause, mend, said))


def unreached(error: BaseException | None) -> str:
    """The address that took no connection, which litellm reports as a server's fault; "" if there was a connection."""
    from httpx import ConnectError

    url = next((cause.request.url for cause in causes(error) if isinstance(cause, ConnectError)), None)
    return f"{url.scheme}://{url.netloc.decode()}" if url else ""


def _line(model: str, cause: str, mend: str, said: str) -> str:
    return f"model {model}: {cause}; {mend}. Finished work is kept. (it said: {said})"


def one_line(error: Exception) -> str:
    """The provider's message, without litellm's prefixes, keys and tracebacks."""
    text = str(error).split("Traceback (most recent call last)")[0]
    text = re.sub(r"\b(?:litellm\.)?[A-Za-z]+(?:Error|Exception):? (?:- )?", "", text)
    return short(text) or type(error).__name__


def short(text: str, limit: int = 240) -> str:
    """A provider's text as part of one line: without keys, at most `limit` characters."""
    text = " ".join(scrub(text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _retry_after(error: Exception) -> float | None:
    headers = (
        getattr(error, "litellm_response_headers", None)
        or getattr(getattr(error, "response", None), "headers", None)
        or {}
    )
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
        # By the provider's clock, if it sends its time
        now = parsedate_to_datetime(headers.get("date") or formatdate(usegmt=True))
        return max(0.0, until.timestamp() - now.timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
