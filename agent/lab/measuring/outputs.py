"""Measuring a model that is no autoencoder: its outputs on held-out rows, as they are, go to the evaluation.

The floor is what the same outputs score when they are given to other rows, or when every row gets their mean:
a metric that is no better does not see the input. Not here: sandboxes and processes (encoder.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.record import Finding
from agent.lab.integrity.effort import AT_FLOOR
from agent.lab.integrity.floor import DRAWS, at_floor
from agent.lab.measuring import encoder
from agent.lab.measuring.artefact import BadArtefact, read_tensors
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.train import after_one_batch
from agent.lab.measuring.verdict import Account, Stopped, evaluate_into

if TYPE_CHECKING:
    import numpy as np

MOVED = 1e-3  # relative; a training of any honest length moves its parameters further


def measure(bench: Bench, saved: Path, width: int, account: Account) -> None:
    """Outputs twice, `width` numbers a row; metrics, floor.

    Raises:
        Stopped: the artefact cannot be read or measured, or its training moves nothing.
    """
    import numpy as np

    tensors = _tensors(saved)
    evaluation, truth = bench.evaluation()
    outputs = encoder.encoded(bench, truth.x, width, most=width).toarray()
    evaluate_into(account, lambda: evaluation.evaluate(truth.x, outputs, truth), bench.manifest.metrics)
    draw = np.random.default_rng(0)
    blind = [outputs[draw.permutation(len(outputs))] for _ in range(DRAWS)]
    blind.append(np.broadcast_to(outputs.mean(axis=0), outputs.shape))
    *shuffled, mean = ({k: float(v) for k, v in evaluation.evaluate(truth.x, one, truth).items()} for one in blind)
    if not at_floor(account.metrics, shuffled, bench.manifest, constants=[mean]):
        return
    account.judge(
        Finding(
            code=AT_FLOOR,
            grade="flag",
            text=(
                f"no metric is better than what {bench.manifest.model.call} scores when its outputs are shuffled "
                "over the rows, or are the same for all"
            ),
        )
    )
    if not bench.control:
        _check_it_moved(bench, tensors, account)


def _check_it_moved(bench: Bench, tensors: dict[str, np.ndarray], account: Account) -> None:
    """The same code on one batch: parameters that hardly differ from those were never trained."""
    start = after_one_batch(bench)
    try:
        before = None if start is None else read_tensors(start)
    except BadArtefact:
        return
    if before is not None and not moved(before, tensors):
        stop = Stopped(
            "refused",
            "untrained",
            "no metric is better than outputs that ignore the input, and the same code with a single batch of "
            "samples leaves the same tensors: the training does not move the parameters.",
        )
        account.stop(stop, bench.job.kind)


def moved(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> bool:
    """Whether any tensor differs by more than rounding and a step or two explain."""
    import numpy as np

    if before.keys() != after.keys() or any(before[k].shape != after[k].shape for k in before):
        return True
    change = sum(float(np.square(after[k] - before[k]).sum()) for k in before)
    size = sum(float(np.square(before[k]).sum()) for k in before)
    return change > MOVED**2 * max(size, 1e-30)


def _tensors(saved: Path) -> dict[str, np.ndarray]:
    try:
        return read_tensors(saved)
    except BadArtefact as bad:
        raise Stopped("refused", "artefact", str(bad)) from None
