"""Records every exchange with a model in a file before the answer is used; a repeated action reads the files instead.

Not here: retries (litellm_model.py), and what a call means to the session (the caller's on_call).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import InfrastructureError, disk_named
from agent.core.exchange import Call, Conversation, Message, Reply, Role, Watch
from agent.core.protocols import Model
from agent.core.schema import Strict, first_fault
from agent.llm.thinking import cut
from agent.llm.usage import checked
from agent.storage import foreign
from agent.storage.atomic import write_text

OnWaste = Callable[[Call, Reply, str], None]
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class CallRecord(Strict):
    """One request and its reply. The pair (step, ordinal) is its identity."""

    step: str
    ordinal: int  # 1, 2, ... within the step
    role: Role
    model: str
    messages: tuple[Message, ...]
    reply: str
    tokens_in: int
    tokens_out: int
    cost_usd: float | None  # None: the price is not known
    finish: str
    wall_s: float
    estimated: str = ""  # why tokens or cost are an estimate
    pictures: int = 0  # how many were sent beside the words
    tokens_cached: int = 0  # the part of tokens_in that the provider read from its cache


class RecordedCalls:
    """Asks `inner` at most once for each (step, ordinal), and returns the recorded reply ever after.

    Args:
        on_call: called with the record of every reply that is returned, a recorded one included, because a kill may
            have come between the file and the event.
        budget: called before each new call, and with the seconds of each wait for another try. May raise BudgetSpent.
        on_waste: called for each try that was paid for and gave nothing.
        on_refusal: called with the record of a reply that the caller could not use, and the reason.
    """

    def __init__(
        self,
        inner: Model,
        folder: Path,
        on_call: Callable[[CallRecord], None],
        budget: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
        on_waste: OnWaste = lambda call, spent, why: None,
        on_refusal: Callable[[CallRecord, str], None] = lambda record, reason: None,
    ) -> None:
        self.inner = inner
        self.folder = folder
        self.on_call = on_call
        self.budget = budget
        self.clock = clock
        self.on_waste = on_waste
        self.on_refusal = on_refusal
        self._asked: dict[str, int] = {}

    def begin(self, step: str) -> None:
        """Number the calls of a step from 1 again, because its action starts, perhaps not for the first time."""
        self._asked[step] = 0

    def ask(self, step: str, role: Role, messages: Sequence[Message]) -> Reply:
        """The recorded reply of this call, or a new one, which is recorded before it is returned.

        Raises:
            BudgetSpent: `budget` says so.
            InfrastructureError: no usable reply, or the record cannot be read or written.
        """
        ordinal = self._asked.get(step, 0) + 1
        record = self._read(step, ordinal)
        recorded = record is not None
        if record is None:
            self.budget()
            call = Call(step, ordinal, role)
            if isinstance(messages, Conversation):
                call = replace(call, form=messages.form, pictures=messages.pictures)
            record = self._call(call, messages)
        self._asked[step] = ordinal
        self.on_call(record)
        asked = record
        return Reply(
            text=record.reply,
            model=record.model,
            tokens_in=record.tokens_in,
            tokens_out=record.tokens_out,
            cost_usd=record.cost_usd,
            finish=record.finish,
            estimated=record.estimated,
            tokens_cached=record.tokens_cached,
            recorded=recorded,
            refuse=lambda reason: self.on_refusal(asked, reason),
        )

    def path(self, step: str, ordinal: int) -> Path:
        """The file of a call's record.

        Raises:
            InfrastructureError: the step's name cannot be a file's name.
        """
        if not _STEP.match(step):
            raise InfrastructureError(f"step {step!r}: use letters, digits, dots, dashes and underscores only")
        return self.folder / f"{step}.{ordinal}.json"

    def _call(self, call: Call, messages: Sequence[Message]) -> CallRecord:
        path = self.path(call.step, call.ordinal)
        started = self.clock()
        reply = checked(self.inner.complete(messages, replace(call, watch=_Watch(self, call))), messages)
        text = cut(reply.text)  # the thinking of a model is never used as its answer
        if not text.strip():
            raise InfrastructureError(f"model {reply.model} ({call.step}, call {call.ordinal}): an empty answer")
        record = CallRecord(
            step=call.step,
            ordinal=call.ordinal,
            role=call.role,
            model=reply.model,
            messages=tuple(Message(m.role, _valid(m.content)) for m in messages),
            reply=_valid(text),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            cost_usd=reply.cost_usd,
            finish=reply.finish,
            wall_s=round(self.clock() - started, 3),
            estimated=reply.estimated,
            pictures=reply.pictures,
            tokens_cached=reply.tokens_cached,
        )
        with disk_named():
            try:
                self.folder.mkdir(exist_ok=True)
            except FileNotFoundError:
                raise InfrastructureError(f"{self.folder.parent}: was removed; the reply cannot be kept") from None
            write_text(path, record.model_dump_json(indent=1))
        return record

    def _read(self, step: str, ordinal: int) -> CallRecord | None:
        try:
            return read_call(self.path(step, ordinal))
        except foreign.Missing:
            return None


@dataclass(frozen=True)
class _Watch(Watch):
    """Applies the session's bounds between the tries of a call."""

    calls: RecordedCalls
    call: Call

    def wasted(self, spent: Reply, why: str) -> None:
        self.calls.on_waste(self.call, spent, why)

    def waits(self, seconds: float) -> None:
        self.calls.budget(seconds)


def read_call(path: Path) -> CallRecord:
    """Read a record of a session's calls/ folder.

    Raises:
        Missing: there is no such file.
        InfrastructureError: it is not the record of a call.
    """
    try:
        return CallRecord.model_validate_json(foreign.read_file(path))
    except foreign.Missing:
        raise
    except foreign.Foreign as problem:
        raise InfrastructureError(f"{path}: {problem}; remove it to pay for this one call again") from None
    except ValidationError as error:
        raise InfrastructureError(
            f"{path}: {first_fault(error)}; the record was changed by hand: restore it, "
            "or delete it to pay for this one call again"
        ) from None


def _valid(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can contain and no file can."""
    return text.encode("utf-8", "replace").decode()
