"""Where the time of a session went is read from its events, and every second of it is somebody's."""

import pytest

from agent.session import events as ev
from tests.suites.bench.spent import Trained, covered, handed_on, spent
from tests.support.dice import IDEA, options


def log(*times):
    """A start, then calls that end at these times."""
    called = [
        ev.CallFinished(
            at=at, step="s", ordinal=1, role="planner", model="m", tokens_in=1, tokens_out=1, cost_usd=None, path="p",
            sha256="s",
        )
        for at in times
    ]  # fmt: skip
    return [ev.SessionStarted(at=0.0, session="s", idea=IDEA, options=options()), *called]


def test_the_three_parts_are_the_whole_time_and_overlap_counts_once():
    found = spent(log(10.0, 20.0), trainings=[(2.0, 8.0)], calls=[(7.0, 10.0), (14.0, 20.0)])

    assert (found.training, found.model, found.own) == (6.0, 8.0, {"call_finished": 6.0})
    assert found.whole == 20.0


def test_a_night_between_two_processes_is_nobodys():
    stopped = [*log(10.0), ev.ProcessStarted(at=500.0, pid=1, host="h"), *log(503.0)[1:]]
    assert spent(stopped, [], []).whole == 13.0


@pytest.mark.parametrize(("spans", "seconds"), [([(0, 2), (1, 3)], 2.0), ([(5, 9)], 0.0), ([(2, 3), (-4, 1.5)], 1.5)])
def test_what_is_covered_is_counted_once_and_within(spans, seconds):
    assert covered((1.0, 3.0), spans) == seconds


def test_only_who_waited_for_a_place_had_it_handed_on():
    first, waited, late = Trained(0.0, 1.0, 5.0), Trained(2.0, 5.5, 9.0), Trained(20.0, 21.0, 25.0)
    assert handed_on([first, waited, late]) == [0.5]
