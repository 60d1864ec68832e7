"""agent.llm.calls: no exchange is lost, none is paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.errors import BudgetSpent, InfrastructureError
from agent.core.exchange import Message
from agent.llm.calls import CallRecord, RecordedCalls, read_call
from tests.support import ROOT
from tests.support.scripted import Script, ScriptedModel

STEP = "run-1.edit-1"
QUESTION = [Message("user", "Plan three runs.")]


class Session:
    """One process's view of a calls/ folder."""

    def __init__(self, folder: Path, script: Script, money: int = 99) -> None:
        self.model = ScriptedModel(script, cost_usd=0.25)
        self.heard: list[CallRecord] = []
        self.money = money
        self.calls = RecordedCalls(self.model, folder, self.heard.append, self._budget, clock=iter(range(99)).__next__)

    def _budget(self) -> None:
        if not self.money:
            raise BudgetSpent("--max-usd 0")
        self.money -= 1

    def ask(self, step: str = STEP) -> str:
        return self.calls.ask(step, "planner", QUESTION).text


def test_an_exchange_is_on_disk_before_anybody_hears_of_it(tmp_path: Path):
    seen: list[CallRecord] = []
    model = ScriptedModel(["a plan"], tokens=(12, 3), cost_usd=None)
    calls = RecordedCalls(
        model,
        tmp_path / "calls",
        lambda record: seen.append(read_call(calls.path(STEP, 1))),
        lambda: None,
        clock=iter([1.0, 3.5]).__next__,
    )

    reply = calls.ask(STEP, "planner", QUESTION)

    assert seen == [
        CallRecord(
            step=STEP,
            ordinal=1,
            role="planner",
            model="scripted",
            messages=tuple(QUESTION),
            reply="a plan",
            tokens_in=12,
            tokens_out=3,
            cost_usd=None,
            finish="stop",
            wall_s=2.5,
        )
    ]
    assert (reply.text, reply.recorded) == ("a plan", False)
    assert (tmp_path / "calls" / "run-1.edit-1.1.json").is_file()


@pytest.mark.parametrize(
    ("tokens", "cost", "taken"),
    [
        ((-12, 3), 0.5, (4, 2, 0.5)),
        ((12, 10**12), None, (4, 2, None)),
        ((12, 3), float("nan"), (12, 3, None)),
        ((12, 3), -1.0, (12, 3, None)),
    ],
)
def test_a_model_of_ones_own_cannot_lower_the_total_or_lose_its_reply(tmp_path: Path, tokens, cost, taken):
    heard: list[CallRecord] = []
    model = ScriptedModel(["a plan"], tokens=tokens, cost_usd=cost)

    assert RecordedCalls(model, tmp_path, heard.append, lambda: None).ask(STEP, "planner", QUESTION).text == "a plan"
    assert [(call.tokens_in, call.tokens_out, call.cost_usd) for call in heard] == [taken]
    assert heard[0].estimated


def test_a_repeated_action_gets_its_recorded_replies_and_then_goes_on(tmp_path: Path):
    first = Session(tmp_path, ["one", "two"])
    assert [first.ask(), first.ask()] == ["one", "two"]

    again = Session(tmp_path, {(STEP, 3): "three"})
    assert [again.ask(), again.ask(), again.ask()] == ["one", "two", "three"]

    assert again.model.asked == [(STEP, 3)]
    assert [record.ordinal for record in again.heard] == [1, 2, 3]
    assert again.money == 98


def test_a_recorded_reply_says_so(tmp_path: Path):
    Session(tmp_path, ["one"]).ask()
    reply = Session(tmp_path, []).calls.ask(STEP, "planner", QUESTION)

    assert reply.recorded
    assert reply.cost_usd == 0.25


def test_begin_counts_from_one_again_in_the_same_process(tmp_path: Path):
    session = Session(tmp_path, ["one", "two"])
    session.ask()
    session.calls.begin(STEP)

    assert session.ask() == "one"
    assert session.ask() == "two"


def test_steps_count_on_their_own(tmp_path: Path):
    session = Session(tmp_path, lambda messages, call: f"{call.step} {call.ordinal}")

    assert [session.ask("plan"), session.ask("paper.method.write"), session.ask("plan")] == [
        "plan 1",
        "paper.method.write 1",
        "plan 2",
    ]


def test_a_spent_budget_stops_new_calls_but_not_recorded_ones(tmp_path: Path):
    Session(tmp_path, ["one"]).ask()
    poor = Session(tmp_path, ["two"], money=0)

    assert poor.ask() == "one"
    with pytest.raises(BudgetSpent):
        poor.ask()
    assert poor.model.history == []


@pytest.mark.parametrize("failure", [InfrastructureError("down"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_a_failed_call_leaves_no_record_and_is_asked_again(tmp_path: Path, failure: BaseException):
    session = Session(tmp_path, [failure, "one"])

    with pytest.raises(type(failure)):
        session.ask()
    assert list(tmp_path.iterdir()) == []
    assert session.ask() == "one"
    assert session.model.asked == [(STEP, 1), (STEP, 1)]


def test_an_empty_answer_is_an_error_and_not_a_record(tmp_path: Path):
    with pytest.raises(InfrastructureError, match="an empty answer"):
        Session(tmp_path, [" \n"]).ask()
    assert list(tmp_path.iterdir()) == []


def test_half_a_surrogate_pair_does_not_break_the_record(tmp_path: Path):
    assert Session(tmp_path, ["bad \ud83d char"]).ask() == "bad ? char"
    assert Session(tmp_path, []).ask() == "bad ? char"


def test_a_record_changed_by_hand_is_named(tmp_path: Path):
    Session(tmp_path, ["one"]).ask()
    path = tmp_path / f"{STEP}.1.json"
    path.write_text(path.read_text().replace('"ordinal": 1', '"ordinal": "1"'))

    with pytest.raises(InfrastructureError, match=r"run-1\.edit-1\.1\.json: ordinal: .* restore it"):
        Session(tmp_path, ["two"]).ask()


@pytest.mark.parametrize(
    "make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to(path)], ids=["folder", "pipe", "link"]
)
def test_a_record_that_is_no_file_is_named_at_once_and_nothing_is_paid(tmp_path: Path, make):
    make(tmp_path / f"{STEP}.1.json")
    session = Session(tmp_path, ["one"])

    with pytest.raises(InfrastructureError, match=r"run-1\.edit-1\.1\.json: not a plain file"):
        session.ask()
    assert session.money == 99


def test_a_step_that_is_no_file_name_is_refused(tmp_path: Path):
    with pytest.raises(InfrastructureError, match="letters, digits"):
        Session(tmp_path, ["one"]).ask("../events")


def test_kill_9_after_a_reply_repeats_no_finished_call(tmp_path: Path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom agent.llm.calls import RecordedCalls\n"
        "from agent.core.protocols import Message\nfrom tests.support.scripted import ScriptedModel\n"
        "die = lambda record: record.ordinal == 2 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "calls = RecordedCalls(ScriptedModel(['one', 'two', 'three']), Path(sys.argv[1]), die, lambda: None)\n"
        f"while True: calls.ask({STEP!r}, 'planner', [Message('user', 'go')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGKILL

    resumed = Session(tmp_path, {(STEP, 3): "three"})

    assert [resumed.ask() for _ in range(3)] == ["one", "two", "three"]
    assert [record.reply for record in resumed.heard] == ["one", "two", "three"]
