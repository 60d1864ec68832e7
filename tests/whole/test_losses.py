"""A training that somebody ends from outside is tried again, and blames neither the template nor the agent."""

from agent.app.exits import INFRASTRUCTURE
from agent.app.playing import play_session
from agent.session.policy import SubmitRun
from tests.support.ended import KILLED, Ended, losses, own_cache


def test_a_baseline_that_is_killed_again_and_again_stops_the_session_and_blames_no_template(stages, tmp_path):
    it = own_cache(stages.copied(tmp_path, SubmitRun, runs=1))
    with it.tools() as tools:
        tools.runner = Ended(KILLED, KILLED, KILLED)
        assert play_session(tools) == INFRASTRUCTURE

    stopped = next(line for line in it.console.lines if line.startswith("Stopped"))
    assert "run 0 (TopK) was lost 3 times" in stopped and "SIGKILL" in stopped and "template" not in stopped
    assert "Give the machine room" in stopped
    assert losses(it) == [("0", 1, "runner", "killed")] * 3
