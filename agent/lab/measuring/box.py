"""The box: a process in a fresh sandbox that holds the agent's model and code, but no data, and answers method calls.

Every answer is checked before it is used; its types and shapes are checked before a byte of its arrays is read. Not
here: who asks (model.py), and whether a second box gives the same answers (repeat.py).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.manifest import Limits
from agent.core.methods import Form, Method
from agent.core.protocols import SandboxProcess
from agent.core.sandboxing import Mount, SandboxSpec
from agent.lab.measuring import frames
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.channel import BadAnswer, Channel, Ended
from agent.lab.measuring.scratch import copy_code, inside, remove
from agent.lab.measuring.verdict import Stopped, call_ended

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

HERE = Path(__file__).parent
BATCH = 1024  # rows sent at a time to a method that answers row by row
MOST_BYTES = 1 << 28  # of one answer
Answer = tuple[Any, ...]  # an array for each thing that the method gives, or the latents as one csr_matrix


class Box:
    """A running process that answers calls of the declared methods."""

    def __init__(
        self, process: SandboxProcess, methods: Mapping[str, Method], cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        self._channel, self.methods = Channel(process, cancelled), dict(methods)
        self.look = self._channel.look
        self.seconds = 0.0  # that the last call took, by the runner's clock

    def ask(self, name: str, given: Sequence[np.ndarray]) -> Answer:
        """Call one method with these arrays.

        Raises:
            BadAnswer: the answer is not what was declared.
            Ended: the process died, passed a limit or was cancelled.
        """
        number, method = list(self.methods).index(name), self.methods[name]
        request = frames.pack(frames.CALL, number, given)
        asked = time.perf_counter()
        self._channel.send(request)
        try:
            tag, answered, shapes = frames.header(self._channel.receive(frames.HEAD.size), self._channel.receive)
        except frames.Malformed:
            tag, answered, shapes = b"", number, []
        if tag != frames.GAVE or answered != number:
            raise BadAnswer("encode-malformed", f"the answer of {method.call} is no frame; does it write to pipes?")
        look = _look_sparse if method.most is not None else _look
        look(method, given, shapes)
        arrays = frames.arrays(shapes, self._channel.receive)
        self.seconds = time.perf_counter() - asked
        answer = (_latents(method, *arrays),) if method.most is not None else tuple(arrays)
        for form, array in zip(method.gives, answer, strict=True):
            _check_finite(method, form, array)
        return answer

    def rows(self, name: str, given: Sequence[np.ndarray], order: np.ndarray, sizes: Iterator[int]) -> Answer:
        """Call one method with the rows in this order, in batches of these sizes.

        The answer has the rows in their original order again; `seconds` is the sum over the batches.
        """
        import numpy as np
        from scipy import sparse

        pieces, start, took = [], 0, 0.0
        while start < len(order):
            rows = order[start : start + next(sizes)]
            pieces.append(self.ask(name, [array[rows] for array in given]))
            start, took = start + len(rows), took + self.seconds
        self.seconds = took
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        if self.methods[name].most is not None:
            return (sparse.vstack([piece[0] for piece in pieces], format="csr")[back],)
        return tuple(np.concatenate(parts)[back] for parts in zip(*pieces, strict=True))


@contextmanager
def started(
    bench: Bench,
    stage: str,
    methods: Mapping[str, Method],
    *,
    limits: Limits | None = None,
    threads: int = 0,
    artefact: Path | None = None,
) -> Iterator[Box]:
    """Start a box for a `with` block, at whose end it is killed.

    Args:
        stage: names the log of its standard error.
        limits: by default those of an evaluation.
        threads: 0 means as many as a training has.
        artefact: the file that the model is loaded from; by default the harvested one.

    Raises:
        Stopped: in the block, the process ended before its last answer, or gave an answer that cannot be used.
    """
    paths, show, model = bench.paths, bench.sandbox.visible, bench.manifest.model
    remove(paths.encode_code)
    copy_code(bench.job, paths.encode_code, bench.manifest)
    code = Mount(paths.encode_code, "/w")
    worker, wire = (Mount(HERE / name, f"/runner/{name}") for name in ("call_worker.py", "frames.py"))
    saved = Mount(artefact or bench.artefact, f"/artefact/{bench.manifest.artefact}")
    said = json.dumps([told(method) for method in methods.values()])
    how = (str(threads or bench.job.threads), bench.job.device, model.place, said)
    argv = (bench.python, "-P", *map(show, (worker, wire, saved)), *how)
    spec = SandboxSpec(
        argv=argv,
        cwd=inside(show(code), bench.manifest),
        mounts=(code, worker, wire, saved, *bench.trees),
        limits=limits or bench.job.evaluate_limits,
        env=bench.env,
        gpu=bench.job.device.startswith("cuda"),
    )
    stderr = paths.text(f"{stage}.stderr")
    process = bench.sandbox.start(spec, stdout=None, stderr=stderr, stdin=True)
    try:
        yield Box(process, methods, bench.cancelled)
    except BadAnswer as bad:
        raise Stopped("refused", bad.reason, str(bad)) from None
    except Ended as ended:
        calls = " or ".join((f"{model.name}.load", *(method.call for method in methods.values())))
        raise call_ended(ended.end, stderr, calls) from None
    finally:
        process.kill()


def full_batches() -> Iterator[int]:
    """The batch sizes of the first measurement: always BATCH."""
    return itertools.repeat(BATCH)


def told(method: Method) -> dict[str, Any]:
    """A method in the form in which call_worker.py gets it."""
    return {
        "name": method.name,
        "call": method.call,
        "takes": [form.dtype for form in method.takes],
        "gives": [(form.name, form.dtype, form.carried) for form in method.gives],
        "sparse": method.most is not None,
    }


def fits(forms: Sequence[Form], shapes: frames.Shapes, sizes: dict[str, int]) -> Form | None:
    """The first form that its type or shape does not match; None if all match.

    A named dimension has one size everywhere; the sizes that are met are added to `sizes`.
    """
    for form, (dtype, shape) in zip(forms, shapes, strict=True):
        if dtype != form.carried or len(shape) != len(form.dims):
            return form
        for dim, n in zip(form.dims, shape, strict=True):
            if n != (dim if isinstance(dim, int) else sizes.setdefault(dim, n)):
                return form
    return None


def _look(method: Method, given: Sequence[np.ndarray], shapes: frames.Shapes) -> None:
    """Compare the types and shapes of an answer with the declared ones, before its arrays are read."""
    if len(shapes) != len(method.gives):
        raise BadAnswer("encode-malformed", f"{method.call} gave {len(shapes)} arrays, not {len(method.gives)}")
    sizes: dict[str, int] = {}
    fits(method.takes, [(array.dtype.name, array.shape) for array in given], sizes)
    if wrong := fits(method.gives, shapes, sizes):
        dtype, shape = shapes[method.gives.index(wrong)]
        where = ", ".join(f"{name} = {n}" for name, n in sizes.items() if name in wrong.dims)
        raise BadAnswer(
            "encode-shape",
            f"{method.call} gave {dtype} {list(shape)} as `{wrong.name}`; {str(wrong).partition(': ')[2]} was declared"
            + (f", with {where}" if where else ""),
        )
    if frames.size(shapes) > MOST_BYTES:
        raise BadAnswer(
            "encode-too-much", f"{method.call} gave {frames.size(shapes)} bytes; {MOST_BYTES} are allowed in one answer"
        )


def _look_sparse(method: Method, given: Sequence[np.ndarray], shapes: frames.Shapes) -> None:
    """The same for latents, which come as four arrays: width, counts of each row, columns and values."""
    rows, most = len(given[0]), method.most or 0
    stored = shapes[2][1][0] if len(shapes) == 4 and len(shapes[2][1]) == 1 else -1
    wanted = [("uint32", ()), ("uint32", (rows,)), ("uint32", (stored,)), ("float32", (stored,))]
    if shapes != wanted:
        raise BadAnswer("encode-malformed", f"the answer is no frame of latents; does {method.name} write to pipes?")
    if stored > rows * most:
        raise BadAnswer(
            "encode-dense",
            f"{method.call} gives {stored / rows:.1f} non-zero latents a row; at most {most} are allowed",
        )


def _latents(
    method: Method, width: np.ndarray, counts: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> csr_matrix:
    """The latents [rows, d_sae] that the four arrays describe.

    Raises:
        BadAnswer: the arrays contradict each other or the declaration.
    """
    import numpy as np
    from scipy import sparse

    d_sae, most = method.gives[0].dims[1], method.most or 0
    counts, columns = counts.astype(np.int64), columns.astype(np.int64)
    if counts.sum() != len(values) or (len(values) and columns.max() >= width):
        raise BadAnswer("encode-malformed", "the encoding process answered with latents that do not exist")
    if width != d_sae:
        raise BadAnswer("encode-shape", f"{method.call} gives {width} latents a row, W_dec has {d_sae} rows")
    if counts.max(initial=0) > most:
        raise BadAnswer(
            "encode-dense",
            f"{method.call} gives {counts.max()} non-zero latents in one row; at most {most} are allowed",
        )
    starts = np.concatenate([[0], counts.cumsum()])
    z = sparse.csr_matrix((values.astype(np.float64), columns, starts), shape=(len(counts), int(width)))
    if not z.has_canonical_format:
        raise BadAnswer("encode-malformed", "the encoding process named a latent twice in one row")
    return z


def _check_finite(method: Method, form: Form, answer: Any) -> None:
    import numpy as np

    values = answer.data if method.most is not None else answer
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadAnswer("encode-not-finite", f"{method.call} gives NaN or infinite {form.name}")
