"""One process a session, and machines that go down: over real processes, through launch.py."""

import os
import re
import signal
import subprocess
import sys

import pytest

from agent.session import events as ev
from agent.session.session import fold
from agent.storage.log import EventLog
from tests.support import ROOT, until
from tests.support.fake_provider import FakeProvider, reply
from tests.support.kills import account, playing
from tests.support.launched import answer, endless, launch, start, supervisor_of
from tests.support.whole import Whole

pytestmark = pytest.mark.timeout(900)


def test_the_second_is_told_who_holds_the_session_and_a_dead_one_s_lock_is_taken_over(tmp_path, idea):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        first = start(tmp_path, idea, endless(tmp_path), provider)
        until(lambda: supervisor_of(tmp_path) is not None, seconds=200)
        words = ("--resume", "last", "--api-base", provider.url, "--workspace", tmp_path / "ws")

        second = launch(*words, OPENAI_API_KEY="x")
        first.kill()
        first.wait()
        third = subprocess.Popen(
            [sys.executable, ROOT / "launch.py", *map(str, words)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENAI_API_KEY": "x"},
        )
        log = next(tmp_path.glob("ws/2*/events.jsonl"))
        until(lambda: sum(isinstance(e, ev.ProcessStarted) for e in EventLog(log).read()) == 2, seconds=200)
        third.kill()
        third.wait()
        job = supervisor_of(tmp_path).parent
        os.kill(int(re.search(r'"pid":(\d+)', (job / "supervisor.json").read_text())[1]), signal.SIGTERM)
        until(lambda: (job / "result.json").exists(), seconds=60)
    assert second.returncode == 2
    held = rf"held by process {first.pid} on \S+ since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(held, second.stderr), second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def trained(whole, run):
    """Trainings of a run that came to an end, by seed; and when."""
    return {p.name: p.stat().st_mtime_ns for p in whole.paths.runs.glob(f"{run}/attempt-1*/training-*.json")}


def test_a_machine_that_goes_down_in_a_training_fails_an_attempt_that_the_agent_is_not_charged(tmp_path, undisturbed):
    whole = Whole(tmp_path, cache=undisturbed.same_world(tmp_path), runs=1, slots=1)
    loop = playing(whole, slots=1)
    job = whole.paths.attempt("1", 1, 0)
    until(lambda: trained(whole, "1"), seconds=200)  # the first seed is through, the second begins
    owner = int(re.search(r'"pid":(\d+)', (job / "supervisor.json").read_text())[1])
    os.kill(loop.pid, signal.SIGKILL)
    os.kill(owner, signal.SIGKILL)  # the kernel takes its workers and their sandboxes with it
    loop.wait()
    before = trained(whole, "1")
    assert len(before) == 1

    session = whole.play()

    lost = whole.events(ev.AttemptFailed)
    assert [(e.run, e.stage, e.reason) for e in lost] == [("1", "runner", "lost")]
    assert any("lost" in line for line in whole.console.lines)
    assert session.finished and session.runs["1"].attempt == 1
    assert fold(whole.events()).runs["1"].phase == "measured"
    after = whole.paths.attempt("1", 1, 1)
    assert (after / "trainings").is_dir() and not (job / "trainings").exists()
    found = account(whole)
    assert found["records"] == undisturbed.account["records"]
    assert [line for line in found["log"] if "runner failed (lost)" not in line] == undisturbed.account["log"]
