"""Submitting one attempt's trainings, collecting what they left, and making the record of it."""

from __future__ import annotations

import hashlib
from typing import NoReturn

from agent.actions import at_fault
from agent.actions.jobs import job_of
from agent.actions.losses import data_harm, harmed, lost, not_charged, swapped_files
from agent.actions.pretrained import baseline_spec
from agent.actions.runs import (
    code_of,
    fail_attempt,
    label_of,
    run_record,
    start_record,
)
from agent.actions.waiting import awaited, first_ended
from agent.core import slurm
from agent.core.errors import InfrastructureError
from agent.core.numbers import counted
from agent.core.plan import PlannedRun
from agent.core.record import Job, JobResult, RunRecord, Training
from agent.lab import integrity
from agent.lab.jobs.baselines import BaselineCache
from agent.lab.measuring import checkpoints
from agent.publishing import notes
from agent.publishing.records import session_facts
from agent.publishing.signatures import commit_signed, record_statement
from agent.session.action import CollectAny, CollectRun, SubmitRun
from agent.session.events import AttemptFailed, RunMeasured, RunSubmitted, Stage
from agent.session.states import RunState
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.confirmed import confirmation
from paper.evidence.series import averaged

INTERRUPTED = "interrupted"  # a lost training that had saved itself


def submit_run(action: SubmitRun, tools: Tools) -> RunSubmitted:
    """Start one attempt, or find it if an earlier process already did."""
    run = tools.session.runs[action.run]
    commit = code_of(tools, run)
    job = job_of(run, action.attempt, action.restart, tools)
    submitted = RunSubmitted(at=tools.now, run=action.run, attempt=action.attempt, key=job.key, commit=commit)
    if _measured_before(tools, run.run, action.attempt):
        return submitted
    cached = _baseline_cache(tools, run, job)
    if cached and cached.load() is not None:
        tools.say(f"Run {action.run} ({label_of(tools, run)}): cached")
    else:
        under = f" under each of {len(job.conditions)} conditions" if len(job.conditions) > 1 else ""
        if run.planned and run.planned.sweep:
            points_of = len(job.conditions) - len(tools.profile.conditions)
            under += f", {points_of} of them values of {run.planned.sweep.setting}"
        tools.say(f"Run {action.run} ({label_of(tools, run)}): training, {counted(len(job.seeds), 'seed')}{under}")
        tools.runner.submit(job)
    return submitted


def collect_run(action: CollectRun, tools: Tools) -> RunMeasured | AttemptFailed:
    """Wait for the attempt's result and judge it."""
    run = tools.session.runs[action.run]
    if commit := _measured_before(tools, run.run, action.attempt):
        return _found_again(tools, run, action.attempt, commit)
    job = job_of(run, action.attempt, run.restarts, tools)
    cache = _baseline_cache(tools, run, job)
    if cache and (known := cache.load()):
        return _measured(tools, run, job, known)
    result = _wait(job, run, tools)
    if isinstance(result, AttemptFailed):
        return result
    if result.outcome == "cancelled":
        return not_charged(tools, run, job, "cancelled", "the training was cancelled")
    if harm := data_harm(job, result):
        return harmed(tools, run, job, harm)
    if result.outcome != "measured":
        return _failed(tools, run, job, result)
    event = _measured(tools, run, job, result)
    if cache and isinstance(event, RunMeasured):  # what the gate refuses is no result for other sessions either
        cache.store(result)
    return event


def collect_any(action: CollectAny, tools: Tools) -> RunMeasured | AttemptFailed:
    """Wait until one of several runs has ended, and judge that one.

    A run whose end is committed already comes first: a kill kept its event from the log, and the log keeps the order of
    the history.
    """
    runs = [tools.session.runs[name] for name in action.runs]
    ended = next((run for run in runs if _told_before(tools, run)), None) or first_ended(runs, tools)
    return collect_run(CollectRun(ended.run, ended.attempt), tools)


def _told_before(tools: Tools, run: RunState) -> str | None:
    """The commit that tells how this attempt's training ended, if there is one."""
    failed = {"Run": run.run, "Attempt": str(run.attempt), "Restart": str(run.restarts), "Event": "attempt-failed"}
    return _measured_before(tools, run.run, run.attempt) or tools.versions.find(failed)


def _wait(job: Job, run: RunState, tools: Tools) -> JobResult | AttemptFailed:
    result = awaited(job, run, tools)
    if result:
        return result
    detail = "the training's supervisor is gone without a result (a restart of the machine, or a kill)"
    if checkpoints.got_further(job):  # however often: each time it has come nearer to its end
        return not_charged(tools, run, job, INTERRUPTED, f"{detail}; it goes on from its last checkpoint")
    return lost(tools, run, job, "lost", detail)


def _failed(tools: Tools, run: RunState, job: Job, result: JobResult) -> AttemptFailed:
    bad = next(t for t in result.trainings if t.outcome in ("failed", "refused"))
    detail = f"seed {bad.seed}, condition {bad.condition}: {bad.reason}\n{bad.detail}"
    if bad.reason == "killed":
        return lost(tools, run, job, bad.reason, detail)
    if run.is_baseline:
        _baseline_is_none(tools, run, job, bad.reason, detail)
    if run.planned and _template_fails(tools, run, run.planned, job, bad):
        _template_is_at_fault(tools, run, job, bad)
    if bad.reason == "supervisor":
        return not_charged(tools, run, job, bad.reason, detail)
    stage: Stage = "training" if result.outcome == "failed" else "integrity"
    return fail_attempt(tools, run.run, run.planned, job.attempt, stage, bad.reason, detail, result.wall_s)


def _baseline_is_none(tools: Tools, run: RunState, job: Job, reason: str, detail: str) -> NoReturn:
    """A session cannot go on without its baseline: the failure is logged, and a person has to act.

    Raises:
        InfrastructureError: always; it says which baseline, why, and where the logs lie.
    """
    tools.journal.append(not_charged(tools, run, job, reason, detail))
    raise InfrastructureError(
        f"baseline {baseline_spec(tools, run).name} did not run: {detail.strip()}\n"
        f"  Logs: {job.folder}. The template or this machine is at fault; mend and resume. (A baseline that does "
        "not learn on purpose says `control = true` in the manifest.)"
    )


def _template_fails(tools: Tools, run: RunState, planned: PlannedRun, job: Job, bad: Training) -> bool:
    """Whether the code that an attempt started from, which was measured before, now fails in the same way."""
    manifest = tools.template.manifest
    record = start_record(planned, session_facts(tools))
    before = {name: tools.versions.show(record.commit, name) for name in manifest.editable}
    if not at_fault.suspected(bad, before, tools.template.folder, command=manifest.command is not None):
        return False
    started = tools.session.runs[record.run]
    once_more = at_fault.again(job_of(started, started.attempt, started.restarts, tools), job, bad)
    tools.say(f"  {at_fault.last_line(bad.detail)[:300]}")
    tools.say(f"    is it the template? The code of run {record.run}, from which this one starts, is trained once more")
    tools.runner.submit(once_more)
    result = awaited(once_more, run, tools)
    return result is not None and at_fault.same_end(bad, result)


def _template_is_at_fault(tools: Tools, run: RunState, job: Job, bad: Training) -> NoReturn:
    """No edit can repair a template: the failure is logged without being counted, and a person has to act.

    Raises:
        InfrastructureError: always; it says what failed, and what to do.
    """
    said = at_fault.last_line(bad.detail)
    detail = f"the code that run {run.run} starts from now fails in the same way: {said}"
    tools.journal.append(not_charged(tools, run, job, at_fault.REASON, detail))
    raise InfrastructureError(
        f"run {run.run}: the template is at fault, or what it needs from this machine: {said}\n"
        "  The code from before the edit, which was measured, now fails in the same way; no attempt is counted. "
        f"Restore what {tools.template.folder} needs (files, data, packages) and resume. If a protected file has to "
        f"change, start a new session, because earlier runs were measured with the old one. Logs: {job.folder}"
    )


def _measured(tools: Tools, run: RunState, job: Job, result: JobResult) -> RunMeasured | AttemptFailed:
    """Judge, record, commit: the record is written only for a result that can be believed."""
    manifest, before = tools.template.manifest, session_facts(tools)
    record = run_record(tools, run, job, result)
    earlier = before.confirmations if run.kind == "confirmation" else before.explored
    findings = integrity.check(record, [r for r in earlier if r.status == "measured"], manifest)
    refusals = [f for f in findings if f.grade == "refuse"]
    swapped_files(tools, run, job, refusals)
    if refusals:
        text = "\n".join(f"{f.code}: {f.text}" for f in refusals)
        if run.is_baseline:
            _baseline_is_none(tools, run, job, refusals[0].code, text)
        code, spent = refusals[0].code, result.wall_s
        return fail_attempt(tools, run.run, run.planned, job.attempt, "integrity", code, text, spent)
    record = record.model_copy(update={"findings": findings})
    tools.versions.reset(tools.versions.head())
    text = record.model_dump_json(indent=1) + "\n"
    name = f"records/{run.run}.json"
    write_text(tools.paths.repo / name, text)
    facts = session_facts(tools, record)
    write_text(tools.paths.repo / "notes.txt", notes.render(tools.session, facts))
    primary = averaged(record, manifest.primary)
    commit = commit_signed(
        tools,
        record_statement(run.run),
        [name],
        [name, "notes.txt"],
        f"run {run.run}: {record.label}: {manifest.metrics[manifest.primary].label} "
        f"{primary.quantity(facts.unit(manifest.primary)).text()} (n={primary.n})",
        {
            **_trailers(run.run, job.attempt),
            manifest.primary.replace("_", "-").title(): f"{primary.mean:.6g}",
        },
    )
    tools.versions.tag(f"run/{run.run}", commit)
    tools.say(f"  run {run.run} measured: {notes.one_line(record, facts)}")
    if run.run.startswith("confirm.") and facts.confirmed:
        tools.say(f"Confirmation: {confirmation(facts).text}")
    return _event(tools, record, job.attempt, text, commit)


def _trailers(run: str, attempt: int) -> dict[str, str]:
    return {"Run": run, "Attempt": str(attempt), "Status": "measured", "Event": "measured"}


def _measured_before(tools: Tools, run: str, attempt: int) -> str | None:
    """The commit of this attempt's record, where the log does not tell of it: a kill, or a log that was rolled back."""
    return tools.versions.find(_trailers(run, attempt))


def _found_again(tools: Tools, run: RunState, attempt: int, commit: str) -> RunMeasured:
    """What is committed counts: a second training would give another record, which could never be committed."""
    text = tools.versions.show(commit, f"records/{run.run}.json")
    record = RunRecord.model_validate_json(text)
    tools.versions.reset(tools.versions.head())
    tools.versions.tag(f"run/{run.run}", commit)
    said = notes.one_line(record, session_facts(tools, record))
    tools.say(f"  run {run.run} was measured before (commit {commit[:8]}): {said}")
    return _event(tools, record, attempt, text, commit)


def _event(tools: Tools, record: RunRecord, attempt: int, text: str, commit: str) -> RunMeasured:
    return RunMeasured(
        at=tools.now,
        run=record.run,
        attempt=attempt,
        record_sha256=hashlib.sha256(text.encode()).hexdigest(),
        primary=averaged(record, tools.template.manifest.primary).mean,
        wall_s=record.wall_s,
        flags=tuple(f.code for f in record.findings if f.grade == "flag"),
        code=record.commit,
        commit=commit,
    )


def _baseline_cache(tools: Tools, run: RunState, job: Job) -> BaselineCache | None:
    """Only for code that no model wrote: a baseline, explored or confirmed."""
    of = tools.session.runs[run.repeats] if run.repeats is not None else run
    options = tools.session.options
    where = f"slurm {slurm.text(options.slurm)}" if options.executor == "slurm" else ""
    return BaselineCache(tools.cache / "baselines", job, where) if of.is_baseline else None
