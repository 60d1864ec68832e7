"""The command status: every session of a workspace, from its log alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agent.app.tables import add, show, show_json, table
from agent.app.wording import compact
from agent.core.chains import in_chains
from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.core.visible import line
from agent.lab.jobs.slurm.paths import is_out
from agent.session.session import Session, missing_pdf, stage
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace, read_session

IN_WORDS = {"no-pdf": "no PDF", "training": "stopped, a training goes on"}


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


def show_status(workspace: Workspace, *, as_json: bool = False) -> int:
    sessions, closed = workspace.sessions(), workspace.closed()
    found = [standing(paths) for paths in sessions]
    if closed:
        print(line(f"not shown, for this user may not read them: {', '.join(closed)}"), file=sys.stderr)
    if as_json:
        show_json({"workspace": str(workspace.root), "sessions": [asdict(one) for one in found]})
        return 0
    if not found:
        print(f"no sessions in {workspace.root} yet")
        return 0
    shown = table("session", "state", "stage", "runs", "tokens", "cost")
    shown.columns[0].min_width = max(len(one.session) for one in found)  # a name is there to be copied
    by_name = {one.session: one for one in found}
    for chain in in_chains(list(by_name), {one.session: one.after for one in found}):
        for one in (by_name[name] for name in chain):
            add(shown, *_row(one))
        if chain[1:]:
            add(shown, *_sum([by_name[name] for name in chain]))
    show(shown)
    return 0


def standing(paths: SessionPaths) -> Standing:
    """Where one session stands; a log that cannot be read is a state like others."""
    name, folder = paths.root.name, str(paths.root)
    try:
        session = read_session(paths)
    except UserError as error:
        return Standing(name, folder, "empty", problem=str(error))
    except InfrastructureError as error:
        return Standing(name, folder, "unreadable", problem=str(error).partition(paths.events.name)[2].strip(":, "))
    return Standing(
        session=name,
        folder=folder,
        state=_state(paths, session),
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


def _state(paths: SessionPaths, session: Session) -> str:
    if session.finished:
        return "no-pdf" if missing_pdf(session) else "done"
    if is_locked(paths.lock):
        return "running"
    trains = any(is_out(paths.attempt(run.run, run.attempt, run.restarts)) for run in session.under_way)
    return "training" if trains else "stopped"


def _sum(chain: Sequence[Standing]) -> tuple[str, ...]:
    """What sessions that continue one another, which stand above, come to together."""
    whole = Standing(
        session=f"= a chain of {len(chain)}",
        folder="",
        state=chain[-1].state,
        stage=chain[-1].stage,
        runs=sum(one.runs for one in chain),
        measured=sum(one.measured for one in chain),
        failed=sum(one.failed for one in chain),
        tokens=sum(one.tokens for one in chain),
        tokens_cached=sum(one.tokens_cached for one in chain),
        usd=sum(one.usd for one in chain),
        usd_complete=all(one.usd_complete for one in chain),
    )
    return _row(whole)


def _row(one: Standing) -> tuple[str, ...]:
    state = IN_WORDS.get(one.state, one.state)
    if one.problem:
        return one.session, state, one.problem[:60] if one.state == "unreadable" else "", "", "", ""
    runs = f"{one.measured} of {one.runs}" + (f", {one.failed} failed" if one.failed else "")
    cost = f"${one.usd:.2f}" + ("" if one.usd_complete else "+?")
    tokens = compact(one.tokens) + (f", {compact(one.tokens_cached)} cached" if one.tokens_cached else "")
    return one.session, state, one.stage, runs, tokens, cost
