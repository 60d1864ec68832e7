"""Checks that a model gives the same answers in a fresh process.

Calls that are answered row by row are sent again in another order and in batches of other sizes; other calls are sent
again one by one in another order. This catches answers that depend on state, chance, the clock or neighbouring rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agent.core.methods import Method
from agent.lab.measuring import box
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.verdict import Stopped

if TYPE_CHECKING:
    import numpy as np

CLOSE = 1e-4  # of the largest value in a row; float32 sums in another order differ by about 1e-6
ODD_ROWS = 1e-3  # share of rows that may differ by more, because a near tie at a threshold flips a latent
MOST_CALLS = 256  # calls that are repeated, of a method that does not answer row by row


@dataclass(frozen=True)
class Heard:
    """One call and its answer."""

    method: Method
    given: tuple[np.ndarray, ...]
    answer: box.Answer
    seconds: float = 0.0


def check(bench: Bench, heard: Sequence[Heard]) -> None:
    """Ask a second process what the first was asked: all rows once, and up to MOST_CALLS other calls a method twice.

    Raises:
        Stopped: the second process gives other answers, or none.
    """
    import numpy as np

    methods = {one.method.name: one.method for one in heard}
    draw = np.random.default_rng(bench.order_seed("encode-again"))
    with box.started(bench, "encode-again", methods) as again:
        for calls in _alike([one for one in heard if one.method.rowwise]):
            _check_rows(again, calls, draw)
        chosen: list[Heard] = []
        for method in methods.values():
            calls = [one for one in heard if one.method is method and not method.rowwise and method.repeats]
            chosen += [calls[n] for n in draw.permutation(len(calls))[:MOST_CALLS]]
        order = [chosen[n] for n in draw.permutation(len(chosen))]
        _check_calls(again, [*order, *reversed(order)])  # twice, because only the second answer may differ


def varied_batches(draw: np.random.Generator) -> Iterator[int]:
    """Batch sizes from 1 to 2 * BATCH, spread evenly over the orders of magnitude; the first is a single row."""
    yield 1
    while True:
        yield max(1, round(math.exp(draw.uniform(0, math.log(2 * box.BATCH)))))


def agree(first: Any, second: Any) -> bool:
    """Whether two answers differ in no more rows than ODD_ROWS allows."""
    return disagreement(first, second) <= ODD_ROWS


def disagreement(first: Any, second: Any) -> float:
    """The share of rows that differ by more than float32 arithmetic explains.

    Both are arrays of one shape, or csr matrices; whole numbers must be equal.
    """
    import numpy as np

    if first.dtype.kind != "f":
        return float((_row_max(first != second) > 0).mean())
    scale = np.maximum(_row_max(first), _row_max(second))
    return float((_row_max(first - second) > CLOSE * scale).mean())


def _alike(heard: list[Heard]) -> Iterator[list[Heard]]:
    """Groups of calls whose rows have the same shapes, so that the rows can be sent together."""

    def shape(one: Heard) -> str:
        trailing = [a.shape[1:] for a in (*one.given, *one.answer)]
        return repr((one.method.name, trailing))

    for _, calls in groupby(sorted(heard, key=shape), key=shape):
        yield list(calls)


def _check_rows(again: box.Box, calls: list[Heard], draw: np.random.Generator) -> None:
    import numpy as np

    method = calls[0].method
    given = [np.concatenate(parts) for parts in zip(*(one.given for one in calls), strict=True)]
    order = draw.permutation(len(given[0]))
    second = again.rows(method.name, given, order, varied_batches(draw))
    for place, form in enumerate(method.gives):
        first = _stacked([one.answer[place] for one in calls])
        share = disagreement(first, second[place])
        if share > ODD_ROWS:
            raise Stopped("refused", "encode-depends-on-batch", _depends(method, form.name, share))


def _check_calls(again: box.Box, calls: list[Heard]) -> None:
    """Repeat each call as it was made; refuse at the first answer that differs."""
    for one in calls:
        second = again.ask(one.method.name, one.given)
        for form, mine, other in zip(one.method.gives, one.answer, second, strict=True):
            if mine.shape != other.shape or _differs(mine, other):
                raise Stopped(
                    "refused",
                    "does-not-repeat",
                    f"the same call of {one.method.call}, in a fresh process and after other calls, gave other "
                    f"{form.name}. A method answers by its arguments alone: no state from call to call (hand it in and "
                    "give it back), no clock, and chance from an argument `seed` only.",
                )


def _depends(method: Method, what: str, share: float) -> str:
    if method.most is None and what != "outputs":
        begin = f"asking {method.call} twice, with the rows in other orders and batch sizes,"
    else:
        begin = "encoding the held-out rows twice, in other orders and batch sizes,"
    return (
        f"{begin} gave other {what} for {share:.1%} of the rows. {method.call} must be a function of each row alone: "
        "no statistics over the batch, no state, no randomness. A choice over the batch needs a stored threshold."
    )


def _stacked(answers: list[Any]) -> Any:
    import numpy as np
    from scipy import sparse

    return np.concatenate(answers) if isinstance(answers[0], np.ndarray) else sparse.vstack(answers, format="csr")


def _differs(one: np.ndarray, other: np.ndarray) -> bool:
    import numpy as np

    return bool(disagreement(np.reshape(one, (1, -1)), np.reshape(other, (1, -1))))


def _row_max(z: Any) -> np.ndarray:
    """The largest absolute value of each row."""
    import numpy as np

    if isinstance(z, np.ndarray):
        return np.abs(z.astype(np.float64)).reshape(len(z), -1).max(axis=1, initial=0.0)
    return abs(z).max(axis=1).toarray().ravel()
