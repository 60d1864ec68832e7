"""Two runs under way at once, with real edits, git, sandbox and trainings."""

import json
import re

import pytest

from agent.session import events as ev
from agent.session.action import CollectAny
from agent.session.policy import next_action
from agent.session.session import apply, fold
from agent.storage.log import EventLog
from tests.support.whole import RATES, Script, Whole, fenced, plan, planned, rate_block

RUNS = 4
FAILS = rate_block(RATES[0], RATES[2]).replace(
    f"RATE = {RATES[2]}  # step size", f'RATE = {RATES[2]}  # step size\nraise SystemExit("no luck")'
)


class Branches(Script):
    """The first plan holds two runs; whichever ends first has the third as its child, the next one the fourth."""

    def __init__(self, answers=None):
        super().__init__(RUNS, {"plan": fenced(plan(2)), "run-2.edit-1": FAILS, **(answers or {})})
        self.children = [3, 4]

    def __call__(self, messages, call):
        if match := re.fullmatch(r"run-(\d+)\.reflect", call.step):
            more = [planned(self.children.pop(0))] if self.children else []
            return fenced({"interpretation": f"Run {match[1]} moved rows.", "completed": not more, "runs": more})
        return super().__call__(messages, call)


def played(root, cache, **chosen):
    it = Whole(root, Branches(), cache=cache, branches=2, runs=RUNS, attempts=1, stop_after="runs", slots=1, **chosen)
    return it, it.play()


@pytest.fixture(scope="module")
def two(tmp_path_factory, stages):
    return played(tmp_path_factory.mktemp("two"), stages.cache)


def test_two_runs_are_trained_at_once_and_every_end_is_one_commit_in_its_order(two):
    it, session = two
    events = list(EventLog(it.paths.events).read())
    state, waited = fold(events[:1]), 0
    for event in events[1:]:
        waited += isinstance(next_action(state), CollectAny)
        state = apply(state, event)
    assert waited and state == session

    ended = [e.run for e in events if isinstance(e, ev.RunMeasured | ev.RunFailed) and session.runs[e.run].planned]
    assert sorted(ended) == ["1", "2", "3", "4"]
    log = [match[1] for line in it.log() if (match := re.match(r"run (\d+): (?:step|failed)", line))]
    assert [n for n in log if session.runs[n].planned] == ended
    notes = (it.paths.repo / "notes.txt").read_text()
    assert re.findall(r"^## Run (\d+)[: ]", notes, re.M)[-len(ended) :] == ended, "notes grow as runs end"


def test_each_run_is_trained_from_its_own_code_though_all_are_edited_in_one_work_tree(two):
    it, session = two
    repo = it.paths.repo
    rates = {}
    for run in session.experiments:
        job = json.loads(next(it.paths.runs.glob(f"{run.run}/attempt-1/job.json")).read_text())
        rates[run.planned.name] = re.search(
            r"RATE = ([\d.]+)", (repo.parent / job["code"] / "experiment.py").read_text()
        )[1]
    assert rates == {f"step{n}": str(RATES[n]) for n in range(1, RUNS + 1)}


def test_a_failed_branch_has_its_reason_and_its_costs_in_its_record(two):
    it, _ = two
    record = json.loads((it.paths.repo / "records/2.json").read_text())
    assert record["status"] == "failed"
    assert record["reasons"] == ["attempt 1: training: exit: no luck"]
    assert record["spent"]["tokens"] == 15 and record["spent"]["usd"] == 0.0 and record["spent"]["train_s"] > 0
