"""A runner whose jobs are arrays of Slurm: implements protocols.Runner.

All that counts lies in the job's folder, so that a loop that was killed finds its job again. What Slurm says is asked
for now and then; it decides only whether a training that is missing may still come.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from agent.core.errors import InfrastructureError
from agent.core.protocols import Progress
from agent.core.record import Job, JobResult
from agent.lab.jobs.local import ENVIRONMENT, PROJECT, LocalRunner
from agent.lab.jobs.paths import JobPaths, take_over
from agent.lab.jobs.slurm.concluding import concluded
from agent.lab.jobs.slurm.control import Away, Run, Slurm, own_commands
from agent.lab.jobs.slurm.paths import SlurmPaths, Submission, keys_of, name_of
from agent.lab.jobs.slurm.patience import Clock, check_away, patiently
from agent.lab.jobs.slurm.script import Batch, batch_script, defaults, merged
from agent.lab.jobs.slurm.states import Task, next_step, of_array, queued, spoiled
from agent.lab.jobs.supervisor import training_s
from agent.lab.measuring.scratch import remove
from agent.sandbox.limits import FREE_FLOOR_MB, free_mb, no_room
from agent.storage.atomic import write_text
from agent.storage.locks import is_locked, try_lock

MOST_RELEASES = 3  # of a task that Slurm could not start on a node
MEASURE = "agent.lab.measuring.measure"
# CUDA_VISIBLE_DEVICES is Slurm's to say, on the node; SLURM_CONF is a site's, or a test's.
ON_NODES = (*(name for name in ENVIRONMENT if not name.endswith("VISIBLE_DEVICES")), "SLURM_CONF")


@dataclass
class _Seen:
    """What Slurm has said of one job."""

    asked: float | None = None  # when; None: never
    tasks: dict[int, Task] = field(default_factory=dict)
    away_since: float | None = None
    away: str = ""  # what Slurm's command said
    ended_since: float | None = None
    released: Counter[int] = field(default_factory=Counter)  # how often, by the task's index


class SlurmRunner:
    """Implements protocols.Runner.

    Args:
        asked: options of sbatch by their long names, over what the job's own limits suggest.
        say: hears what is waited for while a job is submitted.
        measure: the module with run_training and job_facts.
        commands: runs sbatch, squeue and scancel.
    """

    def __init__(
        self,
        asked: Mapping[str, str],
        say: Callable[[str], None],
        *,
        measure: str = MEASURE,
        commands: Run | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._asked, self._say, self._measure = asked, say, measure
        self._slurm, self._clock = Slurm(commands or own_commands(ON_NODES)), clock or Clock()
        self._seen: dict[str, _Seen] = {}

    def submit(self, job: Job) -> None:
        """Hand the job to Slurm unless it is there or done. A controller that is away is waited for.

        Raises:
            InfrastructureError: the disk is nearly full, Slurm refuses the job, or does not answer for an hour.
        """
        paths, slurm = JobPaths.of(job), SlurmPaths.of(job)
        slurm.root.mkdir(parents=True, exist_ok=True)
        lock = None if paths.result.exists() else try_lock(paths.lock)
        if lock is None:
            return
        try:
            if paths.result.exists() or slurm.read_submission():
                return
            if free_mb(paths.root) < FREE_FLOOR_MB:
                raise InfrastructureError(no_room(paths.root))
            indices = _prepared(job)
            if patiently(lambda: self._adopt(job), self._clock, self._say):
                return
            write_text(slurm.script, batch_script(batch_of(job, self._asked, indices, self._measure)))
            number = patiently(lambda: self._slurm.submit(slurm.script), self._clock, self._say)
            slurm.write_submission(Submission(id=number, at=time.time()))
        finally:
            os.close(lock)

    def state(self, job: Job) -> Literal["unknown", "running", "finished", "lost"]:
        """Where the job stands; puts its result together once nothing more will come.

        Raises:
            InfrastructureError: Slurm does not answer for an hour.
        """
        paths, slurm = JobPaths.of(job), SlurmPaths.of(job)
        if paths.result.exists():
            return "finished"
        if not paths.job.exists():
            return "unknown"
        submission = slurm.read_submission()
        if submission is None:
            if is_locked(paths.lock):  # it is being submitted
                return "running"
            with suppress(Away):
                submission = self._adopt(job)
            if submission is None:
                return "lost"
        return "finished" if self._advance(job, submission) else "running"

    def progress(self, job: Job) -> Progress:
        """From the files that the trainings write, with Slurm's word where they wait for it."""
        seen = self._seen.get(job.folder, _Seen())
        submission = SlurmPaths.of(job).read_submission()
        stuck = queued(seen.tasks, submission.id) if submission else ""
        if seen.away_since is not None:
            minutes = (self._clock.now() - seen.away_since) / 60
            stuck = f"Slurm's controller has not answered for {minutes:.0f} min, which is waited for: {seen.away}"
        return replace(LocalRunner().progress(job), stuck=stuck)

    def result(self, job: Job) -> JobResult:
        """
        Raises:
            InfrastructureError: there is none, it is damaged, or it is another job's.
        """
        return LocalRunner().result(job)

    def cancel(self, job: Job) -> None:
        """Ask for the end. The request is a file, so that it holds for tasks that start later, and is repeated."""
        paths = JobPaths.of(job)
        if not paths.job.exists() or paths.result.exists():
            return
        write_text(paths.cancel, "cancel\n")
        with suppress(Away):
            self._slurm.cancel({task.array for task in self._slurm.tasks(name_of(job)) if task.active})
        self._seen.pop(job.folder, None)

    # ---------------------------------------------------------------- inside

    def _adopt(self, job: Job) -> Submission | None:
        """What Slurm has of the job where a kill fell between its submission and our note of it.

        Raises:
            Away: Slurm does not answer.
        """
        arrays = {task.array for task in self._slurm.tasks(name_of(job))}
        if not arrays:
            return None
        found = Submission(id=min(arrays, key=int), at=time.time())
        SlurmPaths.of(job).write_submission(found)
        return found

    def _advance(self, job: Job, submission: Submission) -> bool:
        """Do what the job needs now; whether its result is there."""
        paths = JobPaths.of(job)
        trainings = [paths.read_training(*key) for key in keys_of(job)]
        facts, cancelled = paths.facts.exists(), paths.cancel.exists()
        seen, unneeded = self._seen.setdefault(job.folder, _Seen()), cancelled or spoiled(trainings)
        if not (all(trainings) and facts) and not self._look(job, submission, seen, unneeded):
            return False
        active = any(task.active for task in seen.tasks.values())
        step = next_step(trainings, active=active, facts=facts)
        if step == "wait":
            seen.ended_since = None
            return False
        now = self._clock.now()
        seen.ended_since = now if seen.ended_since is None else seen.ended_since
        if step == "settle" and not unneeded and now - seen.ended_since < self._clock.settle_s:
            return False
        return _conclude(job, submission, seen.tasks)

    def _look(self, job: Job, submission: Submission, seen: _Seen, unneeded: bool) -> bool:
        """Ask Slurm, if it was not asked just now; whether it has answered.

        Tasks that nobody needs, and arrays of the same name that a repeated submission made, are cancelled: also
        again, because a controller that is killed forgets a cancel. A task that could not be started on its node is let
        go again, a few times.

        Raises:
            InfrastructureError: it does not answer for an hour.
        """
        now = self._clock.now()
        if seen.asked is not None and now - seen.asked < self._clock.poll_s:
            return seen.away_since is None
        seen.asked = now
        try:
            own, others = of_array(self._slurm.tasks(name_of(job)), submission.id)
            rest = {submission.id} if unneeded and any(task.active for task in own.values()) else set()
            self._slurm.cancel(others | rest)
            held = [t for t in own.values() if t.launch_failed and seen.released[t.index] < MOST_RELEASES]
            if not rest:
                seen.released.update(task.index for task in held)
                self._slurm.release(held)
        except Away as error:
            seen.away_since = now if seen.away_since is None else seen.away_since
            seen.away = str(error)
            check_away(seen.away_since, seen.away, self._clock)
            return False
        seen.tasks, seen.away_since = own, None
        return True


def batch_of(job: Job, asked: Mapping[str, str], indices: Sequence[int], measure: str = MEASURE) -> Batch:
    """The array of a job."""
    slurm = SlurmPaths.of(job)
    command = [sys.executable, "-u", "-m", "agent.lab.jobs.slurm.task", job.folder]
    return Batch(
        name=name_of(job),
        folder=slurm.root,
        command=(*command, *(() if measure == MEASURE else ("--measure", measure))),
        project=PROJECT,
        indices=indices,
        side_by_side=job.slots,
        asked=merged(defaults(job, training_s(job)), asked),
    )


def _prepared(job: Job) -> list[int]:
    """Write what tasks read and take over what a lost job has left; returns the indices that are to be run."""
    paths = JobPaths.of(job)
    text = job.model_dump_json(indent=1) + "\n"
    if not paths.job.exists() or paths.job.read_text() != text:
        write_text(paths.job, text)
    there = [paths.read_training(*key) or take_over(job, *key) for key in keys_of(job)]
    for folder in job.earlier:  # what is left there was not finished
        remove(Path(folder, "trainings"))
    return [index for index, training in enumerate(there) if training is None] or [0]  # one task makes the facts


def _conclude(job: Job, submission: Submission, tasks: Mapping[int, Task]) -> bool:
    """Write the result, once; False where another process does it now."""
    paths = JobPaths.of(job)
    lock = try_lock(paths.lock)
    if lock is None:
        return False
    try:
        if not paths.result.exists():
            result = concluded(job, submission, tasks, cancelled=paths.cancel.exists())
            write_text(paths.result, result.model_dump_json(indent=1) + "\n")
        return True
    finally:
        os.close(lock)
