"""Ctrl-C: stops at once, says what keeps running and how to go on; a second one cancels the training too."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.app.test_command_line import answer, idea  # noqa: F401  (a fixture)
from tests.support import ROOT, TEMPLATE
from tests.support.fake_provider import FakeProvider, reply

LONG = 60_000_000  # samples: minutes of training


@pytest.fixture
def endless(tmp_path):
    """The tiny template with a training that nobody waits for."""
    folder = tmp_path / "endless"
    shutil.copytree(TEMPLATE, folder)
    manifest = folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace("samples = 12_800", f"samples = {LONG}"))
    return folder


def start(tmp_path, idea, template, provider):  # noqa: F811
    words = [
        "--idea",
        idea,
        "--template",
        template,
        "--model",
        "openai/gpt-4o",
        "--api-base",
        provider.url,
        "--runs",
        "1",
        "--no-pdf",
        "--literature",
        "offline",
        "--workspace",
        tmp_path / "ws",
    ]
    return subprocess.Popen(
        [sys.executable, ROOT / "launch.py", *words],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OPENAI_API_KEY": "sk-x"},
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def supervisor_of(tmp_path):
    return next(tmp_path.glob("ws/2*/runs/0/attempt-1/supervisor.json"), None)


def test_the_first_stops_and_tells_and_the_second_cancels(tmp_path, idea, endless):  # noqa: F811
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        child = start(tmp_path, idea, endless, provider)
        wait_for(lambda: supervisor_of(tmp_path) is not None)
        child.send_signal(signal.SIGINT)
        said = []
        for line in child.stdout:
            said.append(line)
            if "Ctrl-C once more" in line:
                child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
    text = "".join(said)
    assert re.search(r"Stopped\. Go on with: python launch\.py --resume \S+_tiny_idea", text)
    assert "The training of run 0 goes on in the background" in text
    assert "is cancelled" in text
    assert "Traceback" not in text
    job = supervisor_of(tmp_path).parent
    wait_for(lambda: (job / "result.json").exists())
    assert '"cancelled"' in (job / "result.json").read_text()
