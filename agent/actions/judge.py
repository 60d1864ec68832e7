"""The judge: the reviewer reads every told sentence (in the writer's own words) beside records, code and settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field, StringConstraints

from agent.core.reviews import Words
from agent.core.schema import Strict
from agent.core.writing import Refusal, RefusalKind
from agent.llm.answers import NoUsableAnswer, ask_json
from agent.llm.numbered import each_once
from agent.llm.prompting import render
from agent.publishing.manuscript import Manuscript
from agent.publishing.review import evidence
from agent.publishing.review.ensemble import to_reviewer
from agent.session.action import JudgeSentences
from agent.session.events import SentencesJudged
from agent.session.tools import Tools
from paper.evidence.few import few
from paper.press import tables
from paper.truth.told import Passage, Told, to_judge

MAX_CHARACTERS = 240_000  # of the passages in one call; a longer paper needs several calls


class Refused(Strict):
    """A numbered sentence that may not stand, and why."""

    n: int
    kind: RefusalKind
    why: Annotated[str, StringConstraints(min_length=1, max_length=800, strip_whitespace=True)]


class JudgeAnswer(Strict):
    """The judge's answer: every number is in one of the two lists."""

    checked: Words  # what was compared with what
    accepted: Annotated[str, StringConstraints(max_length=4000)]  # "1-7, 9, 12-30"
    refused: Annotated[tuple[Refused, ...], Field(max_length=400)]


def judge_sentences(action: JudgeSentences, tools: Tools) -> SentencesJudged:
    """The reviewer judges every told sentence that has no verdict yet.

    Without a usable answer these get a mark in print.
    """
    manuscript = Manuscript(tools)
    found = manuscript.passages
    waiting = to_judge(found, manuscript.verdicts)
    judge = tools.session.options.models.reviewer
    judged: list[str] = []
    refused: list[Refusal] = []
    failed = ""
    for part, chosen in enumerate(_parts(found, waiting), start=1):
        numbered = {told.name: n for n, told in enumerate((t for t in waiting if t.name in chosen), start=1)}
        step = f"judge.round-{action.round}" + (f".part-{part}" if part > 1 else "")
        prompt = render("judge", passages=shown(found, numbered), **material(manuscript, tools))
        try:
            answer = ask_json(
                tools.ask,
                step,
                "reviewer",
                to_reviewer(prompt),
                JudgeAnswer,
                accept=partial(complaint, count=len(numbered)),
            )
        except NoUsableAnswer as why:
            failed = why.complaint
            tools.say(f"Judge: no usable answer ({failed}); {len(numbered)} sentences print with a mark")
            continue
        judge = tools.session.answered_by(step) or judge
        by_number = {n: told for told in waiting if (n := numbered.get(told.name))}
        judged += [told.name for told in by_number.values()]
        refused += [refusal(by_number[r.n], r) for r in answer.refused]
    if judged:
        tools.say(f"Judge: {len(judged)} told sentences, {len(refused)} refused")
    for one in refused:
        tools.say(f"  {one.kind}, {one.section}: {one.why}")
    return SentencesJudged(
        at=tools.now, round=action.round, model=judge, judged=tuple(judged), refused=tuple(refused), failed=failed
    )


def refusal(told: Told, given: Refused) -> Refusal:
    return Refusal(name=told.name, section=told.section, sentence=told.source, kind=given.kind, why=given.why)


def material(manuscript: Manuscript, tools: Tools) -> dict[str, object]:
    """What the judge compares with."""
    return {
        "idea": tools.session.idea,
        "manifest": tools.template.manifest,
        "plan": tools.session.plan,
        "evidence": evidence.gather(tools),
        "order": evidence.order(few(manuscript.facts), manuscript.facts),
        "described": manuscript.facts.described,
        "code": manuscript.source,
        "figures": manuscript.figures,
        "tables": tables.names(manuscript.facts),
    }


def complaint(answer: JudgeAnswer, count: int) -> str | None:
    """What is wrong with an answer that should name each of the numbers 1 to `count` once; None if it does."""
    return each_once(answer.accepted, [r.n for r in answer.refused], count)


def _parts(found: Sequence[Passage], waiting: Sequence[Told]) -> Iterator[set[str]]:
    """The names of the sentences to judge in each call. Nearly always there is one call."""
    names = {told.name for told in waiting}
    part: set[str] = set()
    size = 0
    for passage in found:
        mine = {t.name for t in passage.sentences} & names
        length = sum(len(t.text) for t in passage.sentences)
        if mine and part and size + length > MAX_CHARACTERS:
            yield part
            part, size = set(), 0
        part |= mine
        size += length if mine else 0
    if part:
        yield part


def shown(found: Sequence[Passage], numbered: dict[str, int]) -> list[tuple[Passage, list[tuple[int | None, Told]]]]:
    """The passages with something to judge, each sentence with its number or without one."""
    shown = [(p, [(numbered.get(t.name), t) for t in p.sentences]) for p in found]
    return [(p, sentences) for p, sentences in shown if any(n for n, _ in sentences)]
