"""What goes to a language model and what comes back from it: messages, a call's identity, the reply.

Data alone. The protocols of those who ask and answer are in protocols.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

# What a model is asked to do in a call. One model may have all four roles.
Role = Literal["planner", "editor", "writer", "reviewer"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Pictures = Callable[[], Sequence[bytes]]  # returns PNG files; called only for a model that can see


def no_pictures() -> Sequence[bytes]:
    """The pictures of a request that has none."""
    return ()


class Conversation(list[Message]):
    """Messages that ask for a JSON object of the form `form`.

    A model that can see gets `pictures` beside the last message.
    """

    def __init__(self, messages: Sequence[Message], form: type[BaseModel], pictures: Pictures = no_pictures) -> None:
        super().__init__(messages)
        self.form, self.pictures = form, pictures


@dataclass(frozen=True)
class Reply:
    """One answer of a model."""

    text: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None  # None: the price is not known
    finish: str = "stop"  # why the answer ended, in the provider's word
    estimated: str = ""  # why tokens or cost are an estimate; "" if the provider counted them
    tokens_cached: int = 0  # the part of tokens_in that the provider read from its cache of earlier requests
    pictures: int = 0  # how many pictures the model was sent beside the words
    recorded: bool = False  # the reply was read from this session's record; nothing was asked now
    # The caller calls this with the reason if it cannot use the answer; the reason goes into the session's log.
    refuse: Callable[[str], None] = field(default=lambda reason: None, compare=False, repr=False)


class Watch:
    """Is told what happens between the tries of one call. This one does nothing; llm/calls.py has the real one."""

    def wasted(self, spent: Reply, why: str) -> None:
        """A try was paid for and gave nothing of use. `spent` has no text, only tokens and cost."""

    def waits(self, seconds: float) -> None:
        """The next try comes after this wait. May raise BudgetSpent."""


@dataclass(frozen=True)
class Call:
    """Where a request stands in the session. The pair (step, ordinal) is its identity."""

    step: str  # e.g. "run-2.edit-1", "paper.write-1"
    ordinal: int  # 1, 2, ... within the step
    role: Role
    watch: Watch = field(default=Watch(), compare=False, repr=False)
    form: type[BaseModel] | None = field(default=None, compare=False, repr=False)  # of the answer, if it is JSON
    pictures: Pictures = field(default=no_pictures, compare=False, repr=False)


@dataclass(frozen=True)
class EditResult:
    """What came of one editing conversation. If `refused` is set, it does not count as an edit."""

    changed: tuple[str, ...]  # names of the changed files
    refused: str = ""  # code: "no-block", "mismatch", "no-change", "forbidden-file"
    detail: str = ""  # what was wrong, for the prompt of the next attempt
    reply: str = ""  # the model's last reply
