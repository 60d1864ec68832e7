"""Waits for trainings: shows how far they are, tells what keeps them from going on, and cancels them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.actions.jobs import job_of
from agent.actions.runs import label_of, listed
from agent.core.errors import BudgetSpent
from agent.core.protocols import Progress, together
from agent.core.record import Job, JobResult
from agent.session.states import RunState
from agent.session.tools import Tools

POLL_S = 0.25
SILENCE_S = 10.0  # of a job that is stopped, before it is told
PLACELESS_S = 0.0  # the same of one that waits for places: its supervisor has waited before it says so
END_S = 30.0  # for a job that is cancelled; its supervisor gives what measures 20


def running_jobs(tools: Tools) -> list[Job]:
    """The jobs that go on when this process stops now."""
    return [job for run in tools.session.under_way if (job := _running_job(run, tools))]


def _running_job(run: RunState, tools: Tools) -> Job | None:
    if not tools.session.data_key:
        return None
    submitted = run.phase in ("linted", "submitted") or (run.phase == "new" and run.kind != "experiment")
    if not submitted:  # a stop may fall between a job's start and its event
        return None
    job = job_of(run, run.attempt, run.restarts, tools)
    return job if tools.runner.state(job) == "running" else None


def cancel(job: Job, tools: Tools) -> None:
    """End a job that runs, and say what came of it: it is over once its processes are gone."""
    tools.runner.cancel(job)
    for _ in range(round(END_S / POLL_S)):
        if (state := tools.runner.state(job)) != "running":
            whole = state == "finished" and tools.runner.result(job).outcome != "cancelled"
            came = "had come to its end; a resume takes it" if whole else "is cancelled; a resume starts it again"
            tools.say(f"The training of run {job.run} {came}.")
            return
        tools.sleep(POLL_S)
    why = tools.runner.progress(job).stuck or f"see {job.folder}"
    tools.say(f"The training of run {job.run} was told to end, but has not ended after {END_S:.0f} s: {why}")


class _Silence:
    """Whether a job goes on, told once it has not for a while, and once it does again."""

    def __init__(self, say: Callable[[str], None], what: str, again: str, after_s: float) -> None:
        self._say, self._what, self._again = say, what, again
        self._most, self._polls = after_s / POLL_S, 0.0

    def hear(self, why: str) -> None:
        """Called at each look at the job, with what keeps it from going on."""
        told = self._polls > self._most
        self._polls = self._polls + 1 if why else 0.0
        if not told and self._polls > self._most:
            self._say(f"  {self._what}: {why}")
        elif told and not why:
            self._say(f"  {self._again}")


class _Watch:
    """Looks at a run's job, and says when it stands still or waits for places."""

    def __init__(self, job: Job, run: str, tools: Tools) -> None:
        self.job, self._tools = job, tools
        self._silence = _Silence(tools.say, f"run {run} does not go on", f"run {run} goes on", SILENCE_S)
        self._queue = _Silence(tools.say, f"run {run} waits for its places", f"run {run} has its places", PLACELESS_S)

    def look(self) -> Progress:
        progress = self._tools.runner.progress(self.job)
        self._silence.hear(progress.stuck)
        self._queue.hear(progress.waiting)
        return progress


def awaited(job: Job, run: RunState, tools: Tools) -> JobResult | None:
    """Wait for a job; None where it was lost.

    The session's other jobs are watched as well: one that was stopped keeps its slots, which this one may wait for.
    """
    watch = _Watch(job, run.run, tools)
    others = [_Watch(other, other.run, tools) for other in running_jobs(tools) if other.run != run.run]
    if tools.runner.state(job) == "running":
        tools.coder.warm()
    while (state := tools.runner.state(job)) == "running":
        tools.console.progress(f"run {run.run} ({label_of(tools, run)})", watch.look())
        for other in others:
            if tools.runner.state(other.job) == "running":  # progress is as new as this answer
                other.look()
        try:
            tools.check_budget()
        except BudgetSpent:
            cancel(job, tools)  # here, because not every job that is waited for is a run's
            raise
        tools.sleep(POLL_S)
    return tools.runner.result(job) if state == "finished" else None


def first_ended(runs: Sequence[RunState], tools: Tools) -> RunState:
    """Wait for the first of these runs whose job does not go on.

    Raises:
        BudgetSpent: a bound was reached.
    """
    watches = [_Watch(job_of(run, run.attempt, run.restarts, tools), run.run, tools) for run in runs]
    names = listed([run.run for run in runs])
    tools.coder.warm()
    while True:
        for run, watch in zip(runs, watches, strict=True):
            if tools.runner.state(watch.job) != "running":
                return run
        tools.console.progress(f"runs {names}", together([watch.look() for watch in watches]))
        tools.check_budget()
        tools.sleep(POLL_S)
