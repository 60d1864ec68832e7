"""A real file system without room: one line that says so, nothing charged, and resume goes on once there is room."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from agent.sandbox.limits import FREE_FLOOR_MB
from agent.session import events as ev
from agent.session.session import fold
from agent.storage.log import EventLog
from tests.support import TEMPLATE
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer, launch

ROOMY = "3g"  # nothing is written there that stays: the memory is not used
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def disk(tmp_path):
    """A workspace on a file system of its own, in memory."""
    folder = tmp_path / "ws"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOMY},mode=755", "none", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"this machine does not let us mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def leave(folder: Path, megabytes: int) -> None:
    """From now on the disk has so much room."""
    info = os.statvfs(folder)
    resize(folder, str((info.f_blocks - info.f_bfree) * info.f_frsize + (megabytes << 20)))


def state(folder: Path):
    path = next(folder.glob("2*")) / "events.jsonl"
    return list(EventLog(path).read())


# When the model is asked this, the disk fills up to so many megabytes; a training or a drawing needs more than half.
MOMENTS = {
    "Plan at most": 0,
    "This is run 1: ": FREE_FLOOR_MB // 2,
    "Change plot.py": FREE_FLOOR_MB // 2,
    "Write these sections": 0,
}


def test_a_disk_that_fills_up_stops_the_session_in_a_line_and_resume_ends_it(disk, idea):
    ahead = dict(MOMENTS)

    def filling(request):
        for moment in [m for m in ahead if m in request.last]:
            leave(disk, ahead.pop(moment))
        return reply(answer(request))

    with FakeProvider(filling) as provider:
        words = ("--api-base", provider.url, "--workspace", disk)
        start = (
            "--idea",
            idea,
            "--template",
            TEMPLATE,
            "--model",
            "openai/gpt-4o",
            "--runs",
            1,
            "--no-pdf",
            "--baselines",
            "topk",
        )
        for number, moment in enumerate(MOMENTS):
            done = launch(*(("--resume", "last") if number else start), *words, OPENAI_API_KEY="x")
            said = done.stdout + done.stderr
            assert done.returncode == 3 and moment not in ahead, said
            assert re.search("make room|No space left", said) and "Traceback" not in said
            again = launch("--resume", "last", *words, OPENAI_API_KEY="x")
            assert again.returncode in (2, 3) and "make room" in again.stdout + again.stderr
            resize(disk, ROOMY)
        done = launch("--resume", "last", *words, OPENAI_API_KEY="x")
        asked = len(provider.history)
    assert done.returncode == 0, done.stdout + done.stderr
    events = state(disk)
    session = fold(events)
    assert session.finished
    assert [event for event in events if isinstance(event, ev.AttemptFailed | ev.PlotFailed)] == []
    finished = [(e.step, e.ordinal) for e in events if isinstance(e, ev.CallFinished)]
    assert len(finished) == len(set(finished))
    assert asked <= len(finished) + len(MOMENTS)  # of each stop at most the one call in flight
    record = json.loads((next(disk.glob("2*")) / "repo" / "records" / "1.json").read_text())
    assert record["status"] == "measured" and record["attempts"] == 1
