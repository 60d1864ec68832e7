"""A reviewer that can see gets pictures beside the words; another is never asked for them, nor told of any."""

import base64

import pytest

from agent.core.exchange import Call, Message
from agent.core.schema import Strict
from agent.llm.answers import ask_json
from agent.llm.calls import RecordedCalls
from agent.llm.litellm_model import LiteLLMModel
from tests.support.fake_provider import FakeProvider, reply

PAGES = (b"\x89PNG\r\none", b"\x89PNG\r\ntwo")


class Said(Strict):
    word: str


def asked(model: str, folder, pages=PAGES):
    """What the provider was sent, how often pictures were made, and what is on record."""
    made = []

    def pictures():
        made.append(1)
        return pages

    with FakeProvider(lambda request: reply('{"word": "yes"}')) as provider:
        inner = LiteLLMModel({"reviewer": model}, timeout_s=5.0, notify=lambda text: None, api_base=provider.url)
        records = []
        calls = RecordedCalls(inner, folder, records.append, lambda *_: None)
        calls.begin("review-1")
        conversation = [Message("system", "s"), Message("user", "u")]
        assert ask_json(calls.ask, "review-1", "reviewer", conversation, Said, pictures=pictures).word == "yes"
        return provider.history[0].body["messages"], made, records[0]


def test_a_model_that_sees_gets_the_pictures_and_a_word_about_them(tmp_path):
    messages, made, record = asked("openai/gpt-4o", tmp_path)
    first, about, *shown = messages[-1]["content"]
    assert first == {"type": "text", "text": "u"} and "are the pages of the paper that hold figures" in about["text"]
    sent = [part["image_url"]["url"].partition("base64,")[2] for part in shown]
    assert [base64.b64decode(text) for text in sent] == list(PAGES)
    assert messages[0]["content"] == "s" and made == [1] and record.pictures == 2


@pytest.mark.parametrize(("model", "pages"), [("openai/my-own-model", PAGES), ("openai/gpt-4o", ())])
def test_nothing_is_attached_for_another_model_or_without_pictures(tmp_path, model, pages):
    messages, made, record = asked(model, tmp_path, pages)
    assert messages[-1]["content"] == "u" and record.pictures == 0
    assert made == ([1] if model == "openai/gpt-4o" else [])


def test_a_call_by_hand_has_no_pictures():
    assert list(Call("s", 1, "writer").pictures()) == []
