"""Providers of many kinds, over HTTP on loopback through real litellm: sessions get through, or stop with one line."""

from __future__ import annotations

import json
import socket

import pytest

from agent.app.status import show_status
from agent.core.errors import InfrastructureError
from agent.core.exchange import Call, Message
from agent.core.protocols import Shown
from agent.llm.caching import STAYS_ABOVE, with_cache_markers
from agent.llm.faults import OUTAGE_TRIES
from agent.llm.litellm_model import LiteLLMModel
from agent.llm.names import check, nearest
from agent.llm.providers import Stated, is_priced, price
from agent.publishing.colophon import costs
from agent.session import events as ev
from agent.session.policy import MakePlan
from agent.storage.workspace import Workspace
from tests.llm.test_model import CALL, QUESTION, USAGE, Asked, answered
from tests.support.fake_provider import Answer, FakeProvider, Request, error, reply
from tests.support.launched import answer
from tests.support.provided import BROUGHT, Provided

OWN = "openai/my-own-model"
EIGHT_K = 8192


def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


# ---------------------------------------------------------------- sessions


class TimesOutOnce:
    def __init__(self) -> None:
        self.first = True

    def __call__(self, request: Request) -> Answer:
        hang_s, self.first = (30.0 if self.first else 0.0), False
        return Answer(json=reply(answer(request)).json, hang_s=hang_s)


def thinks_aloud(request: Request) -> Answer:
    draft = answer(request).replace("RATE = ", "RATE = 9")
    return reply(f"<think>\nPerhaps so:\n{draft}\nNo, better:\n</think>\n{answer(request)}")


def without_usage(request: Request) -> Answer:
    return Answer(json={k: v for k, v in reply(answer(request)).json.items() if k != "usage"})


def of_8k(request: Request) -> Answer:
    sent = sum(len(message["content"]) for message in request.body["messages"]) // 4
    if sent + request.body["max_tokens"] > EIGHT_K:
        return error(400, f"This model's maximum context length is {EIGHT_K} tokens. You asked for more")
    return reply(answer(request))


def quotes_code_in_its_json(request: Request) -> Answer:
    """A plan whose texts hold fenced code, itself in a fence: three backticks inside a string end nothing."""
    return reply(answer(request).replace("set RATE to", "run ```python\\nRATE = 1\\n``` first; set RATE to"))


KINDS = {
    "thinks aloud": lambda: thinks_aloud,
    "without usage": lambda: without_usage,
    "times out once": TimesOutOnce,
    "quotes code in its JSON": lambda: quotes_code_in_its_json,
}


@pytest.fixture(scope="module")
def planned(stages):
    return stages.before(MakePlan, **BROUGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_gets_its_runs_and_its_paper_from_a_model_that(planned, tmp_path, kind):
    it = Provided(planned, tmp_path)
    with FakeProvider(KINDS[kind]()) as provider:
        assert it.told(provider, timeout_s=5.0, stop_after="paper") == 0, it.console.lines
    assert it.events(ev.Compiled)[-1].ok and "\\begin{document}" in (it.paths.repo / "paper/paper.tex").read_text()

    assert "1" in [event.run for event in it.events(ev.RunMeasured)]
    assert "RATE = 9" not in (it.paths.repo / "experiment.py").read_text()
    assert len(it.events(ev.TryWasted)) == (kind == "times out once")
    said = " ".join(it.console.lines)
    assert ("what its calls take is estimated" in said) == (kind == "without usage")


def test_a_session_gets_its_runs_from_a_model_with_an_8k_context_that_is_stated(planned, tmp_path):
    it = Provided(planned, tmp_path)
    with FakeProvider(of_8k) as provider:
        stated = Stated(price=(1.0, 2.0), max_output=4000, context=EIGHT_K)
        assert it.told(provider, model=OWN, stated=stated) == 0, it.console.lines
        assert {request.body["max_tokens"] for request in provider.history} <= set(range(1, 4001))

    assert it.events(ev.RunMeasured)
    calls = it.events(ev.CallFinished)
    assert [call.cost_usd for call in calls] == [pytest.approx((11 * 1.0 + 7 * 2.0) / 1e6)] * len(calls)


def test_the_fallback_answers_for_a_provider_that_stays_away_and_log_records_and_paper_say_so(planned, tmp_path):
    from agent.publishing.colophon import authors, statement

    asked = []

    def script(request: Request) -> Answer:
        asked.append(request.body["model"])
        return error(402, "Insufficient credits") if request.body["model"] == "gpt-4o" else reply(answer(request))

    it = Provided(planned, tmp_path)
    with FakeProvider(script) as provider:
        assert it.told(provider, fallback="openai/gpt-4.1") == 0, it.console.lines

    assert asked.count("gpt-4o") == 1  # its account stays empty
    assert {call.model for call in it.events(ev.CallFinished)} == {"openai/gpt-4.1"}
    assert {json.loads(path.read_text())["model"] for path in it.paths.calls.glob("*.json")} == {"openai/gpt-4.1"}
    said = [line for line in it.console.lines if "--fallback" in line]
    assert len(said) == 1 and "no credit left" in said[0] and "openai/gpt-4.1 answers in its place" in said[0]
    with it.tools() as tools:
        assert "openai/gpt-4.1" in statement(tools.session, tools.template.manifest) and "openai/gpt-4.1" in authors(
            tools.session
        )


# ---------------------------------------------------------------- a server that is not there, a name that is wrong


def model_at(url: str, name: str = OWN, **options) -> tuple[LiteLLMModel, list[float], list[str]]:
    waits, said = list[float](), list[str]()
    options = {"timeout_s": 5.0, "api_base": url, "notify": said.append, "sleep": waits.append, **options}
    return LiteLLMModel({"editor": name}, **options), waits, said


def failure(model: LiteLLMModel, question=QUESTION) -> str:
    with pytest.raises(InfrastructureError) as caught:
        model.complete(question, CALL)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [OWN, "anthropic/claude-sonnet-4-5", "ollama_chat/qwen3"])
def test_a_server_that_is_not_there_stops_the_first_call_at_once(name):
    url = nobody()
    model, waits, _ = model_at(url, name)

    said = failure(model)

    assert f"no server answers at {url}; start it, or correct --api-base" in said and "(500)" not in said
    assert waits == []
    assert model.try_out(name) == f"model {name}: no server answers at {url}; start it, or correct --api-base"


def test_a_server_that_goes_away_in_a_session_is_waited_for():
    with FakeProvider([reply("MCC")]) as provider:
        model, waits, said = model_at(provider.url)
        assert model.complete(QUESTION, CALL).text == "MCC"

    told = failure(model)

    assert f"no server answers at {provider.url}; {OUTAGE_TRIES} tries were of no use" in told
    assert len(waits) == OUTAGE_TRIES - 1 and "provider fault" not in "".join(said)


def test_a_wrong_name_is_answered_with_what_the_server_has():
    fault = error(404, "The model `qwen-3-32b` does not exist", "model_not_found")
    with FakeProvider([fault], models=["qwen3-32b", "llama-4"]) as provider:
        model, waits, _ = model_at(provider.url, "openai/qwen-3-32b")
        said = failure(model)
        assert f"the server at {provider.url} has openai/qwen3-32b" in said and "does not know this model" in said
        assert said.partition("; ")[2].partition(". Finished")[0] in model.try_out("openai/qwen-3-32b")
    assert waits == []


def test_a_wrong_name_is_answered_with_the_nearest_that_are_listed():
    assert "anthropic/claude-sonnet-4-5" in nearest("anthropic/claude-sonet-4-5")
    assert "openai/gpt-5" in nearest("gpt5")
    assert nearest("anthropic/zzzz") == ""


def test_a_name_without_a_provider_is_explained():
    [(problem, remedy)] = check({"writer": "gpt5"})

    assert problem == "model 'gpt5' (writer): it names no provider, and litellm knows no model of this name alone"
    assert "write it as provider/model, e.g. openai/gpt5" in remedy and "openai/gpt-5" in remedy


def test_a_model_that_answers_is_tried_out_with_one_small_request_and_no_second_one():
    with FakeProvider([reply("ready"), error(429, "slow down")]) as provider:
        model, waits, _ = model_at(provider.url)
        assert model.try_out(OWN) == ""
        assert model.try_out(OWN).startswith(f"model {OWN}: rate limit (429)")
        assert len(provider.history) == 2 and waits == []
        assert len(json.dumps(provider.history[0].body)) < 300


# ---------------------------------------------------------------- contexts, lengths, prices


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        "prompt is too long: exceeds the context window of this model",
    ],
)
def test_a_request_that_is_too_long_is_told_with_its_length_and_the_option(words):
    said = Asked([error(400, words)], model=OWN).error

    assert "tokens) is longer than the model's context" in said and "--context N" in said


def test_a_request_beyond_a_stated_context_is_not_sent():
    with FakeProvider([reply("MCC")]) as provider:
        model, _, _ = model_at(provider.url, stated=Stated(context=EIGHT_K))
        said = failure(model, [Message("user", "x" * 4 * 9000)])
        assert "the request (about 9,000 tokens) does not fit its context of 8,192 tokens (--context)" in said
        assert provider.history == []


def test_ollama_gets_the_stated_context():
    body = {"model": "qwen3", "message": {"role": "assistant", "content": "MCC"}, "done": True, "done_reason": "stop"}
    with FakeProvider([Answer(json=body)]) as provider:
        model, _, _ = model_at(provider.url, "ollama_chat/qwen3", stated=Stated(context=16_000, max_output=500))
        assert model.complete(QUESTION, CALL).text == "MCC"
        assert provider.history[0].body["options"] == {"num_ctx": 16_000, "num_predict": 500}


@pytest.mark.parametrize("name", ["ollama_chat/qwen3", "ollama/qwen3"])
def test_an_answer_that_ollama_cut_is_no_answer(name):
    half = {"message": {"role": "assistant", "content": "half"}, "response": "half", "prompt_eval_count": 9}
    body = {"model": "qwen3", "done": True, "done_reason": "length", "eval_count": 2, **half}

    asked = Asked([Answer(json=body)], model=name)

    assert asked.reply is None and "truncated at the model's output limit" in asked.error


def test_what_is_stated_is_not_used_for_a_model_that_is_listed():
    with FakeProvider([reply("MCC")]) as provider:
        model, _, _ = model_at(provider.url, "openai/gpt-4o", stated=Stated((1.0, 1.0), 9, 10))
        assert model.complete(QUESTION, CALL).cost_usd == pytest.approx(11 * 2.5e-6 + 7 * 1e-5)
        assert "max_tokens" not in provider.history[0].body


def test_an_answer_cut_at_a_length_nobody_stated_names_the_option():
    assert "--max-output N" in Asked([reply("half a sent", "length")], model=OWN).error
    assert "--max-output" not in Asked([reply("half a sent", "length")]).error


def test_a_stated_price_serves_where_nobody_else_knows_one():
    stated = Stated(price=(3.0, 15.0))

    assert price(OWN, stated) == (3e-6, 1.5e-5)
    assert price("openai/gpt-4o", stated) == price("openai/gpt-4o")
    assert (is_priced(OWN), is_priced(OWN, stated), is_priced("openrouter/a/b"), is_priced("ollama/x")) == (
        False,
        True,
        True,
        True,
    )


# ---------------------------------------------------------------- caches


CACHED = USAGE | {"prompt_tokens": 2011, "total_tokens": 2018, "prompt_tokens_details": {"cached_tokens": 1024}}


def test_tokens_read_from_a_cache_are_counted_and_priced():
    asked = Asked([answered(usage=CACHED)])

    assert (asked.reply.tokens_in, asked.reply.tokens_cached) == (2011, 1024)
    assert asked.reply.cost_usd == pytest.approx(987 * 2.5e-6 + 1024 * 1.25e-6 + 7 * 1e-5)


def claude(**usage: int) -> Answer:
    body = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn"}
    content = [{"type": "text", "text": "MCC"}]
    return Answer(json={**body, "content": content, "usage": {"input_tokens": 11, "output_tokens": 7, **usage}})


def test_anthropics_tokens_read_from_and_put_into_a_cache_are_counted_and_priced():
    usage = {"cache_read_input_tokens": 2000, "cache_creation_input_tokens": 500}
    asked = Asked([claude(**usage)], model="anthropic/claude-sonnet-4-5")

    assert (asked.reply.tokens_in, asked.reply.tokens_cached) == (2511, 2000)
    assert asked.reply.cost_usd == pytest.approx(11 * 3e-6 + 2000 * 3e-7 + 500 * 3.75e-6 + 7 * 1.5e-5)


@pytest.mark.parametrize("details", [{"cached_tokens": 10**6}, {"cached_tokens": -4}, {"cached_tokens": "no"}, [1], 3])
def test_cached_tokens_that_cannot_be_are_not_more_than_what_was_sent(details):
    assert Asked([answered(usage=USAGE | {"prompt_tokens_details": details})]).reply.tokens_cached in (0, 11)


TALK = [
    Message("system", "Rules."),
    Message("user", f"Forms.\n{STAYS_ABOVE}\nRecords.\n{STAYS_ABOVE}\nTask."),
    Message("assistant", "A draft."),
    Message("user", "Mend it."),
]


def test_claude_is_told_what_to_keep_at_the_ends_of_what_is_sent_again():
    sent = with_cache_markers("anthropic/claude-sonnet-4-5", TALK)
    marked = [part["text"] for m in sent if isinstance(m["content"], list) for part in m["content"] if len(part) == 3]

    assert marked == ["Rules.", "Forms.\n", "Records.\n", "A draft."]
    assert sent[-1] == {"role": "user", "content": "Mend it."}


def test_no_more_than_four_marks_are_set_and_the_system_message_keeps_its_own():
    many = [TALK[0], Message("user", f"\n{STAYS_ABOVE}\n".join("abcdefg")), *TALK[2:]]
    sent = with_cache_markers("anthropic/claude-sonnet-4-5", many)
    marked = [part["text"] for m in sent if isinstance(m["content"], list) for part in m["content"] if len(part) == 3]

    assert marked == ["Rules.", "e\n", "f\n", "A draft."]


@pytest.mark.parametrize("model", ["openai/gpt-4o", "ollama/qwen3", OWN])
def test_others_get_plain_text_without_our_line(model):
    assert [m["content"] for m in with_cache_markers(model, TALK)] == [
        "Rules.",
        "Forms.\nRecords.\nTask.",
        "A draft.",
        "Mend it.",
    ]


def test_the_marks_reach_anthropic_over_http():
    with FakeProvider([claude()]) as provider:
        model, _, _ = model_at(provider.url, "anthropic/claude-sonnet-4-5")
        model.complete(TALK, CALL)
        body = provider.history[0].body
    texts = [*body["system"], *(part for m in body["messages"] for part in m["content"])]
    assert [t["text"] for t in texts if "cache_control" in t] == ["Rules.", "Forms.\n", "Records.\n", "A draft."]


def test_a_session_counts_what_was_read_from_a_cache_and_says_it_everywhere(planned, tmp_path, capsys):
    it = Provided(planned, tmp_path)
    with FakeProvider(lambda request: Answer(json={**reply(answer(request)).json, "usage": CACHED})) as provider:
        it.step(provider)

    [call] = it.events(ev.CallFinished)
    assert (call.tokens_in, call.tokens_cached) == (2011, 1024)
    with it.tools() as tools:
        assert ("Tokens", "2,018, of which 1,024 read from a cache") in costs(tools.session)
        assert tools.session.tokens_cached == 1024
    assert "2.0k sent (1.0k of them from a cache), 7 received" in "\n".join(it.console.lines)
    show_status(Workspace(it.paths.root.parent))
    assert "2.0k, 1.0k cached" in capsys.readouterr().out


# ---------------------------------------------------------------- what a person sees meanwhile


class Screen(Shown):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.drawn: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def waiting(self, text: str) -> None:
        self.drawn.append(text)


def test_whom_the_session_waits_for_is_said_before_and_shown_while_it_lasts():
    screen = Screen()
    with FakeProvider([Answer(json=reply("MCC").json, hang_s=1.2)]) as provider:
        model, _, _ = model_at(provider.url, console=screen)
        model.complete([Message("user", "x" * 8000)], Call("paper.method.write", 2, "editor"))

    assert screen.lines == [f"  editor: asking {OWN} (paper.method.write, call 2, about 2,000 tokens)"]
    assert screen.drawn[:2] == [f"{OWN}: 0 s", f"{OWN}: 1 s"] and screen.drawn[-1] == ""
