"""From a job and its result to the record that is committed."""

from __future__ import annotations

from agent.manifest import BaselineSpec
from agent.record import Job, JobResult, RunRecord
from agent.results import measured_records, start_record
from agent.session import RunState
from agent.tools import Tools


def run_record(tools: Tools, run: RunState, job: Job, result: JobResult) -> RunRecord:
    """The record of a run whose trainings are all measured."""
    return RunRecord(
        **_identity(tools, run), status="measured", commit=run.code, tree=tools.versions.tree(run.code),
        seeds=job.seeds, conditions=job.conditions, settings=job.settings, trainings=result.trainings, findings=(),
        started_at=result.started_at, wall_s=result.wall_s, device=result.device, versions=result.versions,
        hashes=result.hashes, sandbox=result.sandbox,
    )


def failed_record(tools: Tools, run: RunState) -> RunRecord:
    """The record of a run whose attempts are spent; it holds no metrics."""
    profile, code = tools.profile, run.code or ""
    return RunRecord(
        **_identity(tools, run), status="failed", commit=code, tree=tools.versions.tree(code) if code else "",
        seeds=profile.seeds, conditions=profile.conditions, settings=profile.settings, trainings=(), findings=(),
        started_at=0.0, wall_s=0.0, device="", versions={}, hashes={}, sandbox=tools.session.options.sandbox,
    )


def _identity(tools: Tools, run: RunState) -> dict[str, object]:
    manifest, options = tools.template.manifest, tools.session.options
    tried = run.attempt - (run.phase == "new")  # a failed attempt has moved the counter on
    shared = {"run": run.run, "attempts": tried, "template": manifest.name, "profile": options.profile}
    if run.is_baseline:
        spec = baseline_spec(tools, run)
        return shared | {"kind": "baseline", "name": spec.name, "label": spec.label, "about": spec.about,
                         "parent": None}
    parent = start_record(run.planned, measured_records(tools), manifest)
    return shared | {"kind": "experiment", "name": run.planned.name, "label": run.planned.label,
                     "about": run.planned.change, "parent": parent.run}


def baseline_spec(tools: Tools, run: RunState) -> BaselineSpec:
    """The manifest's entry of a baseline run."""
    position = [r.run for r in tools.session.runs.values() if r.is_baseline].index(run.run)
    wanted = tools.session.options.baselines[position]
    return next(b for b in tools.template.manifest.baselines if b.name == wanted)
