"""Reading records: which run is best, what a planner sees of them, where a run starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from agent.core.errors import InfrastructureError
from agent.core.manifest import Manifest, MetricSpec, aim
from agent.core.record import RunRecord
from agent.core.types import PlannedRun
from agent.session.session import RunState
from agent.session.tools import Tools
from paper.evidence.facts import Facts


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


def start_record(planned: PlannedRun, records: Sequence[RunRecord], manifest: Manifest) -> RunRecord:
    """The run whose code a planned run starts from: the one it names if that was measured, else run 0."""
    agent_runs = [r for r in records if r.run == "0" or r.kind == "experiment"]
    if planned.start_from == "best":
        return best(agent_runs, manifest)
    return next((r for r in agent_runs if r.name == planned.start_from), agent_runs[0])


def start_commit(planned: PlannedRun, tools: Tools) -> str:
    return start_record(planned, measured_records(tools), tools.template.manifest).commit


def table(records: Sequence[RunRecord], manifest: Manifest) -> str:
    """A compact Markdown table: one row a run, one column a metric, mean ± standard error over seeds."""
    arrows = {"higher": "higher is better", "lower": "lower is better"}
    heads = [
        f"{spec.label} ({arrows.get(spec.better) or _target(name, spec, records)})"
        for name, spec in manifest.metrics.items()
    ]
    several = len(records[0].conditions) > 1 if records else False
    rows = [["run", "name", *(["condition"] if several else []), *heads]]
    for record in records:
        for condition in [c.name for c in record.conditions] if several else [None]:
            cells = [_cell(values(record, metric, condition)) for metric in manifest.metrics]
            rows.append([record.run, record.name, *([condition] if several else []), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


def _target(metric: str, spec: MetricSpec, records: Sequence[RunRecord]) -> str:
    found = aim(metric, spec, records[0].settings, records[0].conditions) if records else spec.target
    return "target: the condition's" if found is None else f"target {found:g}"


def _cell(numbers: Sequence[float]) -> str:
    error = standard_error(numbers)
    return f"{fmean(numbers):.4g}" if error is None else f"{fmean(numbers):.4g} ± {error:.2g}"


def session_facts(tools: Tools) -> Facts:
    """Every run that is over, measured or failed, as the paper may state it."""
    over = [run for run in tools.session.runs.values() if run.over]
    return Facts(read_records(tools.paths.repo, over), tools.template.manifest, tools.session.options.profile)
