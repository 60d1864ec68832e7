"""agent.llm.answers: a JSON answer is found whatever stands around it, and refused by field and rule."""

import json

import pytest

from agent.core.exchange import Conversation, Message, Reply
from agent.core.plan import Plan, Reflection
from agent.core.reviews import MetaWords
from agent.llm.answers import BadAnswer, ask_json, parse
from agent.llm.calls import RecordedCalls
from agent.llm.thinking import UNFINISHED
from tests.support.scripted import ScriptedModel

RUN = {
    "name": "tiers",
    "label": "tiers",
    "change": 'Put this in:\n```python\nx = {1: "{"}  # it\'s "so"\n```\nand no more.',
    "hypothesis": "it helps",
    "start_from": "baseline",
    "factors": ["tiers"],
}
PLAN = {"comparison": {"metric": "f1", "baseline": "topk", "why": "it is strong"}, "runs": [RUN]}
TEXT = json.dumps(PLAN, indent=1)
SIMPLE = json.dumps(PLAN | {"runs": [RUN | {"change": "Set d_sae to 1024."}]}, indent=1)


def refusal(text: str, form=Plan) -> str:
    with pytest.raises(BadAnswer) as caught:
        parse(text, form)
    return str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```\n",
        f"```json\n{TEXT}\n",
        f"I take {{f1}} first.\n\n```json\n{TEXT}\n```\n\nThis uses ```python\nd = {{'a': f(1)}}\n``` as it is.",
        f'Here: {TEXT} (with {{"metric": 1}})',
        f"{TEXT}\n\nOnce more:\n\n{TEXT}",
        json.dumps(PLAN).replace("\\n", "\n"),
        TEXT.replace("]", ",]").replace("}", ",}", 1),
        TEXT.replace('"comparison"', "// what is compared\n comparison"),
        TEXT.replace('"it helps"', "'it helps'"),
    ],
    ids=range(11),
)
def test_a_plan_whose_texts_quote_code_is_taken_as_it_is(answer: str):
    assert parse(answer, Plan).model_dump(mode="json", exclude_none=True) == PLAN


def test_an_object_in_pythons_spelling_is_taken():
    answer = parse("{'interpretation': \"it's so\", 'completed': True}", Reflection)

    assert answer == Reflection(interpretation="it's so", completed=True)


@pytest.mark.parametrize(
    "answer, words",
    [
        (TEXT.replace('"label": "tiers"', f'"label": "{"x" * 41}"'), "runs.0.label: at most 40 letters"),
        (TEXT.replace('"label": "tiers"', '"label": 3'), "runs.0.label: give a text in quotation marks"),
        (TEXT.replace('"label": "tiers",', ""), "runs.0.label: is missing; add it"),
        (TEXT.replace('"label"', '"title"'), "runs.0.title: is not asked for; leave it out"),
        (TEXT.replace('"label": "tiers",', '"label": "a", "label": "b",'), "label: is given twice in one object"),
        (SIMPLE.replace("1024", 'the "1024"'), "runs.0.change: a comma is missing, or a quotation mark inside a text"),
        (SIMPLE.replace("d_sae", "\\alpha"), "runs.0.change: a backslash inside a text is written \\\\"),
        (SIMPLE.replace('"f1",', '"f1"'), "comparison.metric: a comma is missing"),
        (SIMPLE[: SIMPLE.index("helps")], "the answer ends inside runs.0.hypothesis: it was cut"),
        (f"```json\n{SIMPLE[:200]}", "it was cut"),
        (f"{SIMPLE}\nOr rather:\n{SIMPLE[:-30]}", "it was cut"),
        (f"{SIMPLE}\n{SIMPLE.replace('1024', '2048')}", "the answer holds 2 different objects"),
        (f"No. {UNFINISHED}", "the answer ends inside its thinking"),
        ("I plan nothing.", "no valid JSON object in the answer"),
        ("[1, 2]", "no valid JSON object in the answer"),
    ],
)
def test_a_refusal_names_field_and_rule(answer: str, words: str):
    said = refusal(answer)

    assert words in said
    assert not any(
        parser in said for parser in ("Unterminated", "Expecting", "column", "char ", "Input should", "<string>")
    )


def test_a_number_and_a_list_are_refused_in_plain_words():
    said = refusal('{"interpretation": "so", "completed": "yes", "runs": 3, "no_confirmation": null}', Reflection)

    assert "completed: give true or false" in said
    assert "runs: give a list in [ ]" in said


def test_the_form_goes_to_the_model_that_is_asked_and_not_into_the_record(tmp_path):
    model = ScriptedModel(['{"interpretation": "so", "completed": true}'])
    calls = RecordedCalls(model, tmp_path, lambda record: None, lambda *ahead: None)

    ask_json(calls.ask, "run-1.reflect", "planner", [Message("user", "q")], Reflection)

    assert model.history[0][0].form is Reflection
    assert "interpretation" not in (tmp_path / "run-1.reflect.1.json").read_text().split('"reply"')[0]


def test_a_refused_answer_is_asked_for_again_with_the_rule():
    asked: list[list[Message]] = []

    def ask(step, role, messages):
        assert isinstance(messages, Conversation) and messages.form is MetaWords
        asked.append(messages)
        return Reply(
            '{"summary": "' if len(asked) == 1 else '{"summary": "s", "agreed": [], "disputed": [], "advice": []}', "m"
        )

    assert ask_json(ask, "review.meta", "reviewer", [Message("user", "q")], MetaWords).summary == "s"
    assert "the answer ends inside summary: it was cut" in asked[1][-1].content
