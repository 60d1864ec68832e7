"""The process that encodes: the agent's model and code in a sandbox that sees neither data nor truth.

Not here: what it is asked and what is believed of its answers (encoding.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.manifest import Limits, ModelSpec
from agent.core.protocols import Mount, SandboxProcess, SandboxSpec
from agent.lab.measuring import encoding
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import copy_code, remove
from agent.lab.measuring.verdict import Stopped, encoding_ended

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

WORKER = Path(__file__).with_name("encode_worker.py")


@contextmanager
def started(bench: Bench, stage: str, limits: Limits, threads: int = 0) -> Iterator[SandboxProcess]:
    """A fresh process, ended with the block. `threads` 0: as many as a training has.

    Raises:
        Stopped: it ended before its time, or answered what cannot be used.
    """
    paths, model, show = bench.paths, bench.manifest.model, bench.sandbox.visible
    remove(paths.encode_code)
    copy_code(bench.job, paths.encode_code, bench.manifest)
    code = Mount(paths.encode_code, "/w")
    worker = Mount(WORKER, "/runner/encode_worker.py")
    saved = Mount(bench.artefact, f"/artefact/{bench.manifest.artefact}")
    argv = (
        bench.python,
        "-P",
        show(worker),
        show(saved),
        str(threads or bench.job.threads),
        model.name,
        model.method,
    )
    spec = SandboxSpec(
        argv=argv, cwd=show(code), mounts=(code, worker, saved, *bench.trees), limits=limits, env=bench.env
    )
    stderr = paths.text(f"{stage}.stderr")
    process = bench.sandbox.start(spec, stdout=None, stderr=stderr, stdin=True)
    try:
        yield process
    except encoding.BadLatents as bad:
        raise Stopped("refused", bad.reason, called(model, str(bad))) from None
    except encoding.Ended as ended:
        stop = encoding_ended(ended.end, stderr)
        raise Stopped(stop.outcome, stop.reason, called(model, stop.detail)) from None
    finally:
        process.kill()


def encoded(bench: Bench, x: np.ndarray, width: int, most: int) -> csr_matrix:
    """Latents (or outputs) of all rows, computed by two processes.

    Args:
        x: float32 [rows, d_in].
        width: columns of the result.
        most: non-zeros that a row may have.

    Raises:
        Stopped: the two answers differ.
    """
    first = _encode(bench, "encode", x, width, most, varied=False)
    second = _encode(bench, "encode-again", x, width, most, varied=True)
    if not encoding.agree(first, second):
        share = encoding.disagreement(first, second)
        raise Stopped(
            "refused",
            "encode-depends-on-batch",
            called(
                bench.manifest.model,
                f"encoding the held-out rows twice, in other orders and batch sizes, gave other latents for "
                f"{share:.1%} of the rows. SAE.encode must be a function of each row alone: no statistics "
                "over the batch, no state, no randomness. A choice over the batch needs a stored threshold.",
            ),
        )
    return first


def _encode(bench: Bench, stage: str, x: np.ndarray, width: int, most: int, varied: bool) -> csr_matrix:
    """Latents of all rows from a fresh process that sees code and artefact, no data, no truth."""
    import numpy as np

    draw = np.random.default_rng(bench.order_seed(stage))
    sizes = encoding.varied_batches(draw) if varied else itertools.repeat(encoding.BATCH)
    with started(bench, stage, bench.job.evaluate_limits) as process:
        return encoding.encode_rows(process, x, draw.permutation(len(x)), sizes, width, most, bench.cancelled)


def called(model: ModelSpec, text: str) -> str:
    """Remarks are worded for an SAE; another template's class and outputs have names of their own."""
    if model.outputs is not None:
        text = text.replace("latents", "outputs").replace("W_dec has", "the template asks for")
    return text.replace("SAE.encode", model.call).replace("SAE.load", f"{model.name}.load")
