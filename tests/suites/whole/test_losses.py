"""What ends a training from outside is told with its cause, tried again in baselines as in runs, and not charged."""

import shutil

import pytest

from agent.actions.losses import harmed as harmed_by
from agent.actions.losses import swapped_files
from agent.app.exits import INFRASTRUCTURE
from agent.app.playing import play_session
from agent.core.errors import InfrastructureError
from agent.core.record import Finding
from agent.session.policy import CollectRun, EditRun, MakePlan, SubmitRun
from tests.support.ended import KILLED, Ended, losses, own_cache, step, until


@pytest.fixture
def before_baselines(stages, tmp_path):
    return own_cache(stages.copied(tmp_path, SubmitRun, runs=1))


@pytest.fixture
def before_runs(stages, tmp_path):
    return own_cache(stages.copied(tmp_path, EditRun, runs=1))


def test_a_killed_worker_is_told_and_tried_again_alike_in_a_baseline_and_in_a_run(before_baselines):
    with before_baselines.tools() as tools:
        tools.runner = Ended(KILLED)
        until(tools, MakePlan)
        tools.runner = Ended(KILLED, KILLED)
        until(tools, CollectRun, "1")
        while tools.session.runs["1"].phase != "measured":
            step(tools)
        assert tools.session.runs["1"].attempt == 1

    assert losses(before_baselines) == [("0", 1, "runner", "killed"), *[("1", 1, "runner", "killed")] * 2]
    said = [line for line in before_baselines.console.lines if "SIGKILL" in line]
    assert len(said) == 3 and len(set(said)) == 1 and "no attempt is charged" in said[0]


def test_a_cache_that_is_deleted_between_two_runs_costs_no_attempt(before_runs):
    with before_runs.tools() as tools:
        first = dict(tools.session.data_hashes)
        until(tools, SubmitRun, "1")
    shutil.rmtree(before_runs.workspace.cache)
    with before_runs.tools() as tools:
        until(tools, CollectRun, "1")
        step(tools)
        assert (tools.session.runs["1"].phase, tools.session.data_hashes) == ("measured", first)

    assert losses(before_runs) == []
    assert any("built again from the secret" in line for line in before_runs.console.lines)


def test_data_that_are_damaged_under_a_training_cost_no_attempt_unless_its_own_code_could_do_it(before_runs):
    harmed = KILLED.model_copy(update={"reason": "data", "detail": "data/tiny: truth/x.npy is gone"})
    with before_runs.tools() as tools:
        until(tools, SubmitRun, "1")
        tools.runner = Ended(harmed)
        until(tools, CollectRun, "1")
        step(tools)
        until(tools, CollectRun, "1")
        step(tools)
        run = tools.session.runs["1"]
        assert (run.phase, run.attempt) == ("measured", 1)
        job = tools.runner.jobs[0].model_copy(update={"sandbox": "none"})
        assert harmed_by(tools, run, job, "truth/x.npy is gone").stage == "integrity"

    assert losses(before_runs) == [("1", 1, "runner", "data")]
    assert any("changed from outside while run 1 was trained: data/tiny" in line for line in before_runs.console.lines)


def test_a_world_whose_secret_is_gone_stops_the_session_and_charges_nobody(before_runs):
    with before_runs.tools() as tools:
        until(tools, SubmitRun, "1")
    shutil.rmtree(before_runs.workspace.cache)
    shutil.rmtree(before_runs.paths.secrets)  # as a session of an older version has none

    with before_runs.tools() as tools:
        assert play_session(tools) == INFRASTRUCTURE

    stopped = next(line for line in before_runs.console.lines if line.startswith("Stopped"))
    assert "their secret is gone with them: restore" in stopped and "start the idea anew" in stopped
    assert losses(before_runs) == []


def test_files_that_sandboxed_code_cannot_write_are_nobodys_attempt_when_they_differ(before_runs):
    swapped = Finding(code="protected-changed", grade="refuse", text="evaluate.py is not the file")
    with before_runs.tools() as tools:
        tools.runner = Ended(KILLED)
        until(tools, CollectRun, "1")
        run, job = tools.session.runs["1"], tools.runner.jobs[0]
        with pytest.raises(InfrastructureError, match=r"no code of the session can have .*: restore it in .*resume"):
            swapped_files(tools, run, job, [swapped])
        assert tools.session.runs["1"].attempt == 1
        swapped_files(tools, run, job.model_copy(update={"sandbox": "none"}), [swapped])  # its code can: it is refused
