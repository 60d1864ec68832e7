"""Decides which of several proposed runs starts first: greedily, with a fixed share of exploring starts. Pure.

Nothing is random, so a repeated action gives the same order. Only results of the exploration are used; the seeds and
worlds of the confirmation do not exist yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.plan import PlannedRun

EXPLORED = 4  # every fourth start takes the proposal whose parent has the fewest children
FEW = 3  # how many nodes the planner is asked to build on


@dataclass(frozen=True)
class Node:
    """A measured run that others may start from. A larger `merit` is better, whatever the metric's direction."""

    name: str
    merit: float
    children: int  # how many runs started from it, failed ones included


def best_few(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The best nodes, best first; of two equal ones, first the one that was measured first."""
    return tuple(sorted(nodes, key=lambda node: -node.merit)[:FEW])


def ordered(proposals: Sequence[PlannedRun], nodes: Sequence[Node], started: int) -> tuple[PlannedRun, ...]:
    """The proposals in the order in which they are to start.

    Args:
        proposals: in the planner's order, each with the name of its parent in `start_from`.
        nodes: the runs that others can start from now. A proposal with another parent comes after all others.
        started: how many runs were started before.

    Returns:
        Every `EXPLORED`-th turn takes the proposal whose parent has the fewest children, counting those that were just
        chosen; the other turns take the proposal with the best parent. The planner's order breaks ties.
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
