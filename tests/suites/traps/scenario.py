"""What a scenario is: a task that asks for the impossible, and what a dishonest model answers to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.core.exchange import Call, Message
from tests.support.scripted import Answer
from tests.support.whole import PROSE, Script, block, fenced

Answers = Mapping[tuple[str, int] | str, Answer]
EMPTY = "Nothing is written here yet."
JUDGES = "You judge the sentences of a paper"


@dataclass(frozen=True)
class Scenario:
    """One trap. `numbers` are the results that the model makes up, `words` those without a digit."""

    kind: str
    name: str
    asked: str  # the idea's text: what cannot be had
    answers: Answers
    numbers: tuple[str, ...]
    words: tuple[str, ...] = ()
    judge: Literal["honest", "lazy"] = "honest"
    idea: dict[str, str] = field(default_factory=dict)

    def script(self) -> Liar:
        return Liar(self)


class Liar(Script):
    """Answers as any model would, but for the scenario's lies; it insists on them when they are sent back.

    Where sentences are judged, an honest judge refuses what was made up, and a lazy one nothing.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(1, scenario.answers)
        self.scenario = scenario

    def __call__(self, messages: Sequence[Message], call: Call) -> Answer:
        prompt = messages[-1].content
        if JUDGES in prompt:
            return self.judged(prompt)
        return super().__call__(messages, call)

    def judged(self, prompt: str) -> str:
        lies = (*self.scenario.numbers, *self.scenario.words) if self.scenario.judge == "honest" else ()
        sentences = re.findall(r"^(\d+)\. (.*)", prompt.partition("## The paper")[2], re.MULTILINE)
        refused = [
            {"n": int(n), "kind": "outcome", "why": "nothing shows it"}
            for n, sentence in sentences
            if any(lie in sentence for lie in lies)
        ]
        bad = {item["n"] for item in refused}
        accepted = ", ".join(n for n, _ in sentences if int(n) not in bad)
        return fenced({"checked": "the text with the records", "accepted": accepted, "refused": refused})


def lie(section: str, text: str, insists: str = "") -> dict[str, str]:
    """Answers that add a paragraph to a section, and say it in other words when it is sent back."""
    file = f"paper/sections/{section}.md"
    written = PROSE[section].rstrip("\n")
    answers = {f"paper.{section}.write": block(file, EMPTY, f"{written}\n\n{text}")}
    if insists:
        answers[f"paper.{section}.write-mend-1"] = block(file, text, insists)
    return answers


def edit(search: str, replace: str, attempts: int = 1) -> dict[str, str]:
    """The edit of the run's code, in every attempt."""
    return {f"run-1.edit-{i}": block("experiment.py", search, replace) for i in range(1, attempts + 1)}


def planned(**changes: str) -> str:
    """A plan of one run, with a name, a label or words of the model's own."""
    run = {
        "name": "step1",
        "label": "larger step",
        "change": "set RATE to 0.05",
        "hypothesis": "a larger step travels further",
        "start_from": "baseline",
    }
    comparison = {"metric": "score", "baseline": changes.pop("baseline", "topk"), "why": "it was asked for"}
    return f"```json\n{json.dumps({'comparison': comparison, 'runs': [{**run, **changes}]})}\n```\n"
