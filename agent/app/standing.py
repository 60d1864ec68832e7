"""Where sessions stand: what their logs say, and whether a process or a training works on them at this moment.

A workspace may hold a thousand sessions, of which few are running. So what a log says is cached until that log changes
(`standings`); the cache may be deleted at any time. Not here: how it is shown (status.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.core.record import Job
from agent.lab.jobs.slurm.paths import is_out
from agent.session.session import missing_pdf, stage
from agent.session.states import RunState
from agent.storage import foreign
from agent.storage.atomic import write_bytes
from agent.storage.foreign import Foreign
from agent.storage.locks import is_locked
from agent.storage.workspace import read_session

FILE = "standings.json"  # of the cache folder
OPEN = "open"  # state of a session that has not ended, before it is known whether a process works on it


@dataclass(frozen=True)
class Standing:
    """Where a session stands; `status --json` prints these fields."""

    session: str
    folder: str
    state: str  # running, training (stopped, but a training goes on), stopped, done, no-pdf, empty or unreadable
    stage: str = ""
    idea: str = ""
    title: str = ""
    runs: int = 0  # that it may make at most
    measured: int = 0
    failed: int = 0
    tokens: int = 0
    tokens_cached: int = 0
    usd: float = 0.0
    usd_complete: bool = True  # False: the price of some calls is not known
    started_at: float = 0.0  # seconds since the epoch
    last_at: float = 0.0
    active_s: float = 0.0  # seconds in which a process worked on it
    after: str = ""  # the session that it continues
    problem: str = ""  # why it is empty or unreadable


Seen = tuple[int, int, int]  # a log's inode, its size, and when it was written, in nanoseconds
Known = dict[str, tuple[Seen, Standing, tuple[str, ...]]]  # by session: its log, its standing, attempts under way
_KNOWN: TypeAdapter[Known] = TypeAdapter(Known)
_KEPT = (OPEN, "done", "no-pdf")  # an empty or unreadable session is read again: the cause may lie outside its log


def standing(paths: SessionPaths) -> Standing:
    """Where one session stands; a log that cannot be read gives the state "unreadable"."""
    return _now(paths, *_of_log(paths))


def standings(sessions: Sequence[SessionPaths], cache: Path) -> list[Standing]:
    """Where these sessions stand, in their order. If the cache cannot be written, every log is read each time."""
    before = _read(cache / FILE)
    after: Known = {}
    found = []
    for paths in sessions:
        name = paths.root.name
        seen = _seen(paths.events)
        known = before.get(name)
        if known and known[0] == seen and known[1].folder == str(paths.root):
            stood, attempts = known[1:]
        else:
            stood, attempts = _of_log(paths)
        if stood.state in _KEPT:
            after[name] = (seen, stood, attempts)
        found.append(_now(paths, stood, attempts))
    if after != before:
        with suppress(OSError):
            cache.mkdir(exist_ok=True)
            write_bytes(cache / FILE, _KNOWN.dump_json(after))
    return found


def job_under_way(paths: SessionPaths, run: RunState) -> Job | None:
    """The job of a run's newest attempt, or None if there is none yet or its file is not one that a runner writes."""
    folder = paths.attempt(run.run, run.attempt, run.restarts)
    name = (folder / "job.json").relative_to(paths.root).as_posix()
    try:
        job = Job.model_validate_json(foreign.read(paths.root.resolve(), name))
    except (Foreign, ValueError):
        return None
    return job.model_copy(update={"folder": str(folder)})


# ---------------------------------------------------------------- inside


def _of_log(paths: SessionPaths) -> tuple[Standing, tuple[str, ...]]:
    """What a session's log says, and the folders of its attempts that are under way.

    The state of a session that has not ended is OPEN, because its log does not say whether a process works on it.
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


def _now(paths: SessionPaths, stood: Standing, attempts: Sequence[str]) -> Standing:
    """The standing with the state of this moment: whether a process works on the session, or a training runs."""
    if stood.state != OPEN:
        return stood
    if is_locked(paths.lock):
        return replace(stood, state="running")
    return replace(stood, state="training" if any(is_out(Path(attempt)) for attempt in attempts) else "stopped")


def _seen(log: Path) -> Seen:
    try:
        there = os.stat(log)
    except OSError:
        return (0, 0, 0)
    return (there.st_ino, there.st_size, there.st_mtime_ns)


def _read(path: Path) -> Known:
    try:
        return _KNOWN.validate_json(path.read_bytes())
    except (OSError, ValidationError):  # there is none, or another version wrote it
        return {}
