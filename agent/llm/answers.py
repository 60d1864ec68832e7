"""Asks a model for a JSON object of a given form. If the answer is wrong, the model is told why and asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agent.core.errors import InfrastructureError
from agent.core.exchange import Conversation, Message, Pictures, Role, no_pictures
from agent.core.protocols import Ask
from agent.llm.in_words import faults
from agent.llm.json_objects import objects
from agent.llm.prompting import render
from agent.llm.thinking import UNFINISHED

Answer = TypeVar("Answer", bound=BaseModel)
TRIES = 3
LONGEST = 60_000  # characters of an answer; a longer one is refused unread
QUOTED = 6_000  # characters of a refused answer that are sent back with the complaint


class NoUsableAnswer(InfrastructureError):
    """A model gave no answer of the requested form in TRIES tries. `complaint` is the last reason."""

    def __init__(self, step: str, role: Role, complaint: str) -> None:
        super().__init__(
            f"step {step}: the {role} gave no usable answer in {TRIES} tries ({complaint}); "
            f"resume to ask again, or choose another model with --{role} MODEL"
        )
        self.complaint = complaint


class BadAnswer(Exception):
    """An answer cannot be used; the text tells the model why."""


def parse(text: str, form: type[Answer]) -> Answer:
    """The one JSON object of this form in a reply. Other text around it does not matter.

    Raises:
        BadAnswer: there is none, there are several different ones, or the reply is too long or was cut. The text names
            the first three faults by field and rule.
    """
    if len(text) > LONGEST:
        raise BadAnswer(f"the answer has {len(text)} characters, at most {LONGEST} are read; be brief")
    if text.endswith(UNFINISHED):
        raise BadAnswer("the answer ends inside its thinking: it was cut; think more briefly")
    found, broken = objects(text)
    answers: list[Answer] = []
    complaint = ""
    for value in found:
        try:
            answer = form.model_validate_json(json.dumps(value))
            answers += [answer] * (answer not in answers)
        except ValidationError as error:
            complaint = faults(error)
    if broken and (not answers or "was cut" in broken):
        raise BadAnswer(broken)
    if len(answers) > 1:
        raise BadAnswer(f"the answer holds {len(answers)} different objects; send the one that counts alone")
    if not answers:
        raise BadAnswer(complaint or "no valid JSON object in the answer; it has to be one object in a json fence")
    return answers[0]


def head_and_tail(text: str, limit: int) -> str:
    """The text; if it has more than `limit` characters, its head and tail with the number of those left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def ask_json(
    ask: Ask,
    step: str,
    role: Role,
    messages: list[Message],
    form: type[Answer],
    accept: Callable[[Answer], str | None] = lambda answer: None,
    pictures: Pictures = no_pictures,
) -> Answer:
    """Ask until the answer has the form and `accept` has no complaint.

    `accept` returns what is wrong with an answer, for the model, or None or "" if nothing is.

    Raises:
        NoUsableAnswer: the model gave no such answer in TRIES tries. A resume asks again.
    """
    fresh = 0
    while fresh < TRIES:  # recorded answers do not count, so a resume after a failure has all its tries again
        reply = ask(step, role, Conversation(messages, form, pictures))
        fresh += not reply.recorded
        try:
            answer = parse(reply.text, form)
            complaint = accept(answer) or ""
        except BadAnswer as bad:
            complaint = str(bad)
        if not complaint:
            return answer
        complaint = head_and_tail(complaint, QUOTED)
        reply.refuse(complaint)
        messages = [
            *messages,
            Message("assistant", head_and_tail(reply.text, QUOTED)),
            Message("user", render("answer_again", complaint=complaint)),
        ]
    raise NoUsableAnswer(step, role, " ".join(complaint.split())[:300])
