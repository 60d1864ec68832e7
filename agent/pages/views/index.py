"""All sessions of a workspace, one row each; sessions on one idea are a chain, oldest first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agent.pages.reading import Seen
from agent.pages.views.words import ago, compact, iso, money
from agent.session.session import Session, missing_pdf, stage
from paper.evidence.facts import Facts


@dataclass(frozen=True)
class IndexRow:
    name: str
    title: str
    idea: str
    place: str  # in its chain, e.g. "2 of 3"; "" for the only one
    state: str  # "running", "stopped", "done", "no PDF", "unreadable"
    stage: str
    runs: str
    best: str
    baseline: str
    verdict: str
    good: bool | None
    cost: str
    usd: float
    tokens: str
    age: str
    at: str
    stamp: float
    problem: str = ""


def index_rows(sessions: list[Seen], now: float) -> tuple[IndexRow, ...]:
    """Newest first."""
    chains = Counter(seen.session.idea.Name for seen in sessions if seen.session)
    met: Counter[str] = Counter()
    rows = []
    for seen in sessions:
        if seen.session is None:
            rows.append(_unread(seen))
            continue
        idea = seen.session.idea.Name
        met[idea] += 1
        rows.append(_row(seen, seen.session, f"{met[idea]} of {chains[idea]}" if chains[idea] > 1 else "", now))
    return tuple(reversed(rows))


def state_of(session: Session, running: bool) -> str:
    """In a word or two, as the other commands say it."""
    if session.finished:
        return "no PDF" if missing_pdf(session) else "done"
    return "running" if running else "stopped"


def verdict_of(facts: Facts | None) -> tuple[str, bool | None]:
    """The confirmation in two words, and whether it is an improvement."""
    found = facts.confirmed if facts else None
    if found is None:
        return "", None
    words = {
        "improvement": ("improvement", True),
        "price": ("ahead at a price", None),
        "worse": ("worse", False),
        "inconclusive": ("inconclusive", None),
    }
    return words[found.verdict]


def _row(seen: Seen, session: Session, place: str, now: float) -> IndexRow:
    measured = sum(run.phase == "measured" for run in session.experiments)
    failed = sum(run.phase == "failed" for run in session.experiments)
    verdict, good = verdict_of(seen.facts)
    return IndexRow(
        name=seen.name,
        title=session.idea.Title,
        idea=session.idea.Name,
        place=place,
        state=state_of(session, seen.running),
        stage=stage(session),
        runs=f"{measured} of {session.options.runs}" + (f", {failed} failed" if failed else ""),
        best=_best(seen.facts, "experiment"),
        baseline=_best(seen.facts, "baseline"),
        verdict=verdict,
        good=good,
        cost=money(session.usd, session.unpriced_calls),
        usd=session.usd,
        tokens=compact(session.tokens),
        age=ago(now - session.started_at),
        at=iso(session.started_at),
        stamp=session.started_at,
    )


def _best(facts: Facts | None, kind: str) -> str:
    """Label and primary metric of the best run of a kind; "" where none was measured."""
    pool = [r for r in facts.measured if r.kind == kind] if facts else []
    if facts is None or not pool:
        return ""
    best, metric = facts.best_of(pool), facts.manifest.primary
    if len(best.conditions) > 1:
        return best.label
    value = facts.series(best.name, metric).quantity(facts.unit(metric)).text()
    return f"{best.label}: {facts.spec(metric).label} {value}"


def _unread(seen: Seen) -> IndexRow:
    return IndexRow(
        name=seen.name,
        title=seen.name,
        idea="",
        place="",
        state="unreadable",
        stage="",
        runs="",
        best="",
        baseline="",
        verdict="",
        good=None,
        cost="",
        usd=0.0,
        tokens="",
        age="",
        at="",
        stamp=0.0,
        problem=seen.problem,
    )
