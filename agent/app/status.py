"""The command status: every session of a workspace, from its log alone, and who holds places of this machine."""

from __future__ import annotations

import sys
from dataclasses import asdict

from agent.app.standing import Standing
from agent.app.standings import standings
from agent.app.tables import add, show, show_json, table
from agent.app.wording import compact
from agent.core.visible import line
from agent.lab.jobs.places import folder, holders
from agent.storage.workspace import Workspace

IN_WORDS = {"no-pdf": "no PDF", "training": "stopped, a training goes on"}


def show_status(workspace: Workspace, *, as_json: bool = False) -> int:
    sessions, closed = workspace.sessions(), workspace.closed()
    found = standings(sessions, workspace.cache)
    if closed:
        print(line(f"not shown, for this user may not read them: {', '.join(closed)}"), file=sys.stderr)
    held = holders(folder())
    if as_json:
        places = [asdict(one) for one in held]
        show_json({"workspace": str(workspace.root), "sessions": [asdict(one) for one in found], "places": places})
        return 0
    if not found:
        print(f"no sessions in {workspace.root} yet")
        return 0
    shown = table("session", "state", "stage", "runs", "tokens", "cost")
    shown.columns[0].min_width = max(len(one.session) for one in found)  # a name is there to be copied
    for one in found:
        add(shown, *_row(one))
    show(shown)
    for number, holder in enumerate(held):
        print(line(f"{'places' if number == 0 else '':<8}{holder}"))
    return 0


def _row(one: Standing) -> tuple[str, ...]:
    state = IN_WORDS.get(one.state, one.state)
    if one.problem:
        return one.session, state, one.problem[:60] if one.state == "unreadable" else "", "", "", ""
    runs = f"{one.measured} of {one.runs}" + (f", {one.failed} failed" if one.failed else "")
    cost = f"${one.usd:.2f}" + ("" if one.usd_complete else "+?")
    tokens = compact(one.tokens) + (f", {compact(one.tokens_cached)} cached" if one.tokens_cached else "")
    return one.session, state, one.stage, runs, tokens, cost
