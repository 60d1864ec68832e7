"""A model for tests with scripted replies: by (step, ordinal), in order, or by a function. It keeps all prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.core.errors import InfrastructureError
from agent.core.exchange import Call, Message, Reply

Answer = str | BaseException
Function = Callable[[Sequence[Message], Call], Answer | None]
Script = Mapping[tuple[str, int], Answer] | Sequence[Answer] | Function


class ScriptedModel:
    """An exception in the script is raised instead of returned. A call without a reply raises InfrastructureError."""

    def __init__(self, script: Script, *, tokens: tuple[int, int] = (10, 5), cost_usd: float | None = 0.0) -> None:
        self.script = script
        self.tokens = tokens
        self.cost_usd = cost_usd
        self.history: list[tuple[Call, tuple[Message, ...]]] = []

    @property
    def asked(self) -> list[tuple[str, int]]:
        return [(call.step, call.ordinal) for call, _ in self.history]

    def prompt(self, step: str, ordinal: int = 1) -> str:
        """All messages of one call as one text."""
        for call, messages in self.history:
            if (call.step, call.ordinal) == (step, ordinal):
                return "\n".join(m.content for m in messages)
        raise KeyError((step, ordinal))

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        self.history.append((call, tuple(messages)))
        answer = self._answer(messages, call)
        if answer is None:
            raise InfrastructureError(f"scripted model: no reply for step {call.step}, call {call.ordinal}")
        if isinstance(answer, BaseException):
            raise answer
        return Reply(answer, "scripted", *self.tokens, self.cost_usd)

    def _answer(self, messages: Sequence[Message], call: Call) -> Answer | None:
        if callable(self.script):
            return self.script(messages, call)
        if isinstance(self.script, Mapping):
            return self.script.get((call.step, call.ordinal))
        place = len(self.history) - 1
        return self.script[place] if place < len(self.script) else None
