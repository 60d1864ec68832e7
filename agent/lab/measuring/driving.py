"""An evaluation that calls the model as it likes ("drives" it): in this process, or over a pipe from a sandbox.

The pipe carries the frames of frames.py: a call comes in, and its answer goes out, followed by the seconds it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.core.methods import ModelSpec
from agent.core.protocols import SandboxProcess
from agent.lab.measuring import frames
from agent.lab.measuring.channel import Channel, Ended

if TYPE_CHECKING:
    from agent.lab.measuring.called import Called

Send = Callable[[bytes], object]
Receive = Callable[[int], bytes]
MOST_ASKED = 1 << 29  # bytes of one call of an evaluation in the sandbox


def driven(spec: ModelSpec, evaluation: Any, model: Any, truth: Any, settings: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a model.

    If the manifest declares methods, evaluate(model, truth, settings) calls them. Otherwise the one method is called
    with all rows of truth.x, and evaluate(x, outputs, truth) gets its outputs.
    """
    if spec.methods:
        return evaluation.evaluate(model, truth, settings)
    return evaluation.evaluate(truth.x, getattr(model, spec.method)(truth.x).astype("float64"), truth)


def serve(process: SandboxProcess, model: Called, cancelled: Callable[[], bool]) -> None:
    """Answer the calls of an evaluation that runs in a sandbox, until it reports that it is done.

    Raises:
        Ended: its process, or the model's box, died, passed a limit or was cancelled; or it sent something else than a
            call.
        BadAnswer: the model's answer is not what was declared.
    """
    channel, names = Channel(process, cancelled), list(model.methods)
    while True:
        try:
            tag, number, shapes = frames.header(channel.receive(frames.HEAD.size), channel.receive)
        except frames.Malformed:
            raise Ended(process.kill()) from None
        if tag == frames.DONE:
            return
        if tag != frames.CALL or number >= len(names) or frames.size(shapes) > MOST_ASKED:
            raise Ended(process.kill())
        answer = model.ask(names[number], frames.arrays(shapes, channel.receive))
        channel.send(frames.pack(frames.GAVE, number, [*answer, model.seconds]))


def remote(names: Sequence[str], send: Send, receive: Receive) -> Callable[[str, Sequence[Any]], tuple[Any, ...]]:
    """The other end of the pipe: a function that calls a method and returns its arrays, with the seconds last."""
    import numpy as np

    def ask(name: str, arguments: Sequence[Any]) -> tuple[Any, ...]:
        number = list(names).index(name)
        send(frames.pack(frames.CALL, number, [np.asarray(argument) for argument in arguments]))
        _, _, shapes = frames.header(receive(frames.HEAD.size), receive)
        return tuple(frames.arrays(shapes, receive))

    return ask
