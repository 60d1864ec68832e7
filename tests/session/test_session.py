"""Folding: money, time and calls."""

import pytest

from agent.app.bounds import Budget
from agent.core.errors import BudgetSpent, InfrastructureError, UserError
from agent.session import events as ev
from agent.session.session import fold
from agent.session.tools import Journal
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


class Clocks:
    """The time of day, which somebody sets, and the seconds since the machine was started, which nobody can."""

    def __init__(self) -> None:
        self.day, self.steady = 1_700_000_000.0, 50.0

    def pass_by(self, seconds: float) -> None:
        self.day += seconds
        self.steady += seconds


class Lines(list):
    """A log in memory."""

    def read(self):
        return iter(self)

    def check(self):
        """It cannot be moved away."""


@pytest.mark.parametrize("jump", [10 * 3600.0, -10 * 3600.0], ids=["ahead, or a sleep of the machine", "back"])
def test_a_jump_of_the_clock_is_no_active_time_and_reaches_no_bound_of_hours(jump):
    clocks, log = Clocks(), Lines([start(1_700_000_000.0).model_copy(update={"options": options(hours=1.0)})])

    def process() -> Journal:
        journal = Journal(log, lambda: clocks.day, lambda: clocks.steady)
        journal.append(ev.ProcessStarted(at=clocks.day, pid=1, host="h"))
        return journal

    journal = process()
    clocks.pass_by(600)
    clocks.day += jump
    journal.append(ev.LintPassed(at=clocks.day, run="0", attempt=1))
    clocks.pass_by(600)
    clocks.day += jump
    Budget(journal)()

    assert journal.active_s() == 1200 and journal.session.active_s == 600

    clocks.steady = 5.0  # started anew, and the session with it
    clocks.day += 1e6
    journal = process()
    clocks.pass_by(2999)
    Budget(journal)()
    clocks.pass_by(2)
    with pytest.raises(BudgetSpent, match="1.00 active hours"):
        Budget(journal)()


def test_active_time_goes_on_from_what_an_older_versions_lines_tell():
    log = Lines([start(0.0), ev.ProcessStarted(at=1.0, pid=1, host="h"), ev.LintPassed(at=11.0, run="0", attempt=1)])
    steady = iter([100.0, 107.0]).__next__

    journal = Journal(log, lambda: 5000.0, steady)
    journal.append(ev.ProcessStarted(at=5000.0, pid=2, host="h"))

    assert journal.session.active_s == fold(log).active_s == 17.0


@pytest.mark.parametrize(("events", "error"), [([], UserError), ([call(1), start()], InfrastructureError)])
def test_there_is_no_session_before_it_was_started(events, error):
    with pytest.raises(error, match="its log"):
        fold(events)


def test_baselines_are_runs_from_the_start():
    assert list(fold([start()]).runs) == ["0", "0.other"]
