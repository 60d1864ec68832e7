"""Bounds hold while a provider fails and while a training runs: passed by one call or one grace period at most."""

import math

import pytest

from agent.actions.waiting import running_jobs
from agent.app.assemble import System
from agent.app.console import TerminalConsole
from agent.app.exits import BUDGET, INFRASTRUCTURE
from agent.app.playing import play_session
from agent.app.preflight import complaints
from agent.core.template import load_template
from agent.llm.litellm_model import LiteLLMModel
from agent.sandbox.boxes import BubblewrapSandbox
from agent.session import events as ev
from agent.session.policy import CollectRun, EditRun, MakePlan, SubmitRun, next_action
from agent.storage.workspace import Workspace
from tests.support import TEMPLATE
from tests.support.fake_provider import Answer, FakeProvider, completion, error, reply
from tests.support.provided import BROUGHT, Provided
from tests.support.whole import block, fenced, options, plan

CALL = 18  # tokens of each answer of the fake provider
USD = 11 * 2.5e-6 + 7 * 1e-5  # of such an answer by openai/gpt-4o
USELESS = {
    "truncated": reply("half a sent", "length"),
    "empty": reply(""),
    "a tool call": completion(
        {
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}],
        },
        "tool_calls",
    ),
}


@pytest.fixture(scope="module")
def prepared(stages):
    return {kind: stages.before(kind, **BROUGHT) for kind in (MakePlan, EditRun)}


@pytest.mark.parametrize("name", USELESS)
def test_answers_of_no_use_are_paid_for_and_counted(prepared, tmp_path, name):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([USELESS[name], reply(fenced(plan(1)))]) as provider:
        it.step(provider)
    with it.tools() as tools:
        assert tools.session.tokens == 2 * CALL
        assert tools.session.usd == pytest.approx(2 * USD)
        assert len(tools.session.calls) == 1
    assert [(e.step, e.ordinal) for e in it.events(ev.TryWasted)] == [("plan", 1)]


@pytest.mark.parametrize("bound", [{"max_tokens": CALL + 2}, {"max_usd": USD * 1.1}], ids=["tokens", "usd"])
@pytest.mark.parametrize("name", USELESS)
def test_a_bound_is_passed_by_one_call_at_most_though_every_answer_is_of_no_use(prepared, tmp_path, name, bound):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([USELESS[name]]) as provider:
        assert it.told(provider, **bound) == BUDGET
        asked = len(provider.history)
    assert asked == 2
    with it.tools() as tools:
        assert tools.session.tokens == asked * CALL
        assert tools.session.usd == pytest.approx(asked * USD)
    assert it.waits == [2.0]
    with FakeProvider([reply(fenced(plan(1)))]) as provider:  # the bound still holds after a restart
        assert it.told(provider, **bound) == BUDGET
        assert len(provider.history) == 0


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -11, "completion_tokens": -7}], ids=["none", "negative"])
def test_a_bound_on_tokens_binds_without_a_usage_that_can_be_believed(prepared, tmp_path, usage):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([Answer(json={**reply(fenced(plan(1))).json, "usage": usage})]) as provider:
        assert it.told(provider, max_tokens=1) == BUDGET
        assert len(provider.history) == 1
    (call,) = it.events(ev.CallFinished)
    assert call.tokens_in > 100 and call.tokens_out > 10 and call.estimated
    assert any("(estimated)" in line for line in it.console.lines)


def test_a_filter_that_bills_what_it_cut_is_counted(prepared, tmp_path):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([completion({"content": "half"}, "content_filter")]) as provider:
        assert it.told(provider) == INFRASTRUCTURE
    assert [e.tokens_in + e.tokens_out for e in it.events(ev.TryWasted)] == [CALL]


def test_a_call_that_hangs_is_counted_as_what_was_sent(prepared, tmp_path):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([Answer(json=reply("late").json, hang_s=30), reply(fenced(plan(1)))]) as provider:
        it.step(provider, 0.4)
        sent = sum(len(m["content"].encode()) for m in provider.history[0].body["messages"])
    (wasted,) = it.events(ev.TryWasted)
    tokens = math.ceil(sent / 4)
    assert (wasted.tokens_in, wasted.tokens_out) == (tokens, 0)
    assert wasted.cost_usd == pytest.approx(tokens * 2.5e-6) and wasted.estimated
    assert "no whole answer within 0.4 s" in wasted.reason


def test_refused_and_failed_calls_cost_nothing(prepared, tmp_path):
    it = Provided(prepared[MakePlan], tmp_path)
    with FakeProvider([error(500, "boom"), error(429, "slow"), reply(fenced(plan(1)))]) as provider:
        it.step(provider)
    assert it.events(ev.TryWasted) == []


@pytest.mark.parametrize(
    "fault",
    [error(429, "slow down", headers={"Retry-After": "600"}), error(503, "down")],
    ids=["retry-after", "outage"],
)
def test_no_wait_for_a_provider_passes_the_hours(prepared, tmp_path, fault):
    it = Provided(prepared[MakePlan], tmp_path)
    with it.tools() as tools:
        hours = (tools.session.active_s + 60) / 3600  # each fault's waits are longer than that, one or all of them
    with FakeProvider([fault]) as provider:
        assert it.told(provider, hours=hours) == BUDGET
    assert max(it.waits, default=0.0) < 60  # none is made here, so the clock stands
    assert "asked again in" in next(line for line in it.console.lines if line.startswith("Stopped"))


def test_hours_end_a_long_training_and_a_resume_trains_it_anew_uncharged(stages, tmp_path):
    draw = '    draw = np.random.default_rng(task["seed"])'
    slow = block("experiment.py", draw, f"    while True:\n        pass\n{draw}")
    it = stages.copied(tmp_path, EditRun, {"run-1.edit-1": slow}, runs=1, stop_after="runs")
    with it.tools() as tools:
        _until(tools, CollectRun, "1")
        spent = tools.session.active_s
    with it.tools(options(runs=1, stop_after="runs", hours=(spent + 1.5) / 3600)) as tools:
        (job,) = running_jobs(tools)
        assert play_session(tools) == BUDGET
        assert tools.runner.state(job) == "finished"
        assert tools.runner.result(job).outcome == "cancelled"
    with it.tools(options(runs=1, stop_after="runs")) as tools:
        _until(tools, SubmitRun, "1")
        run = tools.session.runs["1"]
        assert (run.attempt, run.restarts, run.lost) == (1, 1, 0)
    assert any("is cancelled" in line for line in it.console.lines)


@pytest.mark.parametrize(
    ("name", "found"), [("openai/nobody-knows-this", 1), ("openai/gpt-4o", 0), ("ollama/qwen3", 0)]
)
def test_a_bound_on_money_needs_a_price(name, found):
    model = LiteLLMModel({}, timeout_s=1, notify=str)
    system = System(model, BubblewrapSandbox(), TerminalConsole())
    chosen = options(max_usd=1.0)
    chosen = chosen.model_copy(
        update={
            "models": chosen.models.model_copy(update=dict.fromkeys(("planner", "editor", "writer", "reviewer"), name))
        }
    )
    complained = complaints(chosen, load_template(TEMPLATE), system, Workspace(TEMPLATE))
    said = [text for text in complained if "--max-usd" in text]
    assert len(said) == found
    assert all(f"the price of {name} is not known" in text and "--max-tokens" in text for text in said)


def _until(tools, kind, run):
    from agent.actions import perform

    while not (isinstance(action := next_action(tools.session), kind) and action.run == run):
        tools.journal.append(perform(action, tools))
