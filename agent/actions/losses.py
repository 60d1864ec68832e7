"""Trainings that failed for a reason outside their code: reported, repeated, and never charged to the agent."""

from __future__ import annotations

from collections.abc import Sequence

from agent.actions.runs import fail_attempt, label_of
from agent.core.errors import InfrastructureError
from agent.core.record import Finding, Job, JobResult
from agent.lab.built import damage, forget
from agent.session.events import AttemptFailed
from agent.session.policy import MAX_RESTARTS
from agent.session.states import RunState
from agent.session.tools import Tools

SWAPPED = ("data-changed", "protected-changed")  # findings about files that sandboxed code cannot write


def not_charged(tools: Tools, run: RunState, job: Job, reason: str, detail: str) -> AttemptFailed:
    """Report a training that failed for a reason outside its code, and return the event for it."""
    failure = fail_attempt(tools, run.run, run.planned, job.attempt, "runner", reason, detail)
    tools.say(f"    {' '.join(detail.split())[:600]}; no attempt is charged")
    return failure


def lost(tools: Tools, run: RunState, job: Job, reason: str, detail: str) -> AttemptFailed:
    """The event of a training that was ended from outside; it is repeated.

    Raises:
        InfrastructureError: the training of a baseline was lost more than MAX_RESTARTS times, and the session needs it.
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
    """What is wrong with the data that a job was trained and measured on; "" if nothing is."""
    told = next((t.detail for t in result.trainings if t.reason == "data"), "")
    if told or result.outcome == "measured" or result.hashes:
        return told
    # Hashes are missing. Either the data are damaged, or their hashes could not be taken for another reason.
    for world in job.data_folders:
        if harm := damage(world, thorough=True):
            forget(world)
            return f"{world}: {harm}"
    return ""


def harmed(tools: Tools, run: RunState, job: Job, harm: str) -> AttemptFailed:
    """The event of a training whose data were lost or damaged meanwhile.

    The agent is charged only if no sandbox kept its code from the data.

    Raises:
        InfrastructureError: it happened more than MAX_RESTARTS times to this attempt.
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
    """Stop the session if files were changed that sandboxed code cannot write; no attempt is charged.

    Raises:
        InfrastructureError: such a file differs from what the first run was measured with.
    """
    found = next((f for f in refusals if f.code in SWAPPED), None)
    if found is None or (job.sandbox == "none" and run.kind == "experiment"):
        return
    tools.journal.append(not_charged(tools, run, job, found.code, found.text))
    data = f"remove {' and '.join(map(str, job.data_folders))}, and it is built again"
    code = f"restore it in {tools.template.folder} (this session's copy: {tools.paths.repo / 'template'})"
    raise InfrastructureError(
        f"run {run.run}: {found.text}, and no code of the session can have changed it: "
        f"{data if found.code == 'data-changed' else code}; then resume"
    )
