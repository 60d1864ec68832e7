"""The model that a template's evaluation gets: its declared methods, its tensors, and the seconds of its last call.

`evaluate(model, truth, settings)` calls `model.act(x)` as if the artefact were loaded in its own process. Subclasses
say where a call goes: to a box (model.py), or out of the sandbox of a walled evaluation (evaluate_worker.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.core.methods import Method

if TYPE_CHECKING:
    from agent.lab.measuring.artefact import Stored


class Called:
    """A model for an evaluation. `seconds` is the time of the last call by the runner's clock."""

    def __init__(self, methods: Mapping[str, Method], stored: Stored) -> None:
        self.methods, self.seconds = methods, 0.0
        self.tensors, self.dtypes, self.file_bytes = stored.tensors, stored.dtypes, stored.file_bytes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self.methods:
            raise AttributeError(f"the manifest declares no method {name!r} of the model")

        def call(*arguments: Any) -> Any:
            answer = self.ask(name, arguments)
            return answer[0] if len(answer) == 1 else answer

        return call

    def ask(self, name: str, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The method's answer for these arguments, as a tuple of arrays."""
        raise NotImplementedError

    def hold(self) -> None:
        """Raise the error of an earlier call again, in case the evaluation caught it; here there is none."""
