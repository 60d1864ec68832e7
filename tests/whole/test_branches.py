"""Two runs under way at once, with real edits, git, sandbox and trainings."""

import json
from collections import Counter

import pytest

from agent.loop import play
from agent.pages.reading import gather
from agent.pages.rendering import session_page
from agent.pages.views.session import session_view
from agent.session import events as ev
from agent.session.action import CollectAny
from agent.session.policy import next_action
from agent.session.session import apply, fold
from tests.support.branches import CHOSEN, RUNS, Branches, check
from tests.support.whole import RATES, Whole


@pytest.fixture(scope="module")
def two(tmp_path_factory, stages):
    it = Whole(tmp_path_factory.mktemp("two"), Branches(), cache=stages.cache, **CHOSEN)
    return it, it.play()


def test_two_runs_are_trained_at_once_and_every_end_is_told_in_its_order(two):
    it, _ = two
    check(it)
    events = it.events()
    state, waited = fold(events[:1]), 0
    for event in events[1:]:
        waited += isinstance(next_action(state), CollectAny)
        state = apply(state, event)
    assert waited


def test_the_planner_is_told_what_is_under_way_and_which_nodes_are_best(two):
    it, session = two
    first = session.experiments[0].run
    prompt = it.model.prompt(f"run-{first}.reflect")
    other = next(run.planned.name for run in session.experiments if run.run in "12" and run.run != first)
    assert f"- `{other}`" in prompt.partition("Under way at the moment")[2].partition("Still planned")[0]
    assert "Propose several children of the best few (`" in prompt


def test_its_page_shows_every_run(two):
    it, session = two
    page = session_page(session_view(gather(it.paths), session.last_at, lambda event, state: event.type)).decode()
    assert all(f"step {round(100 * RATES[n])}" in page for n in range(1, RUNS + 1))


def test_a_failed_branch_has_its_reason_and_its_costs_in_its_record(two):
    it, session = two
    (failed,) = [run.run for run in session.experiments if run.phase == "failed"]
    record = json.loads((it.paths.repo / f"records/{failed}.json").read_text())
    assert record["reasons"] == ["attempt 1: training: exit: no luck"]
    assert record["spent"]["tokens"] == 15 and record["spent"]["usd"] == 0.0 and record["spent"]["train_s"] > 0


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """A log whose process dies when the first event of each kind of an experiment is about to be written."""

    def __init__(self, log, died):
        self._log, self._died = log, died

    def append(self, event):
        kind = type(event)
        run = getattr(event, "run", "0")
        if run.isdigit() and run != "0" and kind not in self._died:
            self._died.append(kind)
            raise Killed
        self._log.append(event)

    def __getattr__(self, name):
        return getattr(self._log, name)


def test_killed_between_an_effect_and_its_event_nothing_is_lost_and_nothing_is_done_twice(tmp_path, stages):
    it = Whole(tmp_path, Branches(), cache=stages.cache, **CHOSEN)
    died = []
    for _ in range(20):
        try:
            with it.tools() as tools:
                tools.journal.log = Dying(tools.journal.log, died)
                play(tools)
            break
        except Killed:
            continue

    kinds = [ev.Edited, ev.LintPassed, ev.RunSubmitted, ev.AttemptFailed, ev.RunFailed, ev.RunMeasured]
    assert set(died) == {*kinds, ev.Commented, ev.Reflected}
    check(it)
    assert set(Counter(it.model.asked).values()) == {1}, "no answer is paid for twice"
