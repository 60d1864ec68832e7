"""The planner at work: the plan before the first run, a reflection after each run, and what is to be confirmed."""

from __future__ import annotations

from typing import Any

from agent.actions.proposals import carried, in_order, most_planned, plan_complaint, runs_complaint
from agent.actions.runs import library_outline, nodes, repository_map, shown_code, told
from agent.core.exchange import Message
from agent.core.plan import Plan, Reflection
from agent.core.record import RunRecord
from agent.llm.answers import ask_json, head_and_tail
from agent.llm.prompting import render
from agent.publishing import digest, notes
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.session.action import CommentRun, MakePlan, PlanConfirmation, Reflect
from agent.session.events import Commented, ConfirmationPlanned, Planned, Reflected
from agent.session.selection import best_few
from agent.session.session import Session, apply
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.facts import Facts
from paper.evidence.numbers import count_text

DECLINED = 300  # characters of a reason that are kept
COMMENT = 4000  # characters of a comment that are kept; the prompt asks for a few lines


def make_plan(action: MakePlan, tools: Tools) -> Planned:
    """The planner fixes the comparison and proposes the first runs.

    The baseline of the comparison is the strongest one that was trained, even if the planner names another.
    """
    session, manifest = tools.session, tools.template.manifest
    facts = session_facts(tools)
    most = most_planned(session, session.options.runs)
    tools.say(f"Planning up to {session.options.runs} runs ({session.options.models.planner})")
    prompt = render(
        "plan",
        manifest=manifest,
        runs=most,
        branches=session.options.branches,
        earlier=session.earlier,
        table=table(facts),
        code=shown_code(tools, session.first_commit),
        library=library_outline(tools),
        rest=repository_map(tools),
    )
    plan = ask_json(
        tools.ask,
        "plan",
        "planner",
        _conversation(prompt, facts, tools),
        Plan,
        accept=lambda plan: plan_complaint(plan, tools),
    )
    plan, weaker = _against_the_strongest(plan, facts)
    if weaker:
        tools.say(f"  compared with {plan.comparison.baseline}, the strongest baseline; the planner named {weaker}")
    plan = plan.model_copy(update={"runs": (*carried(session), *in_order(plan.runs, facts, tools))})
    write_text(tools.paths.repo / "plan.json", plan.model_dump_json(indent=2, exclude_none=True) + "\n")
    commit = tools.versions.commit(["plan.json"], f"plan: {len(plan.runs)} runs", {"Event": "plan"})
    for number, planned in enumerate(plan.runs, start=1):
        tools.say(f"  {number}. {planned.label}: {planned.hypothesis}")
    return Planned(at=tools.now, plan=plan, commit=commit, instead_of=weaker)


def _against_the_strongest(plan: Plan, facts: Facts) -> tuple[Plan, str]:
    """The plan with the strongest baseline in its comparison, and the weaker one that this replaced ("" if none)."""
    strongest, named = facts.record("baseline").name, plan.comparison.baseline
    if named == strongest:
        return plan, ""
    why = f"{strongest} is the strongest baseline trained; the planner named {named}: {plan.comparison.why}"
    comparison = plan.comparison.model_copy(update={"baseline": strongest, "why": why})
    return plan.model_copy(update={"comparison": comparison}), named


def comment_run(action: CommentRun, tools: Tools) -> Commented:
    """The reviewer comments on a run in a few lines; what a person wrote into feedback.txt is added."""
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
        accept=lambda answer: runs_complaint(answer.runs, tools),
    )
    proposals = reflection.runs[: most_planned(session, left)]
    reflection = reflection.model_copy(update={"runs": in_order(proposals, facts, tools)})
    tools.say(f"  planner: {'the work is complete' if reflection.completed else _next_up(reflection, left)}")
    return _noted(Reflected(at=tools.now, run=action.run, reflection=reflection, feedback=feedback, commit=""), tools)


def _ahead(session: Session, facts: Facts, left: int) -> dict[str, Any]:
    """Prompt variables: which runs are under way, and how many the planner may still plan."""
    return {
        "left": left,
        "most": most_planned(session, left),
        "branches": session.options.branches,
        "under_way": [run.planned for run in session.experiments if run.planned and not run.over],
        "few": best_few(nodes(session, facts)),
        "pending": session.pending,
    }


def plan_confirmation(action: PlanConfirmation, tools: Tools) -> ConfirmationPlanned:
    """Plan the confirmation of the best experiment against the baseline of the comparison, if it is ahead of it."""
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
    """Why nothing is confirmed; empty if the best run is to be confirmed."""
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
    """The messages of a prompt. The description of the study comes first, because a provider can cache it."""
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


def _take_feedback(tools: Tools) -> str:
    """What a person wrote into feedback.txt; "" if an earlier run was given the same words."""
    path = tools.paths.feedback
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace").strip()[:4000]
    given = {run.feedback for run in tools.session.runs.values()}
    return "" if text in given else text
