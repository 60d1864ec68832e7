"""What should the paper cite, and does a cited work support its sentence? Each is asked in a bounded number of rounds.

Whether the idea is known is asked in novelty.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from agent.core.schema import Strict
from agent.core.works import Chosen, Closest, Missing, Paper, Searched
from agent.core.writing import WRITING_ORDER, Unsupported
from agent.literature.found import FILE as FOUND
from agent.literature.found import FoundWork
from agent.llm.answers import ask_json
from agent.llm.numbered import each_once
from agent.llm.prompting import render
from agent.publishing import digest
from agent.publishing.manuscript import Manuscript
from agent.publishing.review.ensemble import to_reviewer
from agent.session.action import CheckSupport, ChooseCitations, SeekCitations
from agent.session.events import CitationsChosen, CitationsSought, SupportChecked
from agent.session.policy import CITATION_ROUNDS
from agent.session.tools import Tools
from agent.storage.atomic import write_text

CITABLE = tuple(name for name in WRITING_ORDER if name != "title")


# ---------------------------------------------------------------- citations


def seek_citations(action: SeekCitations, tools: Tools) -> CitationsSought:
    """The writer says what the paper should cite and is not offered, and that is searched for."""
    manuscript = Manuscript(tools)
    step = f"citations.round-{action.round}.missing"
    refused = tuple(r for event in tools.session.chosen for r in event.refused)
    prompt = render(
        "citations_missing",
        idea=tools.session.idea,
        manifest=tools.template.manifest,
        runs=digest.runs(tools.session, manuscript.facts),
        described=manuscript.facts.described,
        offered=manuscript.offered(),
        refused=refused,
        left=CITATION_ROUNDS - action.round,
    )
    answer = ask_json(tools.ask, step, "writer", to_reviewer(prompt), MissingAnswer)
    if not answer.missing:
        tools.say(f"Citations, round {action.round}: nothing is missing")
        return CitationsSought(at=tools.now, round=action.round, missing=(), sources=())
    searched = tools.literature.search(_search_step(action.round), [m.query for m in answer.missing])
    say_searched(searched, tools)
    return CitationsSought(at=tools.now, round=action.round, missing=answer.missing, sources=searched.sources)


def choose_citations(action: ChooseCitations, tools: Tools) -> CitationsChosen:
    """The writer chooses which of the works found are cited, where and why.

    A work that no search returned is refused.
    """
    session = tools.session
    step = f"citations.round-{action.round}.choose"
    shown = works_found(tools, [_search_step(action.round)])
    prompt = render(
        "citations_choose",
        idea=session.idea,
        missing=session.sought[-1].missing,
        works=shown.values(),
        sections=CITABLE,
    )
    answer = ask_json(tools.ask, step, "writer", to_reviewer(prompt), ChosenAnswer)
    chosen, refused = _sifted(answer.chosen, shown, session.to_cite)
    files = keep_found(chosen, shown, step, tools)
    for choice in chosen:
        tools.say(f"  cite [{choice.key}] in {choice.section}: {choice.reason}")
    for key, why in refused:
        tools.say(f"  refused [{key}]: {why}")
    trailers = {"Event": "citations", "Round": str(action.round)}
    commit = (
        tools.versions.commit(files, f"citations, round {action.round}: {len(chosen)} chosen", trailers)
        if files
        else tools.versions.head()
    )
    return CitationsChosen(at=tools.now, round=action.round, chosen=chosen, refused=refused, commit=commit)


def _sifted(
    wanted: Iterable[Chosen], shown: dict[str, Paper], before: tuple[Chosen, ...]
) -> tuple[tuple[Chosen, ...], tuple[tuple[str, str], ...]]:
    """The choices that can be taken, and the refused ones as (key, reason)."""
    taken = {(c.key, c.section) for c in before}
    chosen, refused = [], []
    for choice in wanted:
        if choice.key not in shown:
            refused.append((choice.key, "no search returned it"))
        elif choice.section not in CITABLE:
            refused.append((choice.key, f"there is no section {choice.section!r} that cites"))
        elif (choice.key, choice.section) in taken:
            refused.append((choice.key, f"chosen for {choice.section} already"))
        else:
            taken.add((choice.key, choice.section))
            chosen.append(choice)
    return tuple(chosen), tuple(refused)


# ---------------------------------------------------------------- support


def check_support(action: CheckSupport, tools: Tools) -> SupportChecked:
    """The reviewer compares each new pair of cited sentence and work with the work's abstract or summary."""
    manuscript = Manuscript(tools)
    judged = {name for event in tools.session.support for name in event.judged}
    pairs = [p for p in manuscript.cited if p.name not in judged]
    refused: tuple[NotCarried, ...] = ()
    if pairs:
        works = manuscript.library.entries(dict.fromkeys(p.key for p in pairs))
        answer = ask_json(
            tools.ask,
            f"support.round-{action.round}",
            "reviewer",
            to_reviewer(render("support", pairs=pairs, works=works)),
            SupportAnswer,
            accept=lambda answer: each_once(answer.accepted, [r.n for r in answer.refused], len(pairs)),
        )
        refused = answer.refused
        tools.say(f"Citations: {len(pairs)} compared with what they cite, {len(refused)} not carried by it")
    unsupported = tuple(
        Unsupported(section=pair.section, sentence=pair.sentence, key=pair.key, why=found.why)
        for found in refused
        for pair in (pairs[found.n - 1],)
    )
    for one in unsupported:
        tools.say(f"  [{one.key}] in {one.section}: {one.why}")
    judged_now = tuple(pair.name for pair in pairs)
    return SupportChecked(at=tools.now, round=action.round, judged=judged_now, unsupported=unsupported)


# ---------------------------------------------------------------- shared


def say_searched(searched: Searched, tools: Tools) -> None:
    """Print each query with the source that answered it."""
    for query, source in zip(searched.queries, searched.sources, strict=True):
        tools.say(f"Literature: searched {'the shipped library' if source == 'library' else source}: {query}")


def works_found(tools: Tools, steps: Iterable[str]) -> dict[str, Paper]:
    """The works that the searches of these steps found, by key. The searches were made before, and are read back."""
    return {p.key: p for step in steps for p in tools.literature.search(step, ()).papers}


def _search_step(number: int) -> str:
    return f"citations.round-{number}"


def keep_found(chosen: Iterable[Chosen | Closest], shown: dict[str, Paper], step: str, tools: Tools) -> list[str]:
    """Add chosen works that a service returned to paper/found.json; return the names of the changed files."""
    manuscript = Manuscript(tools)
    works = [
        FoundWork(paper=shown[c.key], step=step, reason=c.reason if isinstance(c, Chosen) else c.why)
        for c in chosen
        if shown[c.key].source != "library"
    ]
    if not works:
        return []
    kept = manuscript.found.adding(works)
    write_text(tools.paths.repo / FOUND, kept.model_dump_json(indent=1) + "\n")
    return [FOUND]


class MissingAnswer(Strict):
    """What the paper should cite and does not. An empty list is a good answer."""

    missing: tuple[Missing, ...] = Field(default=(), max_length=4)


class ChosenAnswer(Strict):
    """The works that are to be cited."""

    chosen: tuple[Chosen, ...] = Field(default=(), max_length=8)


class NotCarried(Strict):
    """A numbered sentence that the cited work does not support."""

    n: int
    why: Annotated[str, StringConstraints(min_length=1, max_length=800, strip_whitespace=True)]


class SupportAnswer(Strict):
    """The reviewer's answer: every number is in one of the two lists."""

    accepted: Annotated[str, StringConstraints(max_length=4000)]  # "1-7, 9, 12-30"
    refused: Annotated[tuple[NotCarried, ...], Field(max_length=200)]
