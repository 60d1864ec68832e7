"""litellm behind protocols.Model: waits out what passes, stops with one clear line at what does not.

Not here: what a fault means (faults.py), what an answer holds (received.py) and took (usage.py), its record (calls.py).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.protocols import Call, Message, Reply, Role
from agent.llm.faults import HANG_TRIES, REPLY_TRIES, Paid, Passing, judge
from agent.llm.providers import is_ollama, load_litellm
from agent.llm.received import Wire, listed_cost, read, took
from agent.llm.structured import refuses_form, response_format
from agent.llm.usage import estimated

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT_S = 120.0
LONGEST_RETRY_AFTER_S = 900.0


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
        self._told: set[str] = set()  # what is said once
        self._formless: set[str] = set()  # models that are asked without the form of the answer

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
            return retrying(self._ask_once, model, messages, call)
        except Passing as fault:
            raise _given_up(model, call, fault) from None

    def _ask_once(self, model: str, messages: Sequence[Message], call: Call) -> Reply:
        said = [{"role": m.role, "content": m.content} for m in messages]
        litellm, wire = load_litellm(), Wire()  # before the clock runs: the first import takes seconds
        options = self._options(model, messages) | {"logger_fn": wire.hear}
        options |= {} if model in self._formless else response_format(model, call.form)
        spent = estimated(model, messages, "", "nothing came back that says what it took")
        try:
            outcome = self._within_the_deadline(lambda: litellm.completion(model=model, messages=said, **options))
            if not isinstance(outcome, Exception):
                body, listed = outcome.model_dump(), listed_cost(model, outcome)
            elif wire.body is not None:  # an answer, but not of the form that litellm takes
                body, listed = wire.body, None
            elif "response_format" in options and refuses_form(outcome):
                self._formless.add(model)
                raise Passing("it does not take the form of its answer, and is asked without", REPLY_TRIES, 0.0)
            else:
                raise judge(model, outcome) from None
            spent = took(model, messages, body, listed)
            reply = read(body, spent)
        except Paid as fault:  # a provider takes money for what it made, of use or not
            call.watch.wasted(spent, str(fault))
            raise fault.cause from None
        self._tell_of_an_estimate(reply)
        return reply

    def _tell_of_an_estimate(self, reply: Reply) -> None:
        if reply.estimated and reply.estimated not in self._told:
            self._told.add(reply.estimated)
            self.notify(f"{reply.model}: {reply.estimated}; what its calls take is estimated")

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


def _given_up(model: str, call: Call, fault: Passing) -> InfrastructureError:
    if fault.wait_s is not None and fault.wait_s > LONGEST_RETRY_AFTER_S:
        how = f"asks to wait {fault.wait_s:g} s; resume then"
    else:
        how = f"{fault.tries} tries were of no use; resume later, or choose another model"
    where = f"{call.step}, call {call.ordinal}"
    return InfrastructureError(f"model {model} ({where}): {fault}; {how}. Finished work is kept.")
