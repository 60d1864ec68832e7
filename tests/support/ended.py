"""A runner whose first trainings end as a test says, and steps of a session around them."""

from __future__ import annotations

import shutil

from agent.actions import perform
from agent.core.record import Job, JobResult, Training
from agent.lab.jobs.local import LocalRunner
from agent.session import events as ev
from agent.session.policy import next_action

KILLED = Training(seed=0, condition="all", outcome="failed", reason="killed", detail="ended from outside by SIGKILL")


class Ended(LocalRunner):
    """This machine's runner, but its first jobs do not run: each ends with one of the given trainings."""

    def __init__(self, *endings: Training) -> None:
        super().__init__()
        self.endings = list(endings)
        self.jobs: list[Job] = []
        self.ended: dict[str, Training] = {}

    def submit(self, job):
        self.jobs.append(job)
        if job.folder in self.ended or not self.endings:
            return super().submit(job)
        self.ended[job.folder] = self.endings.pop(0)

    def state(self, job):
        return "finished" if job.folder in self.ended else super().state(job)

    def result(self, job):
        if (training := self.ended.get(job.folder)) is None:
            return super().result(job)
        return JobResult(
            key=job.key,
            outcome="failed",
            trainings=(training,),
            started_at=0.0,
            wall_s=0.0,
            device="cpu",
            versions={},
            hashes={"data/train/x": "0"},
            sandbox=job.sandbox,
        )


def losses(whole):
    """Run, attempt, stage and reason of each failed attempt."""
    return [(e.run, e.attempt, e.stage, e.reason) for e in whole.events(ev.AttemptFailed)]


def until(tools, kind, run=None):
    """Plays until the next action is of this kind."""
    while not (isinstance(action := next_action(tools.session), kind) and (run is None or action.run == run)):
        step(tools)


def step(tools):
    tools.journal.append(perform(next_action(tools.session), tools))


def own_cache(whole):
    """Gives a session its own cache instead of the shared one: a test may damage it, and baselines are trained anew."""
    shared = whole.workspace.cache.resolve()
    whole.workspace.cache.unlink()
    shutil.copytree(shared / "secrets", whole.workspace.cache / "secrets")
    return whole
