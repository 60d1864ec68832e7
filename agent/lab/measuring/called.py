"""The model as an evaluation has it: its declared methods, its tensors, and the runner's clock.

`evaluate(model, truth, settings)` calls `model.act(x)` as if the artefact were loaded beside it; where the call goes is
another's matter (model.py; evaluate_worker.py behind walls).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.core.methods import Method

if TYPE_CHECKING:
    from agent.lab.measuring.artefact import Stored


class Called:
    """What an evaluation may do with a model: call its methods and look at its file. `seconds`: of the last call."""

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
        """What the method gives for these arguments, an array each."""
        raise NotImplementedError

    def hold(self) -> None:
        """Raise again what went wrong in a call, whatever became of it since."""
