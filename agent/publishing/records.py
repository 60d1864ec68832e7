"""Reading records: which run is best, what a planner sees of them, where a run starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from agent.core.errors import InfrastructureError
from agent.core.manifest import Manifest, MetricSpec
from agent.core.record import RunRecord
from agent.session.states import RunState
from agent.session.tools import Tools


def read_records(repo: Path, runs: Sequence[RunState]) -> list[RunRecord]:
    """The records of these runs, in this order, as they are committed.

    Raises:
        InfrastructureError: a record is gone, or is not the one that was measured.
    """
    return [_read_record(repo / "records" / f"{run.run}.json", run) for run in runs]


def _read_record(path: Path, run: RunState) -> RunRecord:
    mend = f"restore it with: git -C {path.parent.parent} checkout records/{path.name}"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InfrastructureError(f"{path}: the record is gone; {mend}") from None
    if run.measured and hashlib.sha256(data).hexdigest() != run.measured.record_sha256:
        raise InfrastructureError(f"{path}: changed since run {run.run} was measured (its hash differs); {mend}")
    return RunRecord.model_validate_json(data)


def measured_records(tools: Tools) -> list[RunRecord]:
    """Records of the explored runs measured so far, baselines first. A confirmation is evidence of its own."""
    explored = [r for r in tools.session.runs.values() if r.phase == "measured" and r.kind != "confirmation"]
    return read_records(tools.paths.repo, explored)


def confirmation_records(tools: Tools) -> list[RunRecord]:
    """Records of the arms of the confirmation measured so far."""
    arms = [r for r in tools.session.runs.values() if r.phase == "measured" and r.kind == "confirmation"]
    return read_records(tools.paths.repo, arms)


def values(record: RunRecord, metric: str, condition: str | None = None) -> list[float]:
    """A metric's value for each seed: of one condition, or averaged over all conditions."""
    by_seed: dict[int, list[float]] = {}
    for training in record.trainings:
        if condition in (None, training.condition):
            by_seed.setdefault(training.seed, []).append(training.metrics[metric])
    return [fmean(found) for found in by_seed.values()]


def mean(record: RunRecord, metric: str, condition: str | None = None) -> float:
    return fmean(values(record, metric, condition))


def standard_error(numbers: Sequence[float]) -> float | None:
    """Of the mean, with ddof = 1; None for a single number."""
    return stdev(numbers) / len(numbers) ** 0.5 if len(numbers) > 1 else None


def goodness(spec: MetricSpec, value: float) -> float:
    """Larger is better, whatever the metric's direction."""
    if spec.better == "target":
        return -abs(value - spec.target)
    return value if spec.better == "higher" else -value


def best(records: Sequence[RunRecord], manifest: Manifest) -> RunRecord:
    """The record with the best primary metric; the earlier one where two are equal."""
    spec = manifest.metrics[manifest.primary]
    return max(records, key=lambda record: goodness(spec, mean(record, manifest.primary)))


def described(records: Sequence[RunRecord], manifest: Manifest) -> RunRecord:
    """The run that a paper describes: the best experiment, also where a baseline beats it; the best of all if none."""
    return best([r for r in records if r.kind == "experiment"] or records, manifest)
