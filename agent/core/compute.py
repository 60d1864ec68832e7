"""How much compute a training took, beside what the same condition took a baseline. Pure arithmetic over records."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from agent.core.record import RunRecord, Training


def compute_share(training: Training, baseline: RunRecord) -> float | None:
    """One training's compute, as a multiple of the median of the baseline's trainings under the same condition.

    GPU seconds are compared where every training has them, else CPU seconds of the whole process tree. None where
    the baseline has no such training, or one that took no time.
    """
    others = [t for t in baseline.trainings if t.condition == training.condition]
    if _on_gpu([training, *others]):
        usual, mine = [t.gpu_s or 0.0 for t in others], training.gpu_s or 0.0
    else:
        usual, mine = [t.cpu_s for t in others], training.cpu_s
    return mine / median(usual) if usual and median(usual) > 0 else None


def measure_of(record: RunRecord, baseline: RunRecord) -> str:
    """Whose seconds are compared between two runs: "GPU" or "processor"."""
    return "GPU" if _on_gpu([*record.trainings, *baseline.trainings]) else "processor"


def _on_gpu(trainings: Sequence[Training]) -> bool:
    return bool(trainings) and all(t.gpu_s is not None for t in trainings)


def relative_compute(record: RunRecord, baseline: RunRecord) -> float | None:
    """Mean over a run's trainings of their compute as a multiple of the baseline's, for a table of runs.

    None where nothing can be compared: another device, or no training under a condition of the baseline.
    """
    if record.device != baseline.device:
        return None
    shares = [share for t in record.trainings if (share := compute_share(t, baseline)) is not None]
    return fmean(shares) if shares else None
