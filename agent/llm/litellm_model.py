"""protocols.Model through litellm: repeats a call while its fault may pass, and stops with one clear line otherwise.

Not here: one try of a call (request.py) and its record (calls.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.core.errors import InfrastructureError
from agent.core.exchange import Call, Message, Reply, Role
from agent.core.protocols import Shown
from agent.llm.faults import REPLY_TRIES, Away, Passing, Unreached, short
from agent.llm.providers import UNSTATED, Stated, is_listed, provider_of
from agent.llm.request import Requests
from agent.llm.usage import estimated

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT_S = 120.0  # between two tries, if the provider names no wait
LONGEST_RETRY_AFTER_S = 900.0  # if the provider asks for a longer wait, the session stops instead
TRY_OUT_S = 120.0  # for one tiny request, because a local server may have to load the model first


class LiteLLMModel:
    """The models of all roles, through litellm.

    Args:
        names: the model of each role.
        notify: called with one line for each wait before another try.
        stated: what the person says about models that litellm does not know.
        fallback: the model that is asked if the provider of another one fails.
        console: shows whom the session waits for.
    """

    def __init__(
        self,
        names: Mapping[Role, str],
        *,
        timeout_s: float,
        notify: Callable[[str], None],
        api_base: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stated: Stated = UNSTATED,
        fallback: str | None = None,
        console: Shown | None = None,
    ) -> None:
        self.names = dict(names)
        self.notify = notify
        self.api_base = api_base
        self.sleep = sleep
        self.fallback = fallback
        self.console = console or Shown()
        self._requests = Requests(timeout_s, stated, lambda model, s: self.console.waiting(f"{model}: {s:.0f} s"))
        self._told: set[str] = set()  # messages that are printed only once
        self._reached: set[str] = set()  # models whose server has taken a connection
        self._away: set[str] = set()  # models that are not asked again by this process

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        """Ask the role's model, or the fallback if its provider fails.

        Raises:
            InfrastructureError: there is no usable answer; the line names model, cause and remedy.
        """
        model = self.names[call.role]
        if self.fallback and model in self._away:
            return self._answer(self.fallback, messages, call)
        try:
            return self._answer(model, messages, call)
        except Away as away:
            if self.fallback is None or self.fallback == model:
                raise
            self._away |= {model} if away.lasts else set()
            until = "until the session is resumed" if away.lasts else "this time"
            self.notify(f"{short(str(away), 300)} {self.fallback} answers in its place {until} (--fallback).")
            return self._answer(self.fallback, messages, call)

    def try_out(self, model: str) -> str:
        """Send a model one tiny request, which costs a few tokens; return why it does not answer, or ""."""
        question = [Message("user", "Answer with the word ready and nothing else.")]
        quick = replace(self._requests, timeout_s=min(TRY_OUT_S, self._requests.timeout_s))
        try:
            quick.ask(model, question, Call("try", 1, "planner"), self.base_of(model))
        except Passing as fault:
            cause = _nobody_there(model, fault, self.base_of(model)) if isinstance(fault, Unreached) else None
            return cause or f"model {model}: {fault}"
        except InfrastructureError as error:
            return str(error).replace(" Finished work is kept.", "")
        finally:
            self.console.waiting("")
        return ""

    def _answer(self, model: str, messages: Sequence[Message], call: Call) -> Reply:
        from tenacity import Retrying, retry_if_exception_type

        def stop(state: RetryCallState) -> bool:
            fault = _fault(state)
            too_long = (fault.wait_s or 0.0) > LONGEST_RETRY_AFTER_S
            never_there = isinstance(fault, Unreached) and model not in self._reached
            return too_long or never_there or state.attempt_number >= fault.tries

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
        sent = estimated(model, messages, "", "").tokens_in
        self.console.say(f"  {call.role}: asking {model} ({call.step}, call {call.ordinal}, about {sent:,} tokens)")
        try:
            return retrying(self._ask, model, messages, call)
        except Passing as fault:
            if isinstance(fault, Unreached) and model not in self._reached:
                raise Away(_nobody_there(model, fault, self.base_of(model))) from None
            raise _given_up(model, call, fault) from None
        finally:
            self.console.waiting("")

    def _ask(self, model: str, messages: Sequence[Message], call: Call) -> Reply:
        """One try."""
        try:
            reply = self._requests.ask(model, messages, call, self.base_of(model))
        except Unreached:
            raise
        except Exception:
            self._reached.add(model)
            raise
        self._reached.add(model)
        if reply.estimated and reply.estimated not in self._told:
            self._told.add(reply.estimated)
            self.notify(f"{reply.model}: {reply.estimated}; what its calls take is estimated")
        return reply

    def base_of(self, model: str) -> str | None:
        """The server at which a model is asked; None for its provider's own. A fallback may be of another provider."""
        if self.api_base is None or model != self.fallback or model in self.names.values():
            return self.api_base
        ours = {provider_of(name) for name in self.names.values()}
        return self.api_base if provider_of(model) in ours else None


def _fault(state: RetryCallState) -> Passing:
    """The fault of the last try; tenacity asks only about faults that may pass."""
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, Passing)
    return fault


def _nobody_there(model: str, fault: Passing, api_base: str | None) -> str:
    """The line about a server that has never answered in this process, so that waiting would probably not help."""
    remedy = "start it, or correct --api-base" if api_base else "check this machine's network and the address"
    return f"model {model}: {fault}; {remedy}"


def _given_up(model: str, call: Call, fault: Passing) -> Away:
    if fault.wait_s is not None and fault.wait_s > LONGEST_RETRY_AFTER_S:
        how = f"asks to wait {fault.wait_s:g} s; resume then"
    else:
        how = f"{fault.tries} tries were of no use; resume later, or choose another model"
        if "output limit" in str(fault) and not is_listed(model):
            how += ", or state how long its answers may be with --max-output N"
    where = f"{call.step}, call {call.ordinal}"
    useless = fault.tries == REPLY_TRIES  # the provider works, but its answers are of no use
    return Away(f"model {model} ({where}): {fault}; {how}. Finished work is kept.", lasts=not useless)
