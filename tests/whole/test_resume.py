"""kill -9 at any moment, then resume: nothing finished is repeated, and the end is the same."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from agent.session import events as ev
from agent.session.policy import next_action
from agent.session.session import fold
from agent.storage.log import EventLog
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
    "section": ev.SectionWritten,
    "review": ev.Compiled,
    "mend": ev.EvidenceReviewed,
    "ensemble": ev.ReviewGiven,
}
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.whole import Whole, Script
Whole(Path({folder!r}), Script(1), runs=1).play()
"""


def events_of(whole):
    return list(EventLog(whole.paths.events).read())


def account(whole):
    """What must not depend on where a session was killed."""
    session = fold(events_of(whole))
    repo = whole.paths.repo
    records = {}
    for path in sorted((repo / "records").glob("*.json")):
        record = json.loads(path.read_text())
        records[path.name] = [
            (t["seed"], t["condition"], t["metrics"], t["artefact_sha256"]) for t in record["trainings"]
        ]
    sections = {p.name: p.read_text() for p in sorted((repo / "paper/sections").glob("*.md"))}
    return {
        "records": records,
        "sections": sections,
        "calls": sorted(session.calls),
        "log": whole.log(),
        "finished": session.finished,
    }


def kill_once(whole, now, patience_s=120):
    """Play in a process of its own until `now()`, then kill -9."""
    code = PROGRAM.format(root=os.getcwd(), folder=str(whole.paths.root.parent))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + patience_s
    started = len(events_of(whole))
    while child.poll() is None and time.monotonic() < deadline:
        if len(events_of(whole)) > started and now():
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the session ended before it was killed"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache):
    root = tmp_path_factory.mktemp("undisturbed")
    (root / ".cache").symlink_to(cache)
    whole = Whole(root, runs=1)
    whole.play()
    return account(whole)


def test_a_session_killed_in_every_stage_ends_as_an_undisturbed_one(tmp_path, cache, undisturbed):
    (tmp_path / ".cache").symlink_to(cache)
    whole = Whole(tmp_path, runs=1)
    for moment, kind in STAGES.items():
        kill_once(whole, lambda kind=kind: any(isinstance(e, kind) for e in events_of(whole)))
        assert next_action(fold(events_of(whole))) is not None, f"killed too late for {moment}"

    whole.play()

    after = events_of(whole)
    assert account(whole) == undisturbed
    finished = [(e.step, e.ordinal) for e in after if isinstance(e, ev.CallFinished)]
    assert len(finished) == len(set(finished))
    assert len([e for e in after if isinstance(e, ev.RunSubmitted)]) == 5
    # the first may be killed between saying that the session started and saying that it did
    assert sum(isinstance(e, ev.ProcessStarted) for e in after) in (len(STAGES), len(STAGES) + 1)
    fsck = subprocess.run(["git", "-C", whole.paths.repo, "fsck", "--strict"], capture_output=True, text=True)
    assert fsck.returncode == 0, fsck.stderr


def test_a_second_process_is_told_who_holds_the_session(tmp_path, cache):
    from agent.core.errors import UserError

    (tmp_path / ".cache").symlink_to(cache)
    whole = Whole(tmp_path, runs=1, stop_after="plan")
    with whole.tools(), pytest.raises(UserError, match=f"held by process {os.getpid()}"), whole.tools():
        pass


def test_a_training_goes_on_while_the_loop_is_dead_and_is_not_trained_again(tmp_path, cache):
    (tmp_path / ".cache").symlink_to(cache)
    whole = Whole(tmp_path, runs=1, stop_after="runs")
    job = whole.paths.attempt("1", 1, 0)
    kill_once(whole, lambda: (job / "supervisor.json").exists())
    deadline = time.monotonic() + 60
    while not (job / "result.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    written = (job / "result.json").stat().st_mtime_ns

    session = whole.play()

    assert session.experiments[0].phase == "measured"
    assert (job / "result.json").stat().st_mtime_ns == written
