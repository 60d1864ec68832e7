"""The evaluation drives, the model answers: in this process, or over a pipe from a sandbox that holds the evaluation.

Over the pipe go the frames of frames.py: a call in, the answer out, and after it the seconds that it took.
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
MOST_ASKED = 1 << 29  # bytes of a call that a stranger's evaluation makes


def driven(spec: ModelSpec, evaluation: Any, model: Any, truth: Any, settings: Mapping[str, Any]) -> dict[str, float]:
    """The metrics; the short form is one call with all rows, whose outputs evaluate(x, outputs, truth) gets."""
    if spec.methods:
        return evaluation.evaluate(model, truth, settings)
    return evaluation.evaluate(truth.x, getattr(model, spec.method)(truth.x).astype("float64"), truth)


def serve(process: SandboxProcess, model: Called, cancelled: Callable[[], bool]) -> None:
    """Answer the calls of an evaluation behind walls, until it says that it is done.

    Raises:
        Ended: it died, passed a limit or was cancelled; or what it sent is no call. Also the model's box may have.
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
    """The other end: asks by the pipe; gives the answer's arrays, and the seconds last."""
    import numpy as np

    def ask(name: str, arguments: Sequence[Any]) -> tuple[Any, ...]:
        number = list(names).index(name)
        send(frames.pack(frames.CALL, number, [np.asarray(argument) for argument in arguments]))
        _, _, shapes = frames.header(receive(frames.HEAD.size), receive)
        return tuple(frames.arrays(shapes, receive))

    return ask
