"""Trainings that came to nothing by nobody's code: told, tried again, and never charged to the agent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.actions.runs import fail_attempt, label_of
from agent.core.errors import InfrastructureError
from agent.core.record import Finding, Job, JobResult
from agent.lab.built import damage, forget
from agent.session.events import AttemptFailed
from agent.session.policy import MAX_RESTARTS
from agent.session.states import RunState
from agent.session.tools import Tools

SWAPPED = ("data-changed", "protected-changed")  # checks of files that sandboxed code cannot write


def not_charged(tools: Tools, run: RunState, job: Job, reason: str, detail: str) -> AttemptFailed:
    """The event of a training that its code did not end, told with its cause."""
    failure = fail_attempt(tools, run.run, run.planned, job.attempt, "runner", reason, detail)
    tools.say(f"    {' '.join(detail.split())[:600]}; no attempt is charged")
    return failure


def lost(tools: Tools, run: RunState, job: Job, reason: str, detail: str) -> AttemptFailed:
    """A training that was ended from outside: tried again, whoever wrote its code.

    Raises:
        InfrastructureError: a baseline's is lost again and again, and the session cannot do without it.
    """
    failure = not_charged(tools, run, job, reason, detail)
    if not run.is_baseline or run.lost < MAX_RESTARTS:
        return failure
    tools.journal.append(failure)
    raise InfrastructureError(
        f"run {run.run} ({label_of(tools, run)}) was lost {run.lost + 1} times: {' '.join(detail.split())}. Logs: "
        f"{job.folder}. Give the machine room (memory, --slots), or find out who ends it, and resume"
    )


def data_harm(job: Job, result: JobResult) -> str:
    """What became of the data that a job was trained and measured on; "" where they stayed as they were."""
    told = next((t.detail for t in result.trainings if t.reason == "data"), "")
    if told or result.outcome == "measured" or result.hashes:
        return told
    if not (harm := damage(_world(job), thorough=True)):  # their hashes could not be taken for another reason
        return ""
    forget(_world(job))
    return f"{_world(job)}: {harm}"


def harmed(tools: Tools, run: RunState, job: Job, harm: str) -> AttemptFailed:
    """Data that were lost or damaged under a training: the runner's loss, where walls kept its code from them.

    Raises:
        InfrastructureError: it happens again and again.
    """
    if job.sandbox == "none" and run.kind == "experiment":
        detail = f"the data were changed while the run was trained, and no sandbox kept its code from it: {harm}"
        return fail_attempt(tools, run.run, run.planned, job.attempt, "integrity", "data-changed", detail)
    detail = f"the data were changed from outside while run {run.run} was trained: {harm}"
    failure = not_charged(tools, run, job, "data", detail)
    if run.harmed < MAX_RESTARTS:
        return failure
    tools.journal.append(failure)
    raise InfrastructureError(f"{detail}; {run.harmed + 1} times by now. Find out who changes them, and resume")


def swapped_files(tools: Tools, run: RunState, job: Job, refusals: Sequence[Finding]) -> None:
    """Files that sandboxed code cannot write, and that somebody changed, stop the session; no attempt pays for them.

    Raises:
        InfrastructureError: such files are not those that the first run was measured with.
    """
    found = next((f for f in refusals if f.code in SWAPPED), None)
    if found is None or (job.sandbox == "none" and run.kind == "experiment"):
        return
    tools.journal.append(not_charged(tools, run, job, found.code, found.text))
    data = f"remove {_world(job)}, and it is built again"
    code = f"restore it in {tools.template.folder} (this session's copy: {tools.paths.repo / 'template'})"
    raise InfrastructureError(
        f"run {run.run}: {found.text}, and no code of the session can have changed it: "
        f"{data if found.code == 'data-changed' else code}; then resume"
    )


def _world(job: Job) -> Path:
    """The folder of the data that a job is trained and measured on."""
    return Path(job.truth_data).parent
