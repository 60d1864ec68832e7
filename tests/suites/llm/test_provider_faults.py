"""A provider that fails in the middle of a session: the right wait or the right one-line stop, and never a silent edit.

Real litellm and real aider over HTTP. What a single call does is for test_model.py.
"""

import json
from email.utils import formatdate
from time import time

import pytest

from agent.app.exits import INFRASTRUCTURE
from agent.llm.faults import HANG_TRIES, OUTAGE_TRIES, REPLY_TRIES
from agent.session import events as ev
from agent.session.policy import EditRun, MakePlan
from tests.support.fake_provider import Answer, FakeProvider, completion, error, reply, tool_call
from tests.support.provided import BROUGHT, Provided
from tests.support.whole import RATES, fenced, plan, rate_block

GOOD = {MakePlan: reply(fenced(plan(1))), EditRun: reply(rate_block(RATES[0], RATES[1]))}
DONE = {MakePlan: ev.Planned, EditRun: ev.Edited}
KEY = "sk-planted-0123456789abcdef"
LATE = reply("late").json

# name: answer, the waits before the next try (None: not before the provider is well again)
PASSING = {
    "429": (error(429, "slow down"), [2.0]),
    "429 with seconds": (error(429, "slow down", headers={"Retry-After": "7"}), [7.0]),
    "429 with seconds, not an integer": (error(429, "slow down", headers={"retry-after": "0.5"}), [0.5]),
    "429 with nonsense": (error(429, "slow down", headers={"Retry-After": "soon"}), [2.0]),
    "429 with a date gone by": (error(429, "slow down", headers={"Retry-After": formatdate(0, usegmt=True)}), [0.0]),
    "500": (error(500, "boom"), [2.0]),
    "529 with seconds": (error(529, "overloaded", headers={"retry-after": "3"}), [3.0]),
    "529": (error(529, "overloaded"), [2.0]),
    "hang": (Answer(json=LATE, hang_s=30), [2.0]),
    "slow drip": (Answer(json=LATE, drip_s=0.2), [2.0]),
    "cut stream": (Answer(json=reply("x" * 400).json, cut=100), [2.0]),
    "empty content": (reply(""), [2.0]),
    "white content": (reply(" \n\n "), [2.0]),
    "no content": (completion({"content": None}), [2.0]),
    "wrong JSON": (Answer(raw=b'{"choices": [{"message": {"content": "half'), [2.0]),
    "another JSON": (Answer(json={"hello": 1}), [2.0]),
    "a page": (Answer(raw=b"<html>busy</html>", headers={"Content-Type": "text/html"}), [2.0]),
    "a tool call": (tool_call(), [2.0]),
    "truncated": (reply("half a sent", "length"), [2.0]),
}
LASTING = {
    "401": (
        error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"),
        "refuses the key (401); set OPENAI_API_KEY",
    ),
    "402": (error(402, "Insufficient credits"), "no credit left; top it up"),
    "429 for want of credit": (error(429, "You exceeded your current quota", "insufficient_quota"), "no credit left"),
    "429 for an hour": (error(429, "slow down", headers={"Retry-After": "3600"}), "asks to wait 3600 s; resume then"),
    "wrong model": (error(404, "The model `gpt-4o` does not exist", "model_not_found"), "does not know this model"),
    "context too long": (
        error(400, "This model's maximum context length is 8 tokens", "context_length_exceeded"),
        "longer than the model's context",
    ),
    "filter before": (
        error(400, "rejected as a result of our safety system", "content_policy_violation"),
        "content filter refused",
    ),
    "filter within": (completion({"content": "half"}, "content_filter"), "content filter cut"),
    "refusal": (completion({"content": None, "refusal": "I cannot help with that"}), "refused to answer"),
}
ENDLESS = {
    "500": (error(500, "boom"), OUTAGE_TRIES, "provider fault (500): boom"),
    "529": (error(529, "overloaded"), OUTAGE_TRIES, "provider fault (529): overloaded"),
    "429": (error(429, "slow down"), OUTAGE_TRIES, "rate limit (429): slow down"),
    "hang": (Answer(json=LATE, hang_s=30), HANG_TRIES, "no whole answer within 0.4 s"),
    "empty content": (reply(""), REPLY_TRIES, "an empty answer"),
    "a tool call": (tool_call(), REPLY_TRIES, "a tool call instead of text"),
}


@pytest.fixture(scope="module")
def prepared(stages):
    return {kind: stages.before(kind, **BROUGHT) for kind in (MakePlan, EditRun)}


@pytest.fixture(params=[MakePlan, EditRun], ids=["plan", "edit"])
def kind(request):
    return request.param


def untouched(it, kind):
    """Neither an event nor a commit pretends that the model answered."""
    code = (it.paths.repo / "experiment.py").read_text()
    return not it.events(DONE[kind]) and f"RATE = {RATES[0]}" in code and "edited" not in " ".join(it.log())


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_waited_out_and_the_step_is_done(prepared, tmp_path, kind, name):
    fault, waits = PASSING[name]
    it = Provided(prepared[kind], tmp_path)
    patience = 0.4 if fault.hang_s or fault.drip_s else 30.0
    with FakeProvider([fault, GOOD[kind]]) as provider:
        event = it.step(provider, patience)
    assert isinstance(event, DONE[kind])
    assert it.waits == waits
    assert len(provider.history) == 2
    assert sum("asking again" in line for line in it.console.lines) == 1
    assert len(it.events(ev.CallFinished)) == len(it.events(DONE[kind])) + (kind is EditRun)


def test_a_date_to_wait_for_is_waited_for(prepared, tmp_path, kind):
    it = Provided(prepared[kind], tmp_path)
    later = formatdate(time() + 500, usegmt=True)
    with FakeProvider([error(429, "slow down", headers={"Retry-After": later}), GOOD[kind]]) as provider:
        assert isinstance(it.step(provider), DONE[kind])
    assert 300 < it.waits[0] <= 500


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_stops_with_one_line_and_resume_goes_on(prepared, tmp_path, kind, name):
    fault, said = LASTING[name]
    it = Provided(prepared[kind], tmp_path)
    with FakeProvider([fault]) as provider:
        assert it.told(provider) == INFRASTRUCTURE
        assert len(provider.history) == 1
    stop = next(line for line in it.console.lines if line.startswith("Stopped"))
    assert said in stop
    assert len(stop.splitlines()) == 2 and "--resume" in stop.splitlines()[1]
    assert KEY not in stop + json.dumps(it.console.lines)
    assert said in it.events(ev.ProcessStopped)[-1].reason
    assert it.waits == []
    assert untouched(it, kind)
    with FakeProvider([GOOD[kind]]) as provider:
        assert isinstance(it.step(provider), DONE[kind])


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_pass_is_given_up_after_its_tries(prepared, tmp_path, kind, name):
    fault, tries, said = ENDLESS[name]
    it = Provided(prepared[kind], tmp_path)
    with FakeProvider([fault]) as provider:
        assert it.told(provider, 0.4 if fault.hang_s else 30.0) == INFRASTRUCTURE
        assert len(provider.history) == tries
    assert said in next(line for line in it.console.lines if line.startswith("Stopped"))
    assert len(it.waits) == tries - 1
    assert untouched(it, kind)


def test_a_provider_that_falls_ill_between_repairs_of_an_edit_leaves_no_half_edit(prepared, tmp_path):
    it = Provided(prepared[EditRun], tmp_path)
    mismatch = reply(rate_block(0.77, 0.5))
    with FakeProvider([mismatch, error(401, "Incorrect API key provided")]) as provider:
        assert it.told(provider) == INFRASTRUCTURE
    assert untouched(it, EditRun)
    with FakeProvider([GOOD[EditRun]]) as provider:
        assert isinstance(it.step(provider), ev.Edited)
        assert len(provider.history) == 1, "the first answer is on record and not paid again"
