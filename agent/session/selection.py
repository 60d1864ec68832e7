"""Which of several proposed runs starts first: greedy, with a share for exploration. Pure; no dice, so that it replays.

It sees what the exploration measured and nothing else: neither seeds nor world of the confirmation exist by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.plan import PlannedRun

EXPLORED = 4  # every fourth start goes where least was tried
FEW = 3  # nodes that the planner is asked to build on


@dataclass(frozen=True)
class Node:
    """A measured run that others may start from. `merit`: larger is better, whatever the metric's direction."""

    name: str
    merit: float
    children: int  # runs that started from it, whatever became of them


def best_few(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The best nodes, best first; of equals the one that was measured first."""
    return tuple(sorted(nodes, key=lambda node: -node.merit)[:FEW])


def ordered(proposals: Sequence[PlannedRun], nodes: Sequence[Node], started: int) -> tuple[PlannedRun, ...]:
    """The proposals in the order in which they are to start.

    Args:
        proposals: in the planner's order, each with the name of its parent in `start_from`.
        nodes: what can be started from now. A proposal whose parent is not among them comes after those that have one.
        started: runs that were started before.

    Returns:
        Greedy turns take the proposal with the best parent, every `EXPLORED`-th turn the one whose parent has the
        fewest children, those that were just chosen included. Among equals the planner's order holds.
    """
    merit = {node.name: node.merit for node in nodes}
    children = {node.name: node.children for node in nodes}
    left, chosen = list(proposals), list[PlannedRun]()
    while left:
        known = [run for run in left if run.start_from in merit]
        if not known:
            return (*chosen, *left)
        explores = (started + len(chosen) + 1) % EXPLORED == 0
        taken = (
            min(known, key=lambda run: children[run.start_from])
            if explores
            else max(known, key=lambda run: merit[run.start_from])
        )
        left.remove(taken)
        chosen.append(taken)
        children[taken.start_from] += 1
    return tuple(chosen)
