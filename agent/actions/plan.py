"""What to try, and what to make of what came back."""

from __future__ import annotations

from typing import Any

from agent.actions import pretrained
from agent.actions.runs import library_outline, nodes, repository_map, shown_code, start_record, told
from agent.core.earlier import EARLIER
from agent.core.labels import label_problem
from agent.core.plan import Plan, PlannedRun, Reflection
from agent.core.protocols import Message
from agent.core.record import RunRecord
from agent.core.sweeps import sweep_problem
from agent.llm.answers import ask_json, head_and_tail
from agent.llm.prompting import render
from agent.publishing import digest, notes
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.session.action import CommentRun, MakePlan, PlanConfirmation, Reflect
from agent.session.events import Commented, ConfirmationPlanned, Planned, Reflected
from agent.session.selection import best_few, ordered
from agent.session.session import Session, apply
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.facts import Facts
from paper.evidence.numbers import count_text

DECLINED = 300  # characters of a reason that are kept
AHEAD = 10  # runs that are planned at once; every ended run lets the planner revise them
COMMENT = 4000  # characters of a comment that are kept: a few lines were asked for


def make_plan(action: MakePlan, tools: Tools) -> Planned:
    """The planner fixes the comparison and the runs before the first of them; the baseline of the comparison is the
    strongest that was trained, whichever the planner names."""
    session, manifest = tools.session, tools.template.manifest
    facts = session_facts(tools)
    most = _to_plan(session, session.options.runs)
    tools.say(f"Planning up to {session.options.runs} runs ({session.options.models.planner})")
    prompt = render(
        "plan",
        manifest=manifest,
        runs=most,
        branches=session.options.branches,
        earlier=session.earlier,
        table=table(facts),
        code=_shown_code(tools),
        library=library_outline(tools),
        rest=repository_map(tools),
    )
    plan = ask_json(
        tools.ask,
        "plan",
        "planner",
        _conversation(prompt, facts, tools),
        Plan,
        accept=lambda plan: _complaint(plan, tools),
    )
    plan, weaker = _against_the_strongest(plan, facts)
    if weaker:
        tools.say(f"  compared with {plan.comparison.baseline}, the strongest baseline; the planner named {weaker}")
    plan = plan.model_copy(update={"runs": (*_carried(session), *_selected(plan.runs, facts, tools))})
    write_text(tools.paths.repo / "plan.json", plan.model_dump_json(indent=2, exclude_none=True) + "\n")
    commit = tools.versions.commit(["plan.json"], f"plan: {len(plan.runs)} runs", {"Event": "plan"})
    for number, planned in enumerate(plan.runs, start=1):
        tools.say(f"  {number}. {planned.label}: {planned.hypothesis}")
    return Planned(at=tools.now, plan=plan, commit=commit, instead_of=weaker)


def _carried(session: Session) -> tuple[PlannedRun, ...]:
    """The run that measures the code of an earlier session again, where this one continues one and has a run for it."""
    return (session.earlier.planned(),) if session.earlier and session.options.runs else ()


def _to_plan(session: Session, left: int) -> int:
    """How many runs the planner may plan at once, where so many are left.

    The first plan of a session that continues another one has the run that measures its code again besides.
    """
    carried = 1 if session.earlier and session.plan is None else 0
    return min(AHEAD, max(0, left - carried))


def _selected(proposals: tuple[PlannedRun, ...], facts: Facts, tools: Tools) -> tuple[PlannedRun, ...]:
    """The proposals in the order in which they are to start; the planner's own where one run follows the other.

    "best" and "baseline" become the names of the runs that they mean now: another may be ahead by the time that a
    proposal starts.
    """
    session = tools.session
    if session.options.branches == 1:
        return proposals
    named = [
        p.model_copy(update={"start_from": start_record(p, facts).name}) if p.start_from in ("best", "baseline") else p
        for p in proposals
    ]
    return ordered(named, nodes(session, facts), len(session.experiments))


def _against_the_strongest(plan: Plan, facts: Facts) -> tuple[Plan, str]:
    """The plan with the strongest baseline in its comparison, and the weaker one that stood there; "" if none did."""
    strongest, named = facts.record("baseline").name, plan.comparison.baseline
    if named == strongest:
        return plan, ""
    why = f"{strongest} is the strongest baseline trained; the planner named {named}: {plan.comparison.why}"
    comparison = plan.comparison.model_copy(update={"baseline": strongest, "why": why})
    return plan.model_copy(update={"comparison": comparison}), named


def comment_run(action: CommentRun, tools: Tools) -> Commented:
    """A few lines from the reviewer, and a person's word if feedback.txt is there."""
    run = tools.session.runs[action.run]
    facts = session_facts(tools)
    record = next(r for r in facts.measured if r.run == action.run)
    prompt = render(
        "comment",
        planned=run.planned,
        record=record,
        detail=digest.detail(record, facts),
        **_so_far(facts, tools),
    )
    reply = tools.ask(f"run-{action.run}.comment", "reviewer", _conversation(prompt, facts, tools))
    return Commented(
        at=tools.now, run=action.run, text=head_and_tail(reply.text.strip(), COMMENT), feedback=_take_feedback(tools)
    )


def reflect(action: Reflect, tools: Tools) -> Reflected:
    """The planner reads the newest run, interprets it for the notes, and says what comes next."""
    session = tools.session
    run = session.runs[action.run]
    feedback = run.feedback if run.comment else _take_feedback(tools)
    facts = session_facts(tools)
    left = session.options.runs - len(session.experiments)
    record = next((r for r in facts.measured if r.run == action.run), None)
    prompt = render(
        "reflect",
        run=run,
        budget=digest.left(session),
        **_ahead(session, facts, left),
        comparison=session.comparison,
        best=facts.best_of(facts.measured),
        record=record,
        detail=digest.detail(record, facts) if record else [],
        failures=digest.failures(run.failures),
        worlds=tools.template.has_data,
        comment=run.comment,
        feedback=feedback,
        **_so_far(facts, tools),
    )
    reflection = ask_json(
        tools.ask,
        f"run-{action.run}.reflect",
        "planner",
        _conversation(prompt, facts, tools),
        Reflection,
        accept=lambda answer: _runs_complaint(answer.runs, tools),
    )
    proposals = reflection.runs[: _to_plan(session, left)]
    reflection = reflection.model_copy(update={"runs": _selected(proposals, facts, tools)})
    tools.say(f"  planner: {'the work is complete' if reflection.completed else _next_up(reflection, left)}")
    return _noted(Reflected(at=tools.now, run=action.run, reflection=reflection, feedback=feedback, commit=""), tools)


def _ahead(session: Session, facts: Facts, left: int) -> dict[str, Any]:
    """What is under way and what may still be planned, for the planner."""
    return {
        "left": left,
        "most": _to_plan(session, left),
        "branches": session.options.branches,
        "under_way": [run.planned for run in session.experiments if run.planned and not run.over],
        "few": best_few(nodes(session, facts)),
        "pending": session.pending,
    }


def plan_confirmation(action: PlanConfirmation, tools: Tools) -> ConfirmationPlanned:
    """The best experiment by the primary metric, against the baseline of the comparison; none that is not ahead."""
    facts, profile = session_facts(tools), tools.profile
    baseline = next(r for r in facts.measured if r.name == tools.session.comparison.baseline)
    best = facts.described
    if reason := _why_unconfirmed(best, baseline, facts, tools.session):
        tools.say(f"Confirmation: none; {reason}")
        return ConfirmationPlanned(at=tools.now, best=None, baseline=baseline.run, reason=reason)
    worlds = min(profile.confirm_worlds, profile.confirm_seeds) if tools.template.has_data else 1
    fresh = " and a fresh world" if worlds == 1 else f" in {count_text(worlds)} fresh worlds"
    tools.say(
        f"Confirmation: {best.label} against {baseline.label} on {profile.confirm_seeds} fresh seeds"
        + (fresh if tools.template.has_data else "")
    )
    return ConfirmationPlanned(at=tools.now, best=best.run, baseline=baseline.run, worlds=worlds)


def _why_unconfirmed(best: RunRecord, baseline: RunRecord, facts: Facts, session: Session) -> str:
    """Why no run is trained once more; empty where the best is worth it."""
    last = session.reflection
    if best.kind != "experiment":
        return "no experiment was measured"
    if not facts.manifest.seeded:
        return "the script chooses its own seeds, so nothing can be trained on fresh ones"
    if facts.best_of([baseline, best]) is baseline:
        metric = facts.spec(facts.manifest.primary).label
        return f"no run is ahead of {baseline.label} in {metric}, and one that is not cannot be confirmed"
    if last and last.no_confirmation.strip():
        return f"the planner declined: {' '.join(last.no_confirmation.split())[:DECLINED]}"
    return ""


def _noted(event: Reflected, tools: Tools) -> Reflected:
    state = apply(tools.session, event)
    write_text(tools.paths.repo / "notes.txt", notes.render(state, session_facts(tools)))
    commit = tools.versions.commit(["notes.txt"], f"run {event.run}: notes", {"Run": event.run, "Event": "notes"})
    return event.model_copy(update={"commit": commit})


def _next_up(reflection: Reflection, left: int) -> str:
    return f"next: {reflection.runs[0].label}" if reflection.runs and left > 0 else "no further run"


def _conversation(prompt: str, facts: Facts, tools: Tools) -> list[Message]:
    """What does not change from run to run comes first."""
    manifest = tools.template.manifest
    study = render(
        "study",
        idea=tools.session.idea,
        earlier=tools.session.earlier,
        profile_name=tools.session.options.profile,
        data_key=tools.session.data_key,
        manifest=manifest,
        profile=tools.profile,
        directions={name: facts.direction(name) for name in manifest.metrics},
        baselines=[
            told(tools, b) for name in tools.session.options.baselines for b in manifest.baselines if b.name == name
        ],
    )
    return [Message("system", study), Message("user", prompt)]


def _so_far(facts: Facts, tools: Tools) -> dict[str, Any]:
    """The runs as planner and reviewer see them, in a bounded number of lines."""
    return {"runs": digest.runs(tools.session, facts), "table": table(digest.shown(facts))}


def _shown_code(tools: Tools) -> str:
    return shown_code(tools, tools.session.first_commit)


def _complaint(plan: Plan, tools: Tools) -> str | None:
    manifest = tools.template.manifest
    most = _to_plan(tools.session, tools.session.options.runs)
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
    return _runs_complaint(plan.runs, tools)


def _runs_complaint(runs: tuple[PlannedRun, ...], tools: Tools) -> str | None:
    """Names are unique over the session, and a run starts from something that exists by then."""
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


def _take_feedback(tools: Tools) -> str:
    """What a person wrote since the last run; words that an earlier run was given are not given again."""
    path = tools.paths.feedback
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace").strip()[:4000]
    given = {run.feedback for run in tools.session.runs.values()}
    return "" if text in given else text
