"""Where a session stands: what its log says, and what holds at this moment.

Not here: how it is shown (status.py), and what is remembered of many (standings.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.lab.jobs.slurm.paths import is_out
from agent.session.session import missing_pdf, stage
from agent.storage.locks import is_locked
from agent.storage.workspace import read_session

OPEN = "open"  # not ended


@dataclass(frozen=True)
class Standing:
    """Where a session stands, as --json prints it."""

    session: str
    folder: str
    state: str  # running, training (stopped, but a training goes on), stopped, done, no-pdf, empty or unreadable
    stage: str = ""
    idea: str = ""
    title: str = ""
    runs: int = 0  # at most
    measured: int = 0
    failed: int = 0
    tokens: int = 0
    tokens_cached: int = 0
    usd: float = 0.0
    usd_complete: bool = True  # false: the price of some calls is not known
    started_at: float = 0.0  # seconds since the epoch
    last_at: float = 0.0
    active_s: float = 0.0
    after: str = ""  # the session that it continues
    problem: str = ""  # why it is empty or unreadable


def standing(paths: SessionPaths) -> Standing:
    """Where one session stands; a log that cannot be read is a state like others."""
    return now(paths, *of_log(paths))


def of_log(paths: SessionPaths) -> tuple[Standing, tuple[str, ...]]:
    """What a session's log says, and the folders of its attempts under way: as long as the log stays the same.

    The state of one that has not ended is OPEN: whether somebody works on it, the log does not say (`now`).
    """
    name, folder = paths.root.name, str(paths.root)
    try:
        session = read_session(paths)
    except UserError as error:
        return Standing(name, folder, "empty", problem=str(error)), ()
    except InfrastructureError as error:
        problem = str(error).partition(paths.events.name)[2].strip(":, ")
        return Standing(name, folder, "unreadable", problem=problem), ()
    attempts = tuple(str(paths.attempt(run.run, run.attempt, run.restarts)) for run in session.under_way)
    stood = Standing(
        session=name,
        folder=folder,
        state=OPEN if not session.finished else "no-pdf" if missing_pdf(session) else "done",
        stage=stage(session),
        idea=session.idea.Name,
        title=session.idea.Title,
        runs=session.options.runs,
        measured=sum(1 for run in session.experiments if run.phase == "measured"),
        failed=sum(1 for run in session.experiments if run.phase == "failed"),
        tokens=session.tokens,
        tokens_cached=session.tokens_cached,
        usd=round(session.usd, 6),
        usd_complete=not session.unpriced_calls,
        started_at=session.started_at,
        last_at=session.last_at,
        active_s=session.active_s,
        after=session.options.after or "",
    )
    return stood, attempts


def now(paths: SessionPaths, stood: Standing, attempts: Sequence[str]) -> Standing:
    """The same, with what holds at this moment: whether somebody works on it, or its training goes on."""
    if stood.state != OPEN:
        return stood
    if is_locked(paths.lock):
        return replace(stood, state="running")
    return replace(stood, state="training" if any(is_out(Path(attempt)) for attempt in attempts) else "stopped")
