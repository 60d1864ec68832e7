"""Ctrl-C: stops at once, says what keeps running and how to go on; a second one cancels the training too."""

import re
import signal

import pytest

from agent.storage.locks import is_locked
from tests.support import until
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer, endless, start, supervisor_of


def test_the_first_stops_and_tells_and_the_second_cancels(tmp_path, idea):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        child = start(tmp_path, idea, endless(tmp_path), provider)
        until(lambda: supervisor_of(tmp_path) is not None, seconds=60)
        child.send_signal(signal.SIGINT)
        said = []
        for line in child.stdout:
            said.append(line)
            if "Ctrl-C once more" in line:
                child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
    text = "".join(said)
    assert re.search(r"Stopped\. Go on with: \./launch\.py --resume \S+_tiny_idea --workspace \S+", text)
    assert "The training of run 0 goes on in the background" in text
    assert "is cancelled" in text
    assert "Traceback" not in text
    job = supervisor_of(tmp_path).parent
    assert not is_locked(job / "lock")  # it was said when its processes were gone
    assert '"cancelled"' in (job / "result.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_ended_says_the_same_at_once_and_the_training_goes_on(tmp_path, idea, number):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        child = start(tmp_path, idea, endless(tmp_path), provider)
        until(lambda: supervisor_of(tmp_path) is not None, seconds=60)
        child.send_signal(number)
        text = child.stdout.read()
        assert child.wait(timeout=30) == 130
    assert "Stopped. Go on with: ./launch.py --resume" in text
    assert "goes on in the background and will be found again" in text and "Ctrl-C once more" not in text
    assert "Traceback" not in text
    (supervisor_of(tmp_path).parent / "cancel").touch()


def test_ctrl_c_stops_a_session_that_a_shell_started_in_the_background(tmp_path, idea):
    """Such a shell leaves SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with FakeProvider(lambda request: reply(answer(request))) as provider:
            child = start(tmp_path, idea, endless(tmp_path), provider)
            until(lambda: supervisor_of(tmp_path) is not None, seconds=60)
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=30) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    (supervisor_of(tmp_path).parent / "cancel").touch()
