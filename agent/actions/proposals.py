"""The runs that the planner proposes: how many there may be, what is wrong with them, in which order they start."""

from __future__ import annotations

from agent.actions import pretrained
from agent.actions.runs import nodes, start_record
from agent.core.earlier import EARLIER
from agent.core.labels import label_problem
from agent.core.plan import Plan, PlannedRun
from agent.core.sweeps import sweep_problem
from agent.session.selection import ordered
from agent.session.session import Session
from agent.session.tools import Tools
from paper.evidence.facts import Facts

AHEAD = 10  # runs that may be planned at once; the planner can revise them after each run


def carried(session: Session) -> tuple[PlannedRun, ...]:
    """The run that measures the code of an earlier session again; empty if the session continues none."""
    return (session.earlier.planned(),) if session.earlier and session.options.runs else ()


def most_planned(session: Session, left: int) -> int:
    """How many runs the planner may plan now, if `left` runs are left.

    In a session that continues another one, the run that measures the earlier code again takes one of them.
    """
    again = 1 if session.earlier and session.plan is None else 0
    return min(AHEAD, max(0, left - again))


def in_order(proposals: tuple[PlannedRun, ...], facts: Facts, tools: Tools) -> tuple[PlannedRun, ...]:
    """The proposals in the order in which they are to start: the planner's own, unless several runs go on at once.

    "best" and "baseline" are replaced by the runs that they mean now, because another run may be ahead by the time that
    a proposal starts.
    """
    session = tools.session
    if session.options.branches == 1:
        return proposals
    named = [
        p.model_copy(update={"start_from": start_record(p, facts).name}) if p.start_from in ("best", "baseline") else p
        for p in proposals
    ]
    return ordered(named, nodes(session, facts), len(session.experiments))


def plan_complaint(plan: Plan, tools: Tools) -> str | None:
    """What is wrong with the first plan, for the planner; None if nothing is."""
    manifest = tools.template.manifest
    most = most_planned(tools.session, tools.session.options.runs)
    if not plan.runs and (most or not tools.session.earlier):
        return "the plan holds no run"
    if len(plan.runs) > most:
        return f"the plan holds {len(plan.runs)} runs, {most} are allowed"
    if plan.comparison.metric != manifest.primary:
        return f"comparison.metric must be the primary metric, {manifest.primary!r}"
    given = [spec.name for spec in pretrained.asked(tools)]
    trained = [name for name in tools.session.options.baselines if name not in given]
    if plan.comparison.baseline not in trained:
        return f"comparison.baseline must be one of {', '.join(trained)}"
    return runs_complaint(plan.runs, tools)


def runs_complaint(runs: tuple[PlannedRun, ...], tools: Tools) -> str | None:
    """What is wrong with proposed runs: their names, labels, sweeps, or what they start from; None if nothing is."""
    taken = {*tools.session.options.baselines, *(r.planned.name for r in tools.session.experiments if r.planned)}
    labels = [r.planned.label for r in tools.session.experiments if r.planned]
    template = tools.template
    if tools.session.earlier:
        taken.add(EARLIER)
        labels.append(tools.session.earlier.label)
    starts = {"baseline", "best", tools.session.options.baselines[0], *taken}
    for planned in runs:
        if problem := label_problem(planned.label, template.manifest, labels):
            return f"the label of run {planned.name!r}, {planned.label!r}: {problem}; say what is changed, in words"
        labels.append(planned.label)
        for factor in planned.factors:
            if problem := label_problem(factor, tools.template.manifest):
                return f"the factor {factor!r} of run {planned.name!r}: {problem}; name the change, in words"
        if planned.name in taken:
            return f"the run name {planned.name!r} is taken; choose another"
        if planned.start_from not in starts:
            return f"run {planned.name!r} starts from {planned.start_from!r}, which is no earlier run"
        if planned.sweep and (problem := sweep_problem(planned.sweep, template, tools.profile)):
            return f"run {planned.name!r} cannot sweep {planned.sweep.setting}: {problem}"
        taken.add(planned.name)
        starts.add(planned.name)
    return None
