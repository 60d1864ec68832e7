"""The two models that an evaluation gets: the trained one in its box, and a twin with shuffled answers.

The twin answers a call with what the model gave to other rows or calls; its score is the floor for the model's. Not
here: what the answers mean (a template's evaluate.py), and the interface that an evaluation sees (called.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.core.methods import Form, Method
from agent.lab.measuring import frames
from agent.lab.measuring.artefact import Stored
from agent.lab.measuring.box import MOST_BYTES, Answer, Box, fits, full_batches
from agent.lab.measuring.called import Called
from agent.lab.measuring.channel import BadAnswer, Ended
from agent.lab.measuring.repeat import Heard
from agent.lab.measuring.verdict import EvaluationFault

if TYPE_CHECKING:
    import numpy as np

MOST_CALLS = 100_000  # in one measurement
MOST_HELD = 2 << 30  # bytes of all arguments and answers of one measurement


class Asked(Called):
    """The model in its box. If a method answers row by row, the rows are sent in a secret order."""

    def __init__(self, box: Box, stored: Stored, draw: np.random.Generator) -> None:
        super().__init__(box.methods, stored)
        self._box, self._draw, self._held = box, draw, 0
        self.heard: list[Heard] = []
        self._broken: BadAnswer | Ended | None = None

    def ask(self, name: str, arguments: Sequence[Any]) -> Answer:
        """Ask the box, and keep the call for the comparison with a second process.

        Raises:
            BadAnswer, Ended: as Box.ask; if the evaluation catches it, `hold` raises it again.
            EvaluationFault: the arguments are not what the manifest declares.
        """
        method = self.methods[name]
        given = checked(method, arguments)
        try:
            self.hold()
            if method.rowwise:
                order = self._draw.permutation(len(given[0]))
                answer = self._box.rows(name, given, order, full_batches())
            else:
                answer = self._box.ask(name, given)
            self.seconds = self._box.seconds
            self._keep(Heard(method, given, answer, self.seconds))
        except (BadAnswer, Ended) as broken:
            self._broken = broken
            raise
        return tuple(array.copy() for array in answer)

    def hold(self) -> None:
        if self._broken:
            raise self._broken

    def _keep(self, heard: Heard) -> None:
        arrays = [a for a in (*heard.given, *heard.answer) if heard.method.most is None]
        self._held += sum(array.nbytes for array in arrays)
        self.heard.append(heard)
        if len(self.heard) > MOST_CALLS or self._held > MOST_HELD:
            raise BadAnswer(
                "encode-too-much",
                f"{heard.method.call}: one measurement holds {MOST_CALLS} calls and {MOST_HELD} bytes at most, "
                "arguments and answers together",
            )


class Shuffled(Called):
    """Answers every call with rows that the model gave to other rows or calls, or with its usual row (see _usual)."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        heard: Sequence[Heard],
        stored: Stored,
        draw: np.random.Generator | None,
    ) -> None:
        """`heard` are all calls of the model; without `draw`, every answer is the usual row."""
        super().__init__(methods, stored)
        self._heard = {name: [one for one in heard if one.method.name == name] for name in methods}
        self._draw, self._calls = draw, 0
        self._pools: dict[tuple[str, int, tuple[int, ...]], np.ndarray] = {}

    def ask(self, name: str, arguments: Sequence[Any]) -> Answer:
        method, heard = self.methods[name], self._heard[name]
        if not heard or self._calls >= MOST_CALLS:
            what = f"more than {MOST_CALLS} calls" if heard else f"{method.call}"
            raise EvaluationFault(
                f"evaluate.py calls {what} only where answers are shuffled; bound its loops by the settings"
            )
        given, like = checked(method, arguments), heard[self._calls % len(heard)]
        self._calls, self.seconds = self._calls + 1, like.seconds
        sizes: dict[str, int] = {}
        fits(method.takes, [(array.dtype.name, array.shape) for array in given], sizes)
        return tuple(self._one(method, place, form, sizes, like) for place, form in enumerate(method.gives))

    def _one(self, method: Method, place: int, form: Form, sizes: dict[str, int], like: Heard) -> np.ndarray:
        """One array of an answer, in the shape that this call asks for.

        Dimensions whose size the model chooses have the size that they have in the call `like`.
        """
        import numpy as np

        model_chose = dict(zip(form.dims, like.answer[place].shape, strict=True))
        shape = tuple(d if isinstance(d, int) else sizes.setdefault(d, model_chose[d]) for d in form.dims)
        pool = self._pool(method.name, place, shape[1:])
        if not len(pool):
            return like.answer[place].copy()
        count = shape[0] if shape else 1
        if self._draw is None:
            return np.repeat(pool, count, axis=0).reshape(shape)
        if count == len(pool):
            return pool[self._draw.permutation(count)].reshape(shape)
        return pool[self._draw.choice(len(pool), size=count, replace=count > len(pool))].reshape(shape)

    def _pool(self, name: str, place: int, trailing: tuple[int, ...]) -> np.ndarray:
        """All rows of this shape that the model gave; only the usual one if nothing is drawn."""
        import numpy as np

        key = (name, place, trailing)
        if key not in self._pools:
            answers = [one.answer[place] for one in self._heard[name]]
            rows = [np.atleast_1d(a) for a in answers if a.shape[1:] == trailing]
            pool = np.concatenate(rows) if rows else np.empty(0)
            self._pools[key] = pool if self._draw or not len(pool) else _usual(pool)[None]
        return self._pools[key]


def checked(method: Method, arguments: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """The arguments of a call as they are sent: copies in the declared types, with shapes checked.

    Raises:
        EvaluationFault: the evaluation passes other arguments than the manifest declares.
    """
    if len(arguments) != len(method.takes):
        raise EvaluationFault(
            f"evaluate.py calls {method.call} with {len(arguments)} arguments, not {len(method.takes)}"
        )
    given = tuple(_converted(method, form, value) for form, value in zip(method.takes, arguments, strict=True))
    shapes: frames.Shapes = [(array.dtype.name, array.shape) for array in given]
    if wrong := fits(method.takes, shapes, {}):
        shape = list(shapes[method.takes.index(wrong)][1])
        raise EvaluationFault(f"evaluate.py calls {method.call} with {shape} as an argument; {wrong} was declared")
    if frames.size(shapes) > MOST_BYTES or (method.rowwise and not len(given[0])):
        raise EvaluationFault(f"evaluate.py calls {method.call} with no rows, or with more than {MOST_BYTES} bytes")
    return given


def _converted(method: Method, form: Form, value: Any) -> np.ndarray:
    import numpy as np

    array = np.asarray(value)
    whole = array.dtype.kind in "iub" and form.carried[0] in "iu"
    if whole and array.size:
        bounds = np.iinfo(form.carried)
        whole = bounds.min <= int(array.min()) and int(array.max()) <= bounds.max
    if not whole and not np.can_cast(array.dtype, form.carried, "same_kind"):
        raise EvaluationFault(f"evaluate.py calls {method.call} with {array.dtype} as an argument; {form} was declared")
    return np.array(array, dtype=form.carried, order="C")


def _usual(pool: np.ndarray) -> np.ndarray:
    """The usual row of a pool: the mean of the rows, or for whole numbers the most frequent row."""
    import numpy as np

    if pool.dtype.kind == "f":
        return pool.mean(axis=0, dtype=np.float64).astype(pool.dtype)
    flat = pool.reshape(len(pool), math.prod(pool.shape[1:]))
    rows, counts = np.unique(flat, axis=0, return_counts=True)
    return rows[counts.argmax()].reshape(pool.shape[1:])
