"""Is the idea known? The reviewer searches the literature and gives a verdict, in a bounded number of rounds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from agent.actions.literature import keep_found, say_searched, works_found
from agent.core.schema import Strict
from agent.core.works import Closest, Paper, Query
from agent.llm.answers import ask_json
from agent.llm.prompting import render
from agent.publishing.review.ensemble import to_reviewer
from agent.session.action import CheckNovelty
from agent.session.events import NoveltyChecked
from agent.session.policy import NOVELTY_ROUNDS
from agent.session.tools import Tools
from agent.storage.atomic import write_text


class NoveltyAnswer(Strict):
    """Either further queries, or a verdict with the closest works."""

    queries: tuple[Query, ...] = Field(default=(), max_length=4)
    verdict: Literal["novel", "incremental", "published"] | None = None
    closest: tuple[Closest, ...] = Field(default=(), max_length=6)
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""


def check_novelty(action: CheckNovelty, tools: Tools) -> NoveltyChecked:
    """Search, then let the reviewer decide or ask for another search. In the last round it has to decide.

    The key `novel` of the idea file is not read.
    """
    session = tools.session
    step = f"novelty.round-{action.round}"
    queries = session.novelty[-1].queries if session.novelty else (session.idea.Title[:200],)
    searched = tools.literature.search(step, queries)
    say_searched(searched, tools)
    shown = works_found(tools, [f"novelty.round-{n}" for n in range(1, action.round + 1)])
    left = NOVELTY_ROUNDS - action.round
    prompt = render("novelty", idea=session.idea, works=shown.values(), left=left)
    answer = ask_json(
        tools.ask,
        step,
        "reviewer",
        to_reviewer(prompt),
        NoveltyAnswer,
        accept=lambda answer: _complaint(answer, shown, left),
    )
    decided = answer.verdict is not None
    commit = _keep_verdict(answer, shown, step, tools) if decided else None
    return NoveltyChecked(
        at=tools.now,
        round=action.round,
        searched=queries,
        sources=searched.sources,
        queries=() if decided else answer.queries,
        verdict=answer.verdict,
        closest=answer.closest if decided else (),
        reason=answer.reason if decided else "",
        commit=commit,
    )


def _complaint(answer: NoveltyAnswer, shown: dict[str, Paper], left: int) -> str | None:
    if answer.verdict is None:
        if left == 0:
            return "no round is left: give a verdict with the closest works and the reason"
        return None if answer.queries else "give either queries or a verdict"
    unknown = [c.key for c in answer.closest if c.key not in shown]
    if unknown:
        return f"closest: {', '.join(unknown)}: not among the works shown; use their keys"
    if not answer.closest and (shown or answer.verdict == "published"):
        return "name the closest of the works shown, also of a novel idea"
    return None if answer.reason.strip() else "reason: say what the verdict rests on"


def _keep_verdict(answer: NoveltyAnswer, shown: dict[str, Paper], step: str, tools: Tools) -> str:
    """Commit the verdict with the works that it names, and print it; return the commit."""
    repo = tools.paths.repo
    write_text(repo / "novelty.json", answer.model_dump_json(indent=2, exclude={"queries"}) + "\n")
    files = ["novelty.json", *keep_found(answer.closest, shown, step, tools)]
    commit = tools.versions.commit(files, f"novelty: {answer.verdict}", {"Event": "novelty"})
    loud = (
        "This idea is published as it is; the session goes on, and its paper is told the works"
        if answer.verdict == "published"
        else f"Novelty: {answer.verdict}"
    )
    near = [f"    {' '.join(shown[c.key].title.split())} [{c.key}]" for c in answer.closest]
    tools.say("\n".join([f"{loud}; {'nearest works:' if near else 'no near work'}", *near]))
    return commit
