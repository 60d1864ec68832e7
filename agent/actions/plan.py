"""What to try, and what to make of what came back."""

from __future__ import annotations

from agent.actions.runs import overview
from agent.core.plan import Plan, PlannedRun, Reflection
from agent.core.protocols import Message, Role
from agent.llm.answers import ask_json, head_and_tail
from agent.llm.prompting import render
from agent.publishing import notes
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.session.action import CommentRun, MakePlan, PlanConfirmation, Reflect
from agent.session.events import Commented, ConfirmationPlanned, Planned, Reflected
from agent.session.session import apply
from agent.session.tools import Tools
from agent.storage.atomic import write_text

COMMENT = 4000  # characters of a comment that are kept: a few lines were asked for


def make_plan(action: MakePlan, tools: Tools) -> Planned:
    """The planner fixes the comparison and the runs before the first of them."""
    session, manifest = tools.session, tools.template.manifest
    facts = session_facts(tools)
    tools.say(f"Planning up to {session.options.runs} runs ({session.options.models.planner})")
    prompt = render(
        "plan",
        idea=session.idea,
        manifest=manifest,
        profile=tools.profile,
        runs=session.options.runs,
        directions={name: facts.direction(name) for name in manifest.metrics},
        table=table(facts),
        baselines=facts.measured,
        code=_shown_code(tools),
        library=_library(tools),
    )
    plan = ask_json(
        tools.ask,
        "plan",
        "planner",
        _conversation("planner", prompt),
        Plan,
        accept=lambda plan: _complaint(plan, tools),
    )
    write_text(tools.paths.repo / "plan.json", plan.model_dump_json(indent=2) + "\n")
    commit = tools.versions.commit(["plan.json"], f"plan: {len(plan.runs)} runs", {"Event": "plan"})
    for number, planned in enumerate(plan.runs, start=1):
        tools.say(f"  {number}. {planned.label}: {planned.hypothesis}")
    return Planned(at=tools.now, plan=plan, commit=commit)


def comment_run(action: CommentRun, tools: Tools) -> Commented:
    """A few lines from the reviewer, and a person's word if feedback.txt is there."""
    run = tools.session.runs[action.run]
    facts = session_facts(tools)
    prompt = render(
        "comment",
        idea=tools.session.idea,
        manifest=facts.manifest,
        planned=run.planned,
        record=next(r for r in facts.measured if r.run == action.run),
        table=table(facts),
    )
    reply = tools.ask(f"run-{action.run}.comment", "reviewer", _conversation("reviewer", prompt))
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
    prompt = render(
        "reflect",
        idea=session.idea,
        manifest=facts.manifest,
        run=run,
        left=left,
        pending=session.pending,
        comparison=session.comparison,
        table=table(facts),
        best=facts.best_of(facts.measured),
        record=next((r for r in facts.measured if r.run == action.run), None),
        comment=run.comment,
        feedback=feedback,
    )
    reflection = ask_json(
        tools.ask,
        f"run-{action.run}.reflect",
        "planner",
        _conversation("planner", prompt),
        Reflection,
        accept=lambda answer: _runs_complaint(answer.runs, tools),
    )
    reflection = reflection.model_copy(update={"runs": reflection.runs[: max(left, 0)]})
    tools.say(f"  planner: {'ALL_COMPLETED' if reflection.completed else _next_up(reflection, left)}")
    return _noted(Reflected(at=tools.now, run=action.run, reflection=reflection, feedback=feedback, commit=""), tools)


def plan_confirmation(action: PlanConfirmation, tools: Tools) -> ConfirmationPlanned:
    """The best experiment by the primary metric, against the baseline that the plan named."""
    facts = session_facts(tools)
    baseline = next(r for r in facts.measured if r.name == tools.session.comparison.baseline)
    chosen = facts.described if facts.described.kind == "experiment" else None
    if chosen and not facts.manifest.seeded:
        tools.say("Confirmation: none; the script chooses its own seeds, so nothing can be trained on fresh ones")
        chosen = None
    if chosen:
        tools.say(
            f"Confirmation: {chosen.label} against {baseline.label} on {tools.profile.confirm_seeds} fresh seeds "
            "and a fresh world"
        )
    return ConfirmationPlanned(at=tools.now, best=chosen.run if chosen else None, baseline=baseline.run)


def _noted(event: Reflected, tools: Tools) -> Reflected:
    state = apply(tools.session, event)
    write_text(tools.paths.repo / "notes.txt", notes.render(state, session_facts(tools)))
    commit = tools.versions.commit(["notes.txt"], f"run {event.run}: notes", {"Run": event.run, "Event": "notes"})
    return event.model_copy(update={"commit": commit})


def _next_up(reflection: Reflection, left: int) -> str:
    return f"next: {reflection.runs[0].label}" if reflection.runs and left > 0 else "no further run"


def _conversation(role: Role, prompt: str) -> list[Message]:
    return [Message("system", render(f"system_{role}")), Message("user", prompt)]


def _shown_code(tools: Tools) -> str:
    return tools.versions.show(tools.session.first_commit, tools.template.manifest.editable[0])


def _library(tools: Tools) -> dict[str, str]:
    """First pages of what experiments may import, by the name of the file."""
    return {name: tools.versions.show(tools.session.first_commit, name) for name in overview(tools)}


def _complaint(plan: Plan, tools: Tools) -> str | None:
    manifest = tools.template.manifest
    if not plan.runs:
        return "the plan holds no run"
    if len(plan.runs) > tools.session.options.runs:
        return f"the plan holds {len(plan.runs)} runs, {tools.session.options.runs} are allowed"
    if plan.comparison.metric != manifest.primary:
        return f"comparison.metric must be the primary metric, {manifest.primary!r}"
    if plan.comparison.baseline not in tools.session.options.baselines:
        return f"comparison.baseline must be one of {', '.join(tools.session.options.baselines)}"
    return _runs_complaint(plan.runs, tools)


def _runs_complaint(runs: tuple[PlannedRun, ...], tools: Tools) -> str | None:
    """Names are unique over the session, and a run starts from something that exists by then."""
    taken = {*tools.session.options.baselines, *(r.planned.name for r in tools.session.experiments if r.planned)}
    starts = {"baseline", "best", tools.session.options.baselines[0], *taken}
    for planned in runs:
        if not planned.label.isprintable():
            return f"the label of run {planned.name!r} holds a line break or a character that cannot be printed"
        if planned.name in taken:
            return f"the run name {planned.name!r} is taken; choose another"
        if planned.start_from not in starts:
            return f"run {planned.name!r} starts from {planned.start_from!r}, which is no earlier run"
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
