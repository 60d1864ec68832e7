"""One try of a call through litellm: sends the request, keeps the deadline, returns the answer or raises the fault.

Not here: further tries and other models (litellm_model.py), what a fault means (faults.py), reading the answer
(received.py) and its cost (usage.py).
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.core.exchange import Call, Message, Reply
from agent.core.wire import begun
from agent.llm.caching import with_cache_markers
from agent.llm.faults import HANG_TRIES, LONGER_CONTEXT, REPLY_TRIES, Paid, Passing, judge, stop
from agent.llm.providers import Stated, asked_as, is_listed, is_ollama, listing, load_litellm, price
from agent.llm.received import Wire, listed_cost, read, took
from agent.llm.sight import shown_to, with_pictures
from agent.llm.structured import refuses_form, response_format
from agent.llm.usage import estimated

TICK_S = 1.0  # between two looks at the clock while an answer is waited for


@dataclass(frozen=True)
class Requests:
    """Asks models, once for each call of `ask`.

    `lasts` is called every second with the model and with how long its answer has taken.
    """

    timeout_s: float
    stated: Stated
    lasts: Callable[[str, float], None]
    formless: set[str] = field(default_factory=set)  # models that do not accept the form of the answer in a request

    def ask(self, model: str, messages: Sequence[Message], call: Call, api_base: str | None) -> Reply:
        """The model's answer.

        Raises:
            Passing: a fault that may be gone after a wait.
            InfrastructureError: a fault that will not pass; the line says what to do about it.
        """
        litellm, wire = load_litellm(), Wire()  # not within the time-out, because the first import takes seconds
        spent = self._charged(estimated(model, messages, "", "nothing came back that says what it took"))
        options = self._options(model, messages, spent.tokens_in, api_base) | {"logger_fn": wire.hear}
        options |= {} if model in self.formless else response_format(model, call.form)
        pictures = shown_to(model, call.pictures)
        said = with_pictures(with_cache_markers(model, messages), pictures)
        try:
            outcome = self._in_time(model, lambda: litellm.completion(model=asked_as(model), messages=said, **options))
            if not isinstance(outcome, Exception):
                body, listed = outcome.model_dump(), listed_cost(model, outcome) if listing(model) else None
            elif wire.body is not None:  # there is an answer, but litellm refuses its form
                body, listed = wire.body, None
            elif "response_format" in options and refuses_form(outcome):
                self.formless.add(model)
                raise Passing("it does not take the form of its answer, and is asked without", REPLY_TRIES, 0.0)
            else:
                raise judge(model, outcome, api_base, f"about {spent.tokens_in:,} tokens") from None
            spent = self._charged(took(model, messages, body, listed))
            return replace(read(body, spent), pictures=len(pictures))
        except Paid as fault:  # a provider charges for an answer even if it is of no use
            call.watch.wasted(spent, str(fault))
            raise fault.cause from None

    def _charged(self, reply: Reply) -> Reply:
        """The same with a cost by the price that the person stated, if no other is known."""
        each = price(reply.model, self.stated) if reply.cost_usd is None else None
        return replace(reply, cost_usd=reply.tokens_in * each[0] + reply.tokens_out * each[1]) if each else reply

    def _in_time(self, model: str, ask: Callable[[], Any]) -> Any:
        """The answer, or the exception that asking ended with.

        Raises:
            Paid: there is neither within `timeout_s` seconds.
        """
        outcome, began = begun(ask, "model call"), time.monotonic()
        while (waited := time.monotonic() - began) < self.timeout_s:
            self.lasts(model, waited)
            try:
                return outcome.get(timeout=min(TICK_S, self.timeout_s - waited))
            except queue.Empty:
                continue
        raise Paid(Passing(f"no whole answer within {self.timeout_s:g} s", HANG_TRIES))

    def _options(self, model: str, messages: Sequence[Message], sent: int, api_base: str | None) -> dict[str, Any]:
        options: dict[str, Any] = {"timeout": self.timeout_s, "max_retries": 0, "num_retries": 0, "stream": False}
        if api_base:
            options["api_base"] = api_base
            if load_litellm().validate_environment(model).get("missing_keys"):
                options["api_key"] = "none"  # local servers need no key, but their client requires one
        context = None if is_listed(model) else self.stated.context
        if context is not None and sent >= context:
            cause = f"the request (about {sent:,} tokens) does not fit its context of {context:,} tokens (--context)"
            raise stop(model, cause, LONGER_CONTEXT, "nothing: it was not asked")
        if is_ollama(model):
            # Without this, ollama would silently cut a prompt to its default context.
            options["num_ctx"] = context or sum(len(m.content) for m in messages) // 3 + 8192
        if self.stated.max_output and not is_listed(model):
            room = self.stated.max_output if context is None else context - sent
            options["max_tokens"] = min(self.stated.max_output, room)
        return options
