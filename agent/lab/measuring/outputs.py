"""Measures a model that is no autoencoder: the evaluation calls it in its box as it likes.

The floor of a metric is its value when the same answers are given to other rows or calls, or are the same for all; a
model that is no better ignores its input. A metric of a whole distribution of outputs does not change under such a
shuffle, so its floor is what the model scores after one batch of samples. Not here: the box (box.py), and the model
that an evaluation gets (model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.metrics import MetricSpec
from agent.core.record import Finding, Grade
from agent.lab.integrity.effort import AT_FLOOR
from agent.lab.integrity.floor import DRAWS, at_floor
from agent.lab.measuring import box, repeat
from agent.lab.measuring.artefact import BadArtefact, Stored, read_tensors
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.model import Asked, Shuffled
from agent.lab.measuring.repeat import Heard
from agent.lab.measuring.train import after_one_batch
from agent.lab.measuring.verdict import Account, EvaluationFault, Stopped, evaluate_into

if TYPE_CHECKING:
    import numpy as np

MOVED = 1e-3  # relative; a training of an ordinary length moves its parameters further
Drive = Callable[[Any], dict[str, float]]


def measure(bench: Bench, saved: Path, account: Account) -> None:
    """Evaluate into the account, compare the answers with a second process, and compare the metrics with the floor.

    Raises:
        Stopped: the artefact cannot be read or measured, or its training does not move the parameters.
        InfrastructureError: the evaluation itself fails.
    """
    stored = _stored(saved)
    drive = bench.driver()
    heard = _asked(bench, drive, stored, saved, account)
    repeat.check(bench, heard)
    specs = {name: spec for name, spec in bench.manifest.headline.items() if spec.better != "target" and not spec.timed}
    seen = {name: spec for name, spec in specs.items() if heard and not spec.distribution}
    if not specs or (seen and not _blind(bench, drive, stored, heard, account, seen)):
        return
    start = after_one_batch(bench)
    drawn = {name: spec for name, spec in specs.items() if name not in seen}
    if drawn and start and not _no_better_than(bench, drive, start, account, drawn):
        return
    below = [f"what {bench.manifest.model.name} scores when its answers are shuffled, or the same for all"] * bool(seen)
    below += ["what the model scores after one batch of samples"] * bool(drawn)
    grade: Grade = "note" if bench.control else "flag"
    account.judge(Finding(code=AT_FLOOR, grade=grade, text=f"no metric is better than {' or '.join(below)}"))
    if not bench.control and start:
        _check_it_moved(bench, start, stored, account)


def _asked(bench: Bench, drive: Drive, stored: Stored, saved: Path, account: Account) -> list[Heard]:
    """Evaluate into the account; returns every call that the evaluation made."""
    import numpy as np

    draw = np.random.default_rng(bench.order_seed("encode"))
    with box.started(bench, "encode", bench.manifest.model.called(bench.settings), artefact=saved) as answers:
        model = Asked(answers, stored, draw)
        evaluate_into(account, lambda: _held(drive, model), bench.manifest.metrics)
    return model.heard


def _held(drive: Drive, model: Asked) -> dict[str, float]:
    """The metrics; raises the error of a failed call even if the evaluation caught it."""
    try:
        return drive(model)
    finally:
        model.hold()


def _blind(
    bench: Bench, drive: Drive, stored: Stored, heard: list[Heard], account: Account, specs: Mapping[str, MetricSpec]
) -> bool:
    """Whether no metric is better than with shuffled answers, or with the usual answer to every call."""
    import numpy as np

    draw, methods = np.random.default_rng(0), bench.manifest.model.called(bench.settings)
    try:
        *shuffled, usual = (
            {name: float(value) for name, value in drive(Shuffled(methods, heard, stored, one)).items()}
            for one in (*[draw] * DRAWS, None)
        )
    except InfrastructureError:
        raise
    except Exception as error:
        raise EvaluationFault(f"evaluate.py fails where answers are shuffled: {error!r}") from error
    return bool(at_floor(account.metrics, shuffled, specs, constants=[usual]))


def _no_better_than(bench: Bench, drive: Drive, start: Path, account: Account, specs: Mapping[str, MetricSpec]) -> bool:
    """Whether no metric is better than that of `start`, the model after one batch.

    If `start` cannot be measured, the model counts as better.
    """
    untrained = Account()
    try:
        _asked(bench, drive, read_tensors(start), start, untrained)
    except (Stopped, BadArtefact):
        return False
    return bool(at_floor(account.metrics, [], specs, constants=[untrained.metrics]))


def _check_it_moved(bench: Bench, start: Path, stored: Stored, account: Account) -> None:
    """Refuse parameters that hardly differ from what the same code leaves after a single batch."""
    try:
        before = read_tensors(start).tensors
    except BadArtefact:
        return
    if not moved(before, stored.tensors):
        stop = Stopped(
            "refused",
            "untrained",
            "no metric is better than outputs that ignore the input, and the same code with a single batch of "
            "samples leaves the same tensors: the training does not move the parameters.",
        )
        account.stop(stop, bench.job.kind)


def moved(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> bool:
    """Whether any tensor differs by more than rounding and a step or two explain."""
    import numpy as np

    if before.keys() != after.keys() or any(before[k].shape != after[k].shape for k in before):
        return True
    pairs = [(before[k].astype(np.float64), after[k].astype(np.float64)) for k in before]
    change = sum(float(np.square(new - old).sum()) for old, new in pairs)
    size = sum(float(np.square(old).sum()) for old, _ in pairs)
    return change > MOVED**2 * max(size, 1e-30)


def _stored(saved: Path) -> Stored:
    try:
        return read_tensors(saved)
    except BadArtefact as bad:
        raise Stopped("refused", "artefact", str(bad)) from None
