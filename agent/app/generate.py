"""The command generate-ideas: asks the planner for ideas for a template that differ from the known ones.

They are written to a file that a person can edit before a session plays one of them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from agent.app.bounds import Spent
from agent.app.exits import DONE
from agent.app.names import adapter, named_template
from agent.app.one_model import model_for
from agent.app.wording import compact
from agent.core.exchange import Message
from agent.core.ideas import Idea, all_ideas
from agent.core.manifest import Profile
from agent.core.options import DEFAULT_TEMPLATE
from agent.core.program import TYPED, Places
from agent.core.protocols import Ask
from agent.core.schema import Strict
from agent.core.template import Template, joined
from agent.llm.answers import ask_json
from agent.llm.calls import RecordedCalls
from agent.llm.prompting import render
from agent.storage.atomic import write_text
from agent.storage.workspace import Workspace

SHOWN_PAPERS = 40  # of the library, in the prompt
ROUNDS = 3  # answers about one idea: the proposal and two reflections
SAME = 0.6  # share of common words above which two ideas count as the same
_WORD = re.compile(r"[a-z0-9]+")
_COMMON = frozenset(_WORD.findall("a an and are as at be by do does for from in is it its of on or that the to with"))

Score = Annotated[float, Field(ge=1, le=10)]


class NewIdea(Strict):
    """An idea in the form of the idea files; the model that proposes it also gives the scores."""

    Name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
    Title: Annotated[str, StringConstraints(min_length=10, max_length=200)]
    Experiment: Annotated[str, StringConstraints(min_length=40)]
    Interestingness: Score
    Feasibility: Score
    Novelty: Score


class Proposal(Strict):
    """The planner's answer; `done`: a further reflection would not improve the idea."""

    thought: str
    idea: NewIdea
    done: bool


def generate(args: argparse.Namespace, places: Places, workspace: Workspace) -> int:
    """Asks for ideas one after another, and writes each to the file before it asks for the next.

    Raises:
        UserError: the template or the model cannot be used.
        InfrastructureError: no answer could be used; the ideas before it are in the file.
        BudgetSpent: a bound is reached; likewise.
    """
    adapt = adapter(workspace.root, walls=not args.unsafe_no_sandbox)
    template = named_template(args.template or DEFAULT_TEMPLATE, places, adapt)
    model = model_for(args, "planner", "--generate-ideas")
    folder = workspace.root / "ideas" / f"{datetime.now():%Y%m%d_%H%M%S}_{template.manifest.name}"
    folder.mkdir(parents=True, exist_ok=True)
    spent = Spent(args.max_usd, args.max_tokens)
    calls = RecordedCalls(model, folder / "calls", spent.add, spent.check)
    known, complaints = all_ideas(*places.under("ideas"))
    for complaint in complaints:
        print(f"not read: {complaint}")
    file, found = folder / "ideas.json", list[Idea]()
    try:
        for idea in _ideas(args.operand, calls, template, known):
            found.append(idea)
            data = [i.model_dump(exclude_none=True) for i in ranked(found)]
            write_text(file, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
            print(f"{len(found)}. {idea.Name}: {idea.Title}", flush=True)
    finally:
        print(f"\n{compact(spent.tokens)} tokens, {spent.cost}")
        if found:
            print(
                f"Best first in {file}; the scores are the model's own. Edit the file as you like, then:\n"
                f"  {TYPED} --idea {file}:{ranked(found)[0].Name}",
                flush=True,
            )
    return DONE


def _ideas(wanted: int, calls: RecordedCalls, template: Template, known: list[Idea]) -> Iterator[Idea]:
    profile = template.manifest.profiles[template.manifest.default_profile]
    code = joined({name: template.path(name).read_text(encoding="utf-8") for name in template.manifest.editable})
    papers, known = _papers(template), list(known)
    for number in range(1, wanted + 1):
        known.append(propose(calls.ask, number, template, profile, code, known, papers))
        yield known[-1]


def _papers(template: Template) -> list[str]:
    from agent.literature.library import load_library

    question = f"{template.manifest.question} {template.manifest.about}"
    return [f"{entry.title} ({entry.year})" for entry in load_library().search(question, SHOWN_PAPERS)]


# ---------------------------------------------------------------- one idea


def propose(
    ask: Ask, number: int, template: Template, profile: Profile, code: str, known: Sequence[Idea], papers: Sequence[str]
) -> Idea:
    """One idea that is none of `known`, after at most ROUNDS answers.

    `code` is the template's editable code, `papers` titles with years; both are shown to the planner.

    Raises:
        InfrastructureError: the model gave no usable answer.
        BudgetSpent: from `ask`.
    """
    step = f"idea-{number}"
    prompt = render("propose_idea", manifest=template.manifest, profile=profile, code=code, ideas=known, papers=papers)
    messages = [Message("system", render("system_planner")), Message("user", prompt)]
    for round_ in range(1, ROUNDS + 1):
        answer = ask_json(ask, step, "planner", messages, Proposal, accept=lambda a: _known(a.idea, known))
        if answer.done or round_ == ROUNDS:
            break
        messages = [
            *messages,
            Message("assistant", f"```json\n{answer.model_dump_json()}\n```"),
            Message("user", render("reflect_idea", round=round_ + 1, rounds=ROUNDS)),
        ]
    return Idea.model_validate(answer.idea.model_dump())


def likeness(one: Idea | NewIdea, other: Idea | NewIdea) -> float:
    """Share of the words of title and experiment that two ideas have in common, 0..1 (Jaccard)."""
    a, b = _words(one), _words(other)
    return len(a & b) / len(a | b) if a | b else 1.0


def ranked(ideas: Sequence[Idea]) -> list[Idea]:
    """Best first, by the mean of the scores that they have."""

    def score(idea: Idea) -> float:
        given = [s for s in (idea.Interestingness, idea.Feasibility, idea.Novelty) if s is not None]
        return sum(given) / len(given) if given else 0.0

    return sorted(ideas, key=score, reverse=True)


def _known(idea: NewIdea, known: Sequence[Idea]) -> str | None:
    """Why an idea is refused as a known one, in words for the planner; None if it is new."""
    for other in known:
        if other.Name == idea.Name:
            return f"the name {idea.Name!r} is taken; if the idea is another one, give it another name"
        if likeness(idea, other) > SAME:
            return f"this is the idea {other.Name!r} ({other.Title}) in other words; propose a different one"
    return None


def _words(idea: Idea | NewIdea) -> set[str]:
    return set(_WORD.findall(f"{idea.Title} {idea.Experiment}".lower())) - _COMMON
