"""A job's result, put together of what its tasks left and of what Slurm says about those that left nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping

from agent.core.record import Job, JobResult, Training
from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.slurm.paths import SlurmPaths, Submission, keys_of
from agent.lab.jobs.slurm.states import KILLED, Task, in_words, spoiled
from agent.lab.jobs.supervisor import failed, not_run, result_of

MAX_LOG = 600  # characters of a task's log that a person reads at once


def concluded(job: Job, submission: Submission, tasks: Mapping[int, Task], *, cancelled: bool) -> JobResult:
    """The result of a job of which nothing more will come.

    A training that is missing was cancelled, or spared because another one failed by its own code; else the machine
    lost it.
    """
    paths, keys = JobPaths.of(job), keys_of(job)
    found = [paths.read_training(*key) for key in keys]
    spare = "cancelled" if cancelled else "skipped" if spoiled(found) else ""
    trainings: list[Training] = []
    for index, (key, training) in enumerate(zip(keys, found, strict=True)):
        if training is None and spare:
            training = not_run(key, spare)
        elif training is None:
            training = failed(key, KILLED, _lost(job, submission, tasks.get(index), index))
        trainings.append(training)
    started_at, ended_at = _span(job, submission)
    lost = any(t.reason == KILLED for t in trainings)  # and with a task the hashing that it did
    no_facts = KILLED if lost else "supervisor", f"no task left its facts; see {SlurmPaths.of(job).root}"
    return result_of(job, paths, trainings, started_at, ended_at - started_at, None if cancelled else no_facts)


def _lost(job: Job, submission: Submission, task: Task | None, index: int) -> str:
    log = SlurmPaths.of(job).log(submission.id, index)
    try:
        tail = log.read_text(encoding="utf-8", errors="replace")[-MAX_LOG:].strip()
    except OSError:
        tail = ""
    said = f"; its log ends: {tail}" if tail else "; it printed nothing"
    return f"{in_words(task, submission.id, index)}{said} ({log})"


def _span(job: Job, submission: Submission) -> tuple[float, float]:
    """When the first task began to work and the last one left its training, in seconds since the epoch."""
    paths, slurm = JobPaths.of(job), SlurmPaths.of(job)
    begun = [task for index in range(len(keys_of(job))) if (task := slurm.read_task(index))]
    started_at = min((task.first_started_at for task in begun), default=submission.at)
    files = [path for key in keys_of(job) if (path := paths.training(*key)).exists()]
    ended_at = max((path.stat().st_mtime for path in files), default=time.time())
    return started_at, max(started_at, ended_at)
