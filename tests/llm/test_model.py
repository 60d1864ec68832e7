"""agent.llm.litellm_model through real litellm over HTTP against a provider that misbehaves on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from agent.core.errors import InfrastructureError
from agent.core.exchange import Call, Message, Reply, Watch
from agent.core.schema import Strict
from agent.llm.faults import HANG_TRIES, OUTAGE_TRIES, REPLY_TRIES
from agent.llm.litellm_model import LiteLLMModel
from agent.llm.names import check
from agent.llm.providers import key_variable, listing, price, scrub
from tests.support import ROOT
from tests.support.fake_provider import Answer, FakeProvider, Script, completion, error, reply, tool_call

KEY = "sk-planted-0123456789abcdef"
CALL = Call("run-1.edit-1", 1, "editor")
QUESTION = [Message("system", "Be brief."), Message("user", "Name a metric.")]
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def answered(**parts: object) -> Answer:
    """A good answer, but for these parts of it."""
    return Answer(json={**reply("MCC").json, **parts})


class Heard(Watch):
    """Keeps what was paid for in vain."""

    def __init__(self) -> None:
        self.tries: list[Reply] = []

    def wasted(self, spent: Reply, why: str) -> None:
        self.tries.append(spent)


class Asked:
    """One question to a scripted provider: its reply or error, the waits and what was said."""

    def __init__(self, script: Script, *, model: str = "openai/gpt-4o", timeout_s: float = 5.0) -> None:
        self.waits: list[float] = []
        self.said: list[str] = []
        self.reply: Reply | None = None
        self.error = ""
        watch = Heard()
        self.wasted = watch.tries
        with FakeProvider(script) as provider:
            asked = LiteLLMModel(
                {"editor": model},
                timeout_s=timeout_s,
                api_base=provider.url,
                notify=self.said.append,
                sleep=self.waits.append,
            )
            try:
                self.reply = asked.complete(QUESTION, replace(CALL, watch=watch))
            except InfrastructureError as failure:
                self.error = str(failure)
            self.history = list(provider.history)


def test_a_reply_carries_its_text_tokens_and_cost():
    asked = Asked([reply("MCC")])

    assert asked.reply == Reply("MCC", "openai/gpt-4o", 11, 7, pytest.approx(11 * 2.5e-6 + 7 * 1e-5), "stop")
    assert asked.history[0].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a metric."},
    ]


def test_an_unlisted_model_has_no_cost_and_needs_no_key_on_a_server_of_ones_own():
    asked = Asked([reply("MCC")], model="openai/my-own-model")

    assert asked.reply.cost_usd is None
    assert asked.history[0].headers["authorization"]


def test_an_ollama_model_gets_a_context_that_holds_the_prompt():
    answer = Answer(
        json={
            "model": "qwen3",
            "message": {"role": "assistant", "content": "<think>hm</think>\nMCC"},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 9,
            "eval_count": 2,
        }
    )
    asked = Asked([answer], model="ollama_chat/qwen3")

    assert asked.reply.text == "MCC"
    assert asked.reply.cost_usd is None
    assert asked.history[0].body["options"]["num_ctx"] > 8000


def test_an_answer_cut_in_its_thinking_is_asked_for_again_whatever_the_provider_calls_it():
    cut = reply("<think>Perhaps d_sae = 99, or")
    asked = Asked([cut, reply("Hm, d_sae = 99? No.\n</think>\n\nMCC")])

    assert asked.reply.text == "MCC"
    assert "truncated in its thinking" in asked.said[0]


def test_a_form_is_asked_for_where_the_model_takes_one_and_no_more_once_it_does_not():
    class Verdict(Strict):
        label: str

    call = replace(CALL, form=Verdict)
    refusal = error(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported")
    with FakeProvider([reply("{}"), refusal, reply("{}"), reply("{}")]) as provider:
        said: list[str] = []
        model = LiteLLMModel(
            {"editor": "openai/gpt-4o"}, timeout_s=5, api_base=provider.url, notify=said.append, sleep=lambda s: None
        )
        texts = [model.complete(QUESTION, call).text for _ in range(3)]

    formats = [request.body.get("response_format") for request in provider.history]
    assert texts == ["{}"] * 3
    assert formats[0]["json_schema"]["schema"]["properties"]["label"] == {"title": "Label", "type": "string"}
    assert formats[1:] == [formats[0], None, None]
    assert "asked without" in said[0]


def test_no_form_is_asked_for_of_a_model_that_nobody_knows():
    with FakeProvider([reply("{}")]) as provider:
        model = LiteLLMModel({"editor": "openai/my-own"}, timeout_s=5, api_base=provider.url, notify=str)
        model.complete(QUESTION, replace(CALL, form=Strict))

    assert "response_format" not in provider.history[0].body


@pytest.mark.parametrize(
    "fault",
    [
        error(429, "slow down"),
        error(500, "boom"),
        error(502, "bad gateway"),
        error(503, "down"),
        error(529, "overloaded"),
        Answer(raw=b"<html>busy</html>"),
        Answer(json={"hello": 1}),
        Answer(json=["no"]),
        Answer(json={"choices": []}),
        Answer(json=reply("x" * 400).json, cut=100),
        Answer(json={"error": {"message": "upstream died", "code": 502}}),
        reply(""),
        reply("  \n"),
        completion({"content": None}),
        tool_call(),
        reply("half a sent", "length"),
    ],
    ids=lambda fault: f"{fault.status}-{json.dumps(fault.json)[:40] if fault.raw is None else 'html'}",
)
def test_a_passing_fault_is_waited_out_and_told(fault: Answer):
    asked = Asked([fault, fault, reply("MCC")])

    assert asked.reply.text == "MCC"
    assert asked.waits == [2.0, 4.0]
    assert len(asked.said) == 2
    assert "openai/gpt-4o" in asked.said[0]
    assert "asking again in 2 s (try 2 of" in asked.said[0]


def test_the_wait_a_provider_asks_for_is_obeyed():
    asked = Asked(
        [
            error(429, "slow down", headers={"Retry-After": "7"}),
            error(529, "overloaded", headers={"retry-after": "3"}),
            reply("MCC"),
        ]
    )

    assert asked.waits == [7.0, 3.0]


def test_a_date_to_ask_again_at_is_read_by_the_providers_clock():
    headers = {"Date": "Sat, 01 Jan 2000 10:00:00 GMT", "Retry-After": "Sat, 01 Jan 2000 10:00:09 GMT"}

    assert Asked([error(429, "slow down", headers=headers), reply("MCC")]).waits == [9.0]


def test_a_wait_of_an_hour_stops_the_session_instead():
    asked = Asked([error(429, "slow down", headers={"Retry-After": "3600"})])

    assert asked.waits == []
    assert "asks to wait 3600 s; resume then" in asked.error


def test_an_outage_ends_after_growing_bounded_waits():
    asked = Asked([error(503, "down")])

    assert len(asked.history) == OUTAGE_TRIES
    assert asked.waits == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0]
    assert "model openai/gpt-4o (run-1.edit-1, call 1): provider fault (503): down" in asked.error


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (reply(""), "an empty answer"),
        (tool_call(), "a tool call instead of text"),
        (reply("half a sent", "length"), "truncated at the model's output limit"),
        (Answer(json={"choices": []}), "an answer without a choice"),
    ],
)
def test_a_useless_answer_is_never_a_reply(fault: Answer, cause: str):
    asked = Asked([fault])

    assert asked.reply is None
    assert cause in asked.error
    assert len(asked.history) == REPLY_TRIES


PARTS = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "MC"}, {"type": "text", "text": "C"}]
READABLE = {
    "a list of parts": completion({"content": PARTS}),
    "one part": completion({"content": {"type": "text", "text": "MCC"}}),
    "the message is its text": answered(choices=[{"message": "MCC", "finish_reason": "stop"}]),
    "text without a message": answered(choices=[{"text": "MCC", "finish_reason": "stop"}]),
    "one choice, not in a list": answered(choices={"message": {"content": "MCC"}}),
    "an end of another name": completion({"content": "MCC"}, "eos"),
    "calls that are none": completion({"content": "MCC", "tool_calls": "no"}),
    "usage as text": answered(usage={"prompt_tokens": "11", "completion_tokens": "7"}),
    "usage in fractions": answered(usage={"prompt_tokens": 10.5, "completion_tokens": 6.5}),
}


@pytest.mark.parametrize("name", READABLE)
def test_an_answer_in_an_odd_form_is_read_and_charged_by_its_usage(name: str):
    asked = Asked([READABLE[name]])

    assert (asked.reply.text, asked.reply.tokens_in, asked.reply.tokens_out) == ("MCC", 11, 7)
    assert asked.reply.cost_usd == pytest.approx(11 * 2.5e-6 + 7 * 1e-5)
    assert (asked.reply.estimated, asked.said) == ("", [])


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (answered(choices=[{"index": 0, "finish_reason": "stop"}]), "an empty answer"),
        (answered(choices=[{"message": None}]), "an empty answer"),
        (completion({"content": 7}), "an answer whose text cannot be read (7)"),
        (completion({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}), "an empty answer"),
        (completion({"content": [["MCC", 1]]}), 'an answer whose text cannot be read ([["MCC", 1]])'),
    ],
)
def test_an_answer_that_cannot_be_read_is_told_in_a_line_charged_and_not_asked_for_without_end(answer, cause):
    asked = Asked([answer])

    assert f": {cause}; 3 tries were of no use" in asked.error and "\n" not in asked.error
    assert len(asked.history) == REPLY_TRIES
    assert [(s.tokens_in, s.tokens_out) for s in asked.wasted] == [(11, 7)] * REPLY_TRIES


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "much",
        [11, 7],
        {},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -11, "completion_tokens": -7, "total_tokens": -18},
        {"prompt_tokens": float("nan"), "completion_tokens": 1e300},
    ],
    ids=str,
)
def test_a_usage_that_is_missing_or_nonsense_is_estimated_and_said_once(usage):
    asked = Asked([answered(usage=usage)])

    sent = sum(len(m.content) for m in QUESTION)
    assert (asked.reply.text, asked.reply.tokens_in, asked.reply.tokens_out) == ("MCC", -(-sent // 4), 1)
    assert asked.reply.cost_usd == pytest.approx(-(-sent // 4) * 2.5e-6 + 1e-5)
    assert asked.said == [
        "openai/gpt-4o: the provider states no usage that can be believed; what its calls take is estimated"
    ]


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), float("-inf"), -1, "much", [1]], ids=str)
@pytest.mark.parametrize(("model", "price"), [("openai/gpt-4o", 9.75e-5), ("openai/my-own-model", None)])
def test_a_cost_that_nobody_can_charge_loses_no_reply(cost, model, price):
    asked = Asked([answered(usage=USAGE | {"cost": cost})], model=model)

    assert (asked.reply.text, asked.reply.tokens_in, asked.reply.tokens_out) == ("MCC", 11, 7)
    assert asked.reply.cost_usd == (price and pytest.approx(price))
    if isinstance(cost, float):  # litellm leaves a number that is none out of the answer itself
        assert asked.said == []
    else:
        assert len(asked.said) == 1 and f"states a cost of {cost}" in asked.said[0]


def test_an_answer_of_anthropics_that_litellm_does_not_take_is_read_as_well():
    usage = {"input_tokens": 11, "output_tokens": 7}
    answer = Answer(json={"role": "assistant", "content": "MCC", "stop_reason": "end_turn", "usage": usage})

    asked = Asked([answer], model="anthropic/claude-sonnet-4-5")

    assert (asked.reply.text, asked.reply.tokens_in, asked.reply.tokens_out) == ("MCC", 11, 7)


@pytest.mark.parametrize(
    ("fault", "cause", "mend"),
    [
        (
            error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"),
            "refuses the key (401)",
            "OPENAI_API_KEY",
        ),
        (error(402, "Insufficient credits"), "no credit left", "top it up"),
        (error(429, "You exceeded your current quota", "insufficient_quota"), "no credit left", "top it up"),
        (error(403, "forbidden"), "refuses the key (403)", "OPENAI_API_KEY"),
        (error(404, "The model `x` does not exist", "model_not_found"), "does not know this model", "check its name"),
        (error(400, "x is not a valid model ID"), "does not know this model", "check its name"),
        (
            error(400, "This model's maximum context length is 8 tokens", "context_length_exceeded"),
            "longer than the model's context",
            "longer one",
        ),
        (
            error(400, "Your request was rejected as a result of our safety system", "content_policy_violation"),
            "content filter refused",
            "another model",
        ),
        (error(400, "temperature must not be 7"), "does not accept the request (400)", "temperature must not be 7"),
        (completion({"content": None, "refusal": "I cannot help with that"}), "refused to answer", "I cannot help"),
        (completion({"content": "half"}, "content_filter"), "content filter cut", "another model"),
    ],
)
def test_a_lasting_fault_stops_at_once_with_one_line(fault: Answer, cause: str, mend: str):
    asked = Asked([fault])

    assert cause in asked.error
    assert mend in asked.error
    assert "\n" not in asked.error
    assert KEY not in asked.error
    assert len(asked.error) < 500
    assert len(asked.history) == 1
    assert asked.waits == []


@pytest.mark.parametrize(
    "fault",
    [Answer(json=reply("late").json, hang_s=30), Answer(json=reply("late").json, drip_s=0.1)],
    ids=["hang", "drip"],
)
def test_a_hang_and_a_slow_drip_meet_the_deadline(fault: Answer):
    started = time.monotonic()
    asked = Asked([fault, reply("MCC")], timeout_s=0.5)

    assert asked.reply.text == "MCC"
    assert time.monotonic() - started < 3
    assert f"try 2 of {HANG_TRIES}" in asked.said[0]


def test_an_interrupt_while_waiting_comes_through():
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with FakeProvider([error(500, "boom")]) as provider:
        model = LiteLLMModel({"editor": "openai/x"}, timeout_s=5, api_base=provider.url, notify=str, sleep=interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.complete(QUESTION, CALL)


def test_each_role_has_its_own_model():
    with FakeProvider([reply("ok")]) as provider:
        model = LiteLLMModel(
            {"editor": "openai/one", "writer": "openai/two"}, timeout_s=5, api_base=provider.url, notify=str
        )
        answers = [model.complete(QUESTION, Call("s", 1, "editor")), model.complete(QUESTION, Call("s", 2, "writer"))]

    assert [a.model for a in answers] == ["openai/one", "openai/two"]
    assert [r.body["model"] for r in provider.history] == ["one", "two"]


def test_a_key_of_the_environment_never_shows():
    done = _python(
        "from agent.llm.providers import scrub; print(scrub('bad key qwertyuiop123, Bearer abc.def'))",
        {"SOME_API_KEY": "qwertyuiop123"},
    )

    assert done == "bad key [key], Bearer [key]"
    assert scrub(f"key {KEY}!") == "key [key]!"


def test_preflight_names_unknown_providers_missing_keys_and_a_dead_ollama():
    done = json.loads(
        _python(
            "import json; from agent.llm.names import check\n"
            "print(json.dumps(check({'planner': 'nonsense', 'editor': 'anthropic/claude-sonnet-4-5',"
            " 'writer': 'ollama/qwen3', 'reviewer': 'openai/gpt-4o'})))",
            {"OLLAMA_API_BASE": "http://127.0.0.1:9", "OPENAI_API_KEY": "sk-something-here"},
        )
    )

    assert len(done) == 3
    assert (
        done[0][0] == "model anthropic/claude-sonnet-4-5 (editor): "
        "the environment variable ANTHROPIC_API_KEY is not set"
    )
    assert "it names no provider" in done[1][0] and "openai/nonsense" in done[1][1]
    assert "no ollama server answers at http://127.0.0.1:9" in done[2][0]


def test_preflight_knows_which_models_ollama_holds():
    with FakeProvider([Answer(json={"models": [{"name": "qwen3:latest"}]})]) as server:
        assert check({"editor": "ollama/qwen3"}, server.url) == []
        assert "ollama pull llama3" in check({"editor": "ollama/llama3"}, server.url)[0][1]


def test_prices_are_known_offline_or_none():
    assert price("openai/gpt-4o") == (2.5e-6, 1e-5)
    assert price("openai/nobody-knows-this") is None
    assert price("ollama/llama3") is None
    assert key_variable("openrouter/some/model") == "OPENROUTER_API_KEY"


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5", "openai/gpt-5.6", "gemini/gemini-3.1-pro-preview"])
def test_this_years_models_have_a_price_and_the_length_of_their_answers(model: str):
    assert price(model) and min(price(model)) > 0
    assert listing(model)["max_output_tokens"] >= 64_000


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-99", "openai/gpt-77", "openrouter/anthropic/claude-new"])
def test_a_name_that_only_looks_like_a_listed_one_is_not_taken_for_free(model: str):
    asked = Asked([answered()], model="openai/gpt-77")

    assert (listing(model), price(model)) == (None, None)
    assert (asked.reply.text, asked.reply.cost_usd) == ("MCC", None)


def test_importing_the_module_does_not_import_litellm():
    code = "import sys, agent.llm.litellm_model; print('litellm' in sys.modules, 'tenacity' in sys.modules)"
    assert _python(code, {}) == "False False"


def _python(code: str, env: dict[str, str]) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, **env},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()
