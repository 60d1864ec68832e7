"""A training that somebody ends or stops from outside is told as that; neither template nor agent is blamed."""

from agent.actions.waiting import cancel
from agent.app.exits import INFRASTRUCTURE
from agent.app.playing import play_session
from agent.core.protocols import Progress
from agent.lab.jobs.local import LocalRunner
from agent.lab.measuring.checkpoints import Checkpoints, Note
from agent.session.policy import CollectRun, MakePlan, SubmitRun
from agent.storage.atomic import write_text
from tests.support.ended import KILLED, Ended, losses, own_cache, until

STUCK = "its supervisor is stopped (process 7); let it go on with: kill -CONT 7"


def test_a_baseline_that_is_killed_again_and_again_stops_the_session_and_blames_no_template(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1, baselines=("topk",)))
    with it.tools() as tools:
        tools.runner = Ended(KILLED, KILLED, KILLED)
        assert play_session(tools) == INFRASTRUCTURE

    stopped = next(line for line in it.console.lines if line.startswith("Stopped"))
    assert "run 0 (TopK) was lost 3 times" in stopped and "SIGKILL" in stopped and "template" not in stopped
    assert "Give the machine room" in stopped
    assert losses(it) == [("0", 1, "runner", "killed")] * 3


class Interrupted(LocalRunner):
    """This machine's runner, but the first jobs are lost, each after it has taken a checkpoint."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left, self.lost, self.jobs = times, set(), []

    def submit(self, job):
        self.jobs.append(job)
        if self.left == 0:
            return super().submit(job)
        self.left -= 1
        self.lost.add(job.folder)
        place = Checkpoints.of(job, job.seeds[0], job.conditions[0].name)
        note = Note(identity="its own", job=job.key, sha256="0" * 64, wall_s=1.0, cpu_s=1.0, peak_memory_mb=1.0)
        write_text(place.note, note.model_dump_json())

    def state(self, job):
        return "lost" if job.folder in self.lost else super().state(job)


def test_a_training_that_gets_further_each_time_may_be_lost_as_often_as_it_takes(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1, baselines=("topk",)))
    with it.tools() as tools:
        tools.runner = runner = Interrupted(5)
        until(tools, MakePlan)

    assert losses(it) == [("0", 1, "runner", "interrupted")] * 5
    told = [line for line in it.console.lines if "it goes on from its last checkpoint; no attempt is charged" in line]
    assert len(told) == 5
    assert runner.jobs[-1].earlier == tuple(job.folder for job in reversed(runner.jobs[:-1]))


class Silent(Ended):
    """Its jobs are stopped for some looks at them, and go on for some more before they end."""

    looks = [STUCK, *[""] * 9, *[STUCK] * 50, *[""] * 9]

    def progress(self, job):
        return Progress(0, 1, 0.0, stuck=self.looks.pop(0))

    def state(self, job):
        return "running" if self.looks and job.folder in self.ended else super().state(job)


def test_a_training_that_somebody_stopped_is_told_once_after_a_while_and_once_it_goes_on(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1, baselines=("topk",)))
    with it.tools() as tools:
        tools.runner, tools.sleep = Silent(KILLED, KILLED, KILLED), lambda seconds: None
        assert play_session(tools) == INFRASTRUCTURE

    assert [line for line in it.console.lines if "go on: " in line or "goes on" in line] == [
        f"  run 0 does not go on: {STUCK}",
        "  run 0 goes on",
    ]


class Beside(Ended):
    """Its second job was stopped, and so keeps the session's only slot, for which the first one waits."""

    looks = 60

    def progress(self, job):
        self.looks -= job.folder == self.jobs[0].folder
        return Progress(0, 1, 0.0, stuck="" if job.folder == self.jobs[0].folder else STUCK)

    def state(self, job):
        return "running" if self.looks and job.folder in self.ended else super().state(job)


def test_a_stopped_training_is_told_also_while_another_one_of_the_session_is_waited_for(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1, baselines=("topk", "rows")))
    with it.tools() as tools:
        tools.runner, tools.sleep = Beside(*[KILLED] * 6), lambda seconds: None
        assert play_session(tools) == INFRASTRUCTURE

    told = [line for line in it.console.lines if "go on: " in line]
    assert told == [f"  run {tools.runner.jobs[1].run} does not go on: {STUCK}"]


class Obstinate(Silent):
    """Its jobs do not end when they are told to."""

    looks = [STUCK] * 999

    def cancel(self, job):
        self.told = job.run


def test_a_training_is_called_cancelled_only_when_it_is_gone(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1))
    with it.tools() as tools:
        tools.runner, tools.sleep = Obstinate(KILLED), lambda seconds: None
        until(tools, CollectRun, "0")
        cancel(tools.runner.jobs[0], tools)
        assert tools.runner.told == "0"
        tools.runner.looks = []  # it ended by itself in the meantime
        cancel(tools.runner.jobs[0], tools)

    assert not any("is cancelled" in line for line in it.console.lines)
    assert f"was told to end, but has not ended after 30 s: {STUCK}" in it.console.lines[-2]
    assert "had come to its end; a resume takes it" in it.console.lines[-1]
