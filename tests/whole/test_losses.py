"""A training that somebody ends or stops from outside is told as that; neither template nor agent is blamed."""

from agent.actions.training import cancel
from agent.app.exits import INFRASTRUCTURE
from agent.app.playing import play_session
from agent.core.protocols import Progress
from agent.session.policy import CollectRun, SubmitRun
from tests.support.ended import KILLED, Ended, losses, own_cache, until

STUCK = "its supervisor is stopped (process 7); let it go on with: kill -CONT 7"


def test_a_baseline_that_is_killed_again_and_again_stops_the_session_and_blames_no_template(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1))
    with it.tools() as tools:
        tools.runner = Ended(KILLED, KILLED, KILLED)
        assert play_session(tools) == INFRASTRUCTURE

    stopped = next(line for line in it.console.lines if line.startswith("Stopped"))
    assert "run 0 (TopK) was lost 3 times" in stopped and "SIGKILL" in stopped and "template" not in stopped
    assert "Give the machine room" in stopped
    assert losses(it) == [("0", 1, "runner", "killed")] * 3


class Silent(Ended):
    """Its jobs are stopped for some looks at them, and go on for some more before they end."""

    looks = [STUCK, *[""] * 9, *[STUCK] * 50, *[""] * 9]

    def progress(self, job):
        return Progress(0, 1, 0.0, stuck=self.looks.pop(0))

    def state(self, job):
        return "running" if self.looks and job.folder in self.ended else super().state(job)


def test_a_training_that_somebody_stopped_is_told_once_after_a_while_and_once_it_goes_on(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1))
    with it.tools() as tools:
        tools.runner, tools.sleep = Silent(KILLED, KILLED, KILLED), lambda seconds: None
        assert play_session(tools) == INFRASTRUCTURE

    assert [line for line in it.console.lines if "go on: " in line or "goes on" in line] == [
        f"  run 0 does not go on: {STUCK}",
        "  run 0 goes on",
    ]


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
