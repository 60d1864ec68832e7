"""--on-event: the command hears of every event, and whatever it does, the session goes on."""

import json
import time

from agent.app.notify import Notifier
from agent.core.ideas import Idea
from agent.publishing.bundle.secrets import Stripper
from agent.session.events import AttemptFailed, SessionStarted
from agent.session.session import begin
from tests.support.whole import IDEA, options

STARTED = SessionStarted(at=1.0, session="20260101_000000_tiny", idea=Idea(**IDEA), options=options())
KEY = "sk-" + "a" * 40
FAILED = AttemptFailed(
    at=2.0, run="1", attempt=1, stage="training", reason="exit", detail=f"Traceback\nKeyError: {KEY}", commit="c"
)


def told(tmp_path, command, longest_s=10.0):
    said = []
    with Notifier(command, said.append, Stripper({}).text, longest_s) as notifier:
        for event in (STARTED, FAILED):
            notifier.hear(event, begin(STARTED), tmp_path)
    return said


def test_each_event_is_one_json_object_in_order_with_what_a_message_needs_and_no_key(tmp_path):
    assert told(tmp_path, f"cat >> '{tmp_path}/heard'") == []
    first, second = map(json.loads, (tmp_path / "heard").read_text().splitlines())
    assert (first["event"], first["session"], first["folder"]) == ("session_started", STARTED.session, str(tmp_path))
    assert (second["run"], second["attempt"]) == ("1", 1)
    assert second["said"] == "run 1, attempt 1 failed at training: exit: KeyError: [key]"
    assert {"stage", "finished", "tokens", "usd", "at"} <= set(second)


def test_a_command_that_fails_is_said_once(tmp_path):
    (said,) = told(tmp_path, "echo nobody home >&2; exit 3")
    assert "ended with status 3 (nobody home); the session goes on" in said


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path):
    began = time.monotonic()
    (said,) = told(tmp_path, f"echo x >> '{tmp_path}/n'; sleep 600 & wait", longest_s=0.3)
    assert "was ended after 0.3 s" in said and time.monotonic() - began < 15
    assert (tmp_path / "n").read_text() == "x\nx\n"


def test_a_command_that_does_not_listen_does_no_harm(tmp_path):
    assert told(tmp_path, "exec <&-; true") == []
