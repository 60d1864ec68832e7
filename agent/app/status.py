"""The command status: every session of a workspace as its log says, and which sessions hold places of this machine.

A place is a core, or a part of a GPU's memory, that a training holds while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from agent.app.exits import DONE
from agent.app.standing import Standing, standings
from agent.app.tables import add, show, show_json, table
from agent.app.wording import compact
from agent.core.chains import in_chains
from agent.core.visible import line
from agent.lab.jobs.places import folder, holders
from agent.storage.workspace import Workspace

IN_WORDS = {"no-pdf": "no PDF", "training": "stopped, a training goes on"}


def show_status(workspace: Workspace, *, as_json: bool = False) -> int:
    """Prints a table, or one JSON object. Sessions that continue one another stand together, with their sum."""
    sessions, closed = workspace.sessions(), workspace.closed()
    found = standings(sessions, workspace.cache)
    if closed:
        print(line(f"not shown, for this user may not read them: {', '.join(closed)}"), file=sys.stderr)
    held = holders(folder())
    if as_json:
        places = [asdict(one) for one in held]
        show_json({"workspace": str(workspace.root), "sessions": [asdict(one) for one in found], "places": places})
        return DONE
    if not found:
        print(f"no sessions in {workspace.root} yet")
        return DONE
    shown = table("session", "state", "stage", "runs", "tokens", "cost")
    shown.columns[0].min_width = max(len(one.session) for one in found)  # names are copied, so they are not wrapped
    by_name = {one.session: one for one in found}
    for chain in in_chains(list(by_name), {one.session: one.after for one in found}):
        for one in (by_name[name] for name in chain):
            add(shown, *_row(one))
        if chain[1:]:
            add(shown, *_sum([by_name[name] for name in chain]))
    show(shown)
    for number, holder in enumerate(held):
        print(line(f"{'places' if number == 0 else '':<8}{holder}"))
    return DONE


def _sum(chain: Sequence[Standing]) -> tuple[str, ...]:
    """The row with the sums over a chain of sessions that continue one another."""
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
