"""litellm behind protocols.Model: waits out what passes, stops with one clear line at what does not.

Not here: recording calls (calls.py) and what litellm knows offline (providers.py).
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.protocols import Call, Message, Reply, Role, Watch
from agent.core.wire import why_unbearable
from agent.llm.providers import is_ollama, key_variable, load_litellm, price, scrub

if TYPE_CHECKING:
    from tenacity import RetryCallState

OUTAGE_TRIES = 10  # with the waits below: about eight minutes of an ill provider
HANG_TRIES = 4  # each costs a whole time-out
REPLY_TRIES = 3  # for answers that came but are of no use
LONGEST_WAIT_S = 120.0
LONGEST_RETRY_AFTER_S = 900.0
_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>\s*", re.DOTALL)


class Passing(Exception):
    """A fault that may be gone after a wait. `wait_s` is what the provider asked for."""

    def __init__(self, text: str, tries: int, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.tries = tries
        self.wait_s = wait_s


class Paid(Exception):
    """Around a fault of a try that is paid for, or may be."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class LiteLLMModel:
    """Every role's model through litellm. `notify` gets one line for each wait."""

    def __init__(
        self,
        names: Mapping[Role, str],
        *,
        timeout_s: float,
        notify: Callable[[str], None],
        api_base: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.names = dict(names)
        self.timeout_s = timeout_s
        self.notify = notify
        self.api_base = api_base
        self.sleep = sleep

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        """Ask the role's model.

        Raises:
            InfrastructureError: no usable answer; the line names model, cause and mend.
        """
        from tenacity import Retrying, retry_if_exception_type

        model = self.names[call.role]

        def stop(state: RetryCallState) -> bool:
            fault = _fault(state)
            too_long = (fault.wait_s or 0.0) > LONGEST_RETRY_AFTER_S
            return too_long or state.attempt_number >= fault.tries

        def wait(state: RetryCallState) -> float:
            asked = _fault(state).wait_s
            return asked if asked is not None else min(LONGEST_WAIT_S, 2.0**state.attempt_number)

        def tell(state: RetryCallState) -> None:
            fault, seconds = _fault(state), wait(state)
            call.watch.waits(seconds)
            self.notify(
                f"{model}: {fault}; asking again in {seconds:g} s (try {state.attempt_number + 1} of {fault.tries})"
            )

        retrying = Retrying(
            retry=retry_if_exception_type(Passing),
            stop=stop,
            wait=wait,
            before_sleep=tell,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, model, messages, call.watch)
        except Passing as fault:
            raise _given_up(model, call, fault) from None

    def _ask_once(self, model: str, messages: Sequence[Message], watch: Watch) -> Reply:
        said = [{"role": m.role, "content": m.content} for m in messages]
        litellm = load_litellm()  # before the clock runs: the first import takes seconds
        spent, options = _sent(model, messages), self._options(model, messages)
        try:
            outcome = self._within_the_deadline(lambda: litellm.completion(model=model, messages=said, **options))
            if isinstance(outcome, Exception):
                raise _judge(model, outcome) from None
            spent = _spent(model, outcome)
            return _read(outcome, spent)
        except Paid as fault:  # a provider takes money for what it made, of use or not
            watch.wasted(spent, str(fault))
            raise fault.cause from None

    def _within_the_deadline(self, ask: Callable[[], Any]) -> Any:
        """The answer, or the exception asking ended with. A drip of bytes does not stretch the deadline."""
        box: queue.Queue[Any] = queue.Queue()

        def work() -> None:
            try:
                box.put(ask())
            except Exception as error:  # litellm's own and those of the libraries below it
                box.put(error)

        # a daemon of our own: a pool's threads would keep a stopped program alive until the provider hangs up
        threading.Thread(target=work, name="model call", daemon=True).start()
        try:
            return box.get(timeout=self.timeout_s)
        except queue.Empty:
            raise Paid(Passing(f"no whole answer within {self.timeout_s:g} s", HANG_TRIES)) from None

    def _options(self, model: str, messages: Sequence[Message]) -> dict[str, Any]:
        options: dict[str, Any] = {"timeout": self.timeout_s, "max_retries": 0, "num_retries": 0, "stream": False}
        if self.api_base:
            options["api_base"] = self.api_base
            if load_litellm().validate_environment(model).get("missing_keys"):
                options["api_key"] = "none"  # local servers want none, their client wants one
        if is_ollama(model):
            # ollama cuts a prompt to its default context without a word
            options["num_ctx"] = sum(len(m.content) for m in messages) // 3 + 8192
        return options


def _fault(state: RetryCallState) -> Passing:
    """What the last try ended with; tenacity asks about faults that pass, and about no others."""
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, Passing)
    return fault


def _judge(model: str, error: Exception) -> Exception:
    """What an exception of litellm means: wait (Passing) or stop (InfrastructureError)."""
    litellm = load_litellm()
    if unbearable := why_unbearable(error):
        return Paid(Passing(unbearable, REPLY_TRIES))
    said = _one_line(error)
    low = said.lower()
    status = getattr(error, "status_code", None)
    if isinstance(error, litellm.ContextWindowExceededError) or "context length" in low:
        return _stop(model, "the request is longer than the model's context", "choose a model with a longer one", said)
    if isinstance(error, litellm.ContentPolicyViolationError) or "safety system" in low or "content polic" in low:
        return _stop(model, "the provider's content filter refused the request", "choose another model", said)
    if (
        status == 402
        or "insufficient_quota" in low
        or "current quota" in low
        or "insufficient credits" in low
        or "credit balance" in low
    ):
        return _stop(model, "the account has no credit left", "top it up, then resume", said)
    if status in (401, 403):
        return _stop(model, f"the provider refuses the key ({status})", f"set {key_variable(model)}", said)
    if status == 404 or "model_not_found" in low or "valid model" in low or "provider not provided" in low:
        return _stop(model, "the provider does not know this model", "check its name (provider/model)", said)
    if status in (400, 413, 422):
        return _stop(model, f"the provider does not accept the request ({status})", "choose another model", said)
    if status is None:
        return Paid(Passing(f"the call failed: {said}", REPLY_TRIES))
    if isinstance(error, litellm.Timeout):
        return Paid(Passing("no answer in time", HANG_TRIES))
    word = "rate limit" if status == 429 else "provider fault"
    return Passing(f"{word} ({status}): {said}", OUTAGE_TRIES, _retry_after(error))


def _read(response: Any, spent: Reply) -> Reply:
    """The reply in a response that came."""
    model = spent.model
    if not getattr(response, "choices", None):
        raise Paid(Passing("an answer without a choice", REPLY_TRIES))
    choice = response.choices[0]
    message, finish = choice.message, str(choice.finish_reason or "stop")
    refusal = (message.provider_specific_fields or {}).get("refusal") or getattr(message, "refusal", None)
    if refusal:
        raise Paid(_stop(model, "the model refused to answer", "choose another model", _short(str(refusal))))
    if finish in ("content_filter", "refusal"):
        raise Paid(_stop(model, "the provider's content filter cut the answer", "choose another model", finish))
    if finish == "length":
        raise Paid(Passing("the answer was truncated at the model's output limit", REPLY_TRIES))
    text = _THINKING.sub("", message.content or "").lstrip("\n").encode("utf-8", "replace").decode()
    if not text.strip():
        kind = "a tool call instead of text" if message.tool_calls else "an empty answer"
        raise Paid(Passing(kind, REPLY_TRIES))
    return replace(spent, text=text, finish=finish)


def _spent(model: str, response: Any) -> Reply:
    """What a response took, by the provider's own count."""
    usage = getattr(response, "usage", None)
    return Reply(
        text="",
        model=model,
        tokens_in=int(getattr(usage, "prompt_tokens", 0) or 0),
        tokens_out=int(getattr(usage, "completion_tokens", 0) or 0),
        cost_usd=_cost(model, response, usage),
    )


def _sent(model: str, messages: Sequence[Message]) -> Reply:
    """What a request takes of which nothing comes back: an estimate, at four characters a token."""
    tokens, each = sum(len(m.content) for m in messages) // 4, price(model)
    return Reply(text="", model=model, tokens_in=tokens, cost_usd=each and tokens * each[0])


def _cost(model: str, response: Any, usage: Any) -> float | None:
    stated = getattr(usage, "cost", None)  # openrouter says what it charged
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return float(stated)
    if is_ollama(model):
        return None
    try:
        return float(load_litellm().completion_cost(completion_response=response, model=model))
    except Exception:  # a bare Exception: the model is not on the price list
        return None


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
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _stop(model: str, cause: str, mend: str, said: str) -> InfrastructureError:
    return InfrastructureError(f"model {model}: {cause}; {mend}. Finished work is kept. (it said: {said})")


def _given_up(model: str, call: Call, fault: Passing) -> InfrastructureError:
    if fault.wait_s is not None and fault.wait_s > LONGEST_RETRY_AFTER_S:
        how = f"asks to wait {fault.wait_s:g} s; resume then"
    else:
        how = f"{fault.tries} tries were of no use; resume later, or choose another model"
    where = f"{call.step}, call {call.ordinal}"
    return InfrastructureError(f"model {model} ({where}): {fault}; {how}. Finished work is kept.")


def _one_line(error: Exception) -> str:
    """What the provider said, without litellm's prefixes, keys or tracebacks."""
    text = str(error).split("Traceback (most recent call last)")[0]
    text = re.sub(r"\b(?:litellm\.)?[A-Za-z]+(?:Error|Exception):? (?:- )?", "", text)
    return _short(text) or type(error).__name__


def _short(text: str, limit: int = 240) -> str:
    text = " ".join(scrub(text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
