"""kill -9 at any moment, then resume: nothing finished is repeated, and the end is the same."""

import os
import subprocess

import pytest

from agent.core.errors import UserError
from agent.session import events as ev
from agent.session.policy import next_action
from agent.session.session import fold
from tests.support import until
from tests.support.kills import account, kill_once
from tests.support.whole import Whole

STAGES = {
    "prepare": ev.SessionStarted,
    "baseline training": ev.DataPrepared,
    "plan": ev.RunMeasured,
    "edit": ev.Planned,
    "lint": ev.Edited,
    "submit": ev.LintPassed,
    "training": ev.RunSubmitted,
    "reflection": ev.Commented,
    "confirmation": ev.ConfirmationPlanned,
    "plot": ev.PlotEdited,
    "paper": ev.FiguresDescribed,
    "section": ev.SectionsWritten,
    "mend": ev.SentencesJudged,
    "review": ev.Compiled,
    "ensemble": ev.ReviewGiven,
}


def test_a_session_killed_in_every_stage_ends_as_an_undisturbed_one(tmp_path, undisturbed):
    whole = Whole(tmp_path, cache=undisturbed.same_world(tmp_path), runs=1)
    for moment, kind in STAGES.items():
        kill_once(whole, lambda kind=kind: any(isinstance(e, kind) for e in whole.events()))
        assert next_action(fold(whole.events())) is not None, f"killed too late for {moment}"

    whole.play()

    after = whole.events()
    assert account(whole) == undisturbed.account
    finished = [(e.step, e.ordinal) for e in after if isinstance(e, ev.CallFinished)]
    assert len(finished) == len(set(finished))
    assert len([e for e in after if isinstance(e, ev.RunSubmitted)]) == 5
    # the first may be killed between saying that the session started and saying that it did
    assert sum(isinstance(e, ev.ProcessStarted) for e in after) in (len(STAGES), len(STAGES) + 1)
    fsck = subprocess.run(["git", "-C", whole.paths.repo, "fsck", "--strict"], capture_output=True, text=True)
    assert fsck.returncode == 0, fsck.stderr


def test_a_second_process_is_told_who_holds_the_session(whole):
    it = whole(runs=1, stop_after="plan")
    with it.tools(), pytest.raises(UserError, match=f"held by process {os.getpid()}"), it.tools():
        pass


def test_a_training_goes_on_while_the_loop_is_dead_and_is_not_trained_again(whole):
    it = whole(runs=1, stop_after="runs")
    job = it.paths.attempt("1", 1, 0)
    kill_once(it, lambda: (job / "supervisor.json").exists(), stop_after="runs")
    until(lambda: (job / "result.json").exists(), seconds=60)
    written = (job / "result.json").stat().st_mtime_ns

    session = it.play()

    assert session.experiments[0].phase == "measured"
    assert (job / "result.json").stat().st_mtime_ns == written
