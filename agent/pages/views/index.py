"""The rows of the table of all sessions. Sessions that continue one another stand together, as a chain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from agent.core.chains import in_chains
from agent.pages.reading import Seen
from agent.pages.views.words import ago, compact, iso, money
from agent.session.session import Session, missing_pdf, stage
from paper.evidence.facts import Facts


@dataclass(frozen=True)
class IndexRow:
    """One session. All fields are texts of the table, except `good`, and `usd` and `stamp`, by which it is sorted."""

    name: str
    title: str
    place: str  # among the sessions on its idea, e.g. "2 of 3"; "" for the only one
    after: str  # the session that it continues; "" where it continues none, or one that is not here
    chain: str  # on the newest session of a chain, runs and cost of the whole chain; "" on others
    state: str  # "running", "stopped", "done", "no PDF", "unreadable"
    stage: str
    runs: str
    best: str
    baseline: str
    verdict: str
    good: bool | None  # whether the confirmation is an improvement; None where it is neither good nor bad
    cost: str
    usd: float
    tokens: str
    age: str
    at: str
    stamp: float
    problem: str = ""


def index_rows(sessions: list[Seen], now: float) -> tuple[IndexRow, ...]:
    """The rows, newest first. `now` is the time of the calendar in seconds, for the ages."""
    ideas = Counter(seen.session.idea.Name for seen in sessions if seen.session)
    met: Counter[str] = Counter()
    rows = dict[str, IndexRow]()
    for seen in sessions:
        if seen.session is None:
            rows[seen.name] = _unread(seen)
            continue
        idea = seen.session.idea.Name
        met[idea] += 1
        rows[seen.name] = _row(seen, seen.session, f"{met[idea]} of {ideas[idea]}" if ideas[idea] > 1 else "", now)
    found = {seen.name: seen.session for seen in sessions if seen.session}
    chains = in_chains(list(rows), {name: session.options.after or "" for name, session in found.items()})
    for chain in (chain for chain in chains if chain[1:]):
        for name in chain:
            before = found[name].options.after or ""
            rows[name] = replace(rows[name], after=before if before in rows else "")
        rows[chain[-1]] = replace(rows[chain[-1]], chain=_together([found[name] for name in chain]))
    return tuple(rows[name] for chain in reversed(chains) for name in reversed(chain))


def _together(chain: list[Session]) -> str:
    """A chain of sessions in words: how many, with how many measured runs, at what cost."""
    measured = sum(run.phase == "measured" for session in chain for run in session.experiments)
    cost = money(sum(session.usd for session in chain), sum(session.unpriced_calls for session in chain))
    return f"chain of {len(chain)} sessions: {measured} runs measured, {cost}"


def state_of(session: Session, running: bool) -> str:
    """The state of a session in a word or two, the same that `--status` prints."""
    if session.finished:
        return "no PDF" if missing_pdf(session) else "done"
    return "running" if running else "stopped"


def verdict_of(facts: Facts | None) -> tuple[str, bool | None]:
    """The confirmation in two words, and whether that is good; None where it is neither good nor bad."""
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
        place=place,
        after="",
        chain="",
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
        place="",
        after="",
        chain="",
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
