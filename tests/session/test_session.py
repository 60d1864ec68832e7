"""Folding: money, time and calls."""

import pytest

from agent.core.errors import InfrastructureError, UserError
from agent.session import events as ev
from agent.session.session import fold
from tests.support.dice import IDEA, options


def call(ordinal: int, cost: float | None = 0.5) -> ev.CallFinished:
    return ev.CallFinished(
        at=1.0,
        step="plan",
        ordinal=ordinal,
        role="planner",
        model="m",
        tokens_in=10,
        tokens_out=5,
        cost_usd=cost,
        path="p",
        sha256="s",
    )


def start(at: float = 0.0) -> ev.SessionStarted:
    return ev.SessionStarted(at=at, session="s", idea=IDEA, options=options())


def test_a_call_is_charged_once_however_often_its_event_stands_there():
    session = fold([start(), call(1), call(1), call(2)])
    assert (session.tokens, session.usd) == (30, 1.0)


def test_a_call_without_a_price_is_counted_as_such():
    session = fold([start(), call(1, cost=None)])
    assert (session.usd, session.unpriced_calls) == (0.0, 1)


def test_active_time_leaves_out_the_gap_between_two_processes():
    session = fold(
        [
            start(0.0),
            ev.ProcessStarted(at=1.0, pid=1, host="h"),
            ev.LintPassed(at=11.0, run="0", attempt=1),
            ev.ProcessStarted(at=5000.0, pid=2, host="h"),
            ev.ProcessStopped(at=5003.0, reason="end"),
        ]
    )
    assert session.active_s == 13.0


@pytest.mark.parametrize(("events", "error"), [([], UserError), ([call(1), start()], InfrastructureError)])
def test_there_is_no_session_before_it_was_started(events, error):
    with pytest.raises(error, match="its log"):
        fold(events)


def test_baselines_are_runs_from_the_start():
    assert list(fold([start()]).runs) == ["0", "0.other"]
