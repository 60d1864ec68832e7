"""What a person sees who looks at a session later: past events with their own time, no tokens of a playback."""

from datetime import datetime

import pytest

from agent.app.follow import follow
from agent.core.ideas import Idea
from agent.core.paths import SessionPaths
from agent.session.events import CallFinished, RunSubmitted, SessionFinished, SessionStarted
from agent.storage.log import EventLog
from tests.support.whole import IDEA, options

AT = datetime(2026, 3, 4, 23, 59, 58).timestamp()
CALL = {"step": "plan", "ordinal": 1, "role": "planner", "model": "m", "path": "calls/plan.1.json", "sha256": "0"}


@pytest.fixture(params=["asked", "played back"])
def session(tmp_path, request):
    """A finished session from before and after a midnight, and whether its words were played back."""
    played = request.param == "played back"
    chosen = options(playback=str(tmp_path) if played else None)
    log = EventLog(tmp_path / "events.jsonl")
    for event in (
        SessionStarted(at=AT, session="20260304_235958_tiny", idea=Idea(**IDEA), options=chosen),
        CallFinished(at=AT + 1, tokens_in=5, tokens_out=6, cost_usd=0.0, **CALL),
        RunSubmitted(at=AT + 4, run="0", attempt=1, key="k", commit="c"),
        SessionFinished(at=AT + 5, commit="c"),
    ):
        log.append(event)
    return SessionPaths(tmp_path), played


def test_past_events_are_stamped_with_their_own_time_and_tokens_of_a_playback_are_folded(session, capsys):
    paths, played = session
    assert follow(paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "23:59:58 2026-03-04, session 20260304_235958_tiny" if not played else True
    assert "00:00:02 run 0: training" in lines
    assert any("5 sent" in line for line in lines) != played
    assert any("2026-03-05" in line for line in lines)
    assert follow(paths, "verbose") == 0
    assert "5 sent" in capsys.readouterr().out
