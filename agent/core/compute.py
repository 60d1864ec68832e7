"""How much compute a run took, as a multiple of what a baseline took. Pure arithmetic over records."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from agent.core.record import RunRecord, Training


def compute_share(training: Training, baseline: RunRecord) -> float | None:
    """One training's compute, as a multiple of the median of the baseline's trainings under the same condition.

    GPU seconds are compared if every training has them, else CPU seconds of the whole process tree. Returns None if the
    baseline has no training under this condition, or if their median is 0.
    """
    others = [t for t in baseline.trainings if t.condition == training.condition]
    if _on_gpu([training, *others]):
        usual, mine = [t.gpu_s or 0.0 for t in others], training.gpu_s or 0.0
    else:
        usual, mine = [t.cpu_s for t in others], training.cpu_s
    return mine / median(usual) if usual and median(usual) > 0 else None


def measure_of(record: RunRecord, baseline: RunRecord) -> str:
    """Which seconds are compared between two runs: "GPU" or "processor"."""
    return "GPU" if _on_gpu([*record.trainings, *baseline.trainings]) else "processor"


def _on_gpu(trainings: Sequence[Training]) -> bool:
    return bool(trainings) and all(t.gpu_s is not None for t in trainings)


def relative_compute(record: RunRecord, baseline: RunRecord) -> float | None:
    """The mean of `compute_share` over a run's trainings, for a table of runs.

    Returns None if the devices differ, or if the baseline has no training under any of the run's conditions.
    """
    if record.device != baseline.device:
        return None
    shares = [share for t in record.trainings if (share := compute_share(t, baseline)) is not None]
    return fmean(shares) if shares else None
