"""How much compute a training took, beside what the same condition took a baseline. Pure arithmetic over records."""

from __future__ import annotations

from statistics import fmean, median

from agent.core.record import RunRecord, Training


def compute_share(training: Training, baseline: RunRecord) -> float | None:
    """One training's compute, as a multiple of the median of the baseline's trainings under the same condition.

    GPU seconds are compared where every training has them, else CPU seconds of the whole process tree. None where
    the baseline has no such training, or one that took no time.
    """
    others = [t for t in baseline.trainings if t.condition == training.condition]
    on_gpu = [t.gpu_s for t in others if t.gpu_s is not None]
    if training.gpu_s is not None and len(on_gpu) == len(others):
        usual, mine = on_gpu, training.gpu_s
    else:
        usual, mine = [t.cpu_s for t in others], training.cpu_s
    return mine / median(usual) if usual and median(usual) > 0 else None


def relative_compute(record: RunRecord, baseline: RunRecord) -> float | None:
    """Mean over a run's trainings of their compute as a multiple of the baseline's, for a table of runs.

    None where nothing can be compared: another device, or no training under a condition of the baseline.
    """
    if record.device != baseline.device:
        return None
    shares = [share for t in record.trainings if (share := compute_share(t, baseline)) is not None]
    return fmean(shares) if shares else None
