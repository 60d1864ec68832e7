"""Checks of whether a logged loss looks like the loss of a training.

The experiment writes its own log, so that these checks only flag.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from statistics import median

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from agent.lab.integrity.rule import named

SEVERAL = 5  # distinct losses; two curves with fewer may be the same by rounding
POINTS = 20  # a shorter curve says too little about its noise
# Median third difference as a share of the curve's range. Losses of batches: above 0.05; a formula: below 1e-4.
SMOOTH = 3e-3
SETTLED = 0.2  # share of the points, at the start, that are left out: there even a noisy loss only falls
ENDS = 2.0  # factor between the last logged loss and the one that the diagnostics call final


@named("smooth-loss", "flag")
def smooth_loss(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a loss without the noise that batches make: it was written by a formula, or is a mean over many batches or
    over the whole data. Does not catch a curve with invented noise."""
    smooth = [t for t in record.trainings if _too_smooth(t.curves.get("loss", ()))]
    if smooth:
        yield (
            f"the loss of {len(smooth)} of {len(record.trainings)} trainings falls without any noise, which losses of "
            "batches have"
        )


@named("same-loss", "flag")
def same_loss(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags two seeds that logged the very same losses though they left different artefacts: one of the curves belongs
    to another training, or to none."""
    logged = [t for t in record.trainings if len(set(t.curves.get("loss", ()))) >= SEVERAL and t.artefact_sha256]
    for one, other in combinations(logged, 2):
        if one.curves["loss"] == other.curves["loss"] and one.artefact_sha256 != other.artefact_sha256:
            yield f"seeds {one.seed} and {other.seed}, {other.condition}: the logged losses are the same, all of them"


@named("log-starts-again", "flag")
def starts_again(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a log whose steps or samples go back: more than one training wrote it, as when the best of several is
    kept. Does not catch several trainings of which only one wrote a log (much-compute flags their cost)."""
    for t in record.trainings:
        for name in ("step", "samples"):
            if any(after < before for before, after in pairwise(t.curves.get(name, ()))):
                yield f"seed {t.seed}, {t.condition}: the logged `{name}` goes back, so several trainings wrote the log"
                break


@named("other-final-loss", "flag")
def other_final_loss(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a diagnostic `final_loss` that differs from the last loss of the log by more than a factor of two."""
    for t in record.trainings:
        said, loss = t.diagnostics.get("final_loss"), t.curves.get("loss", ())
        if said is None or not loss or said <= 0 or loss[-1] <= 0:
            continue
        if not 1 / ENDS <= said / loss[-1] <= ENDS:
            yield (
                f"seed {t.seed}, {t.condition}: the diagnostics call {said:.3g} the final loss, and the log ends at "
                f"{loss[-1]:.3g}"
            )


def moves(loss: Sequence[float]) -> bool:
    """Whether a logged loss ever changes."""
    return len(loss) > 1 and max(loss) > min(loss)


def _too_smooth(loss: Sequence[float]) -> bool:
    if len(loss) < POINTS or not moves(loss):
        return False
    # third differences remove the trend of a smooth curve and leave the noise
    settled = list(loss[round(SETTLED * len(loss)) :])
    for _ in range(3):
        settled = [after - before for before, after in pairwise(settled)]
    return median(map(abs, settled)) < SMOOTH * (max(loss) - min(loss))
