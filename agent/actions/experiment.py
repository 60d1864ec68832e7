"""An attempt's code: the editor changes the editable files, the linter checks them, and spent attempts end the run."""

from __future__ import annotations

from agent.actions.runs import (
    fail_attempt,
    failed_record,
    label_of,
    library_outline,
    listed,
    repository_map,
    start_commit,
)
from agent.core.earlier import EARLIER
from agent.core.exchange import EditResult
from agent.core.plan import PlannedRun
from agent.llm.editing.lint import LintError, lint
from agent.llm.prompting import render
from agent.publishing.signatures import commit_signed, record_statement
from agent.session.action import EditRun, GiveUpRun, LintRun
from agent.session.events import AttemptFailed, Edited, LintPassed, RunFailed
from agent.session.session import upcoming
from agent.session.states import RunState
from agent.session.tools import Tools
from agent.storage.atomic import write_text


def edit_run(action: EditRun, tools: Tools) -> Edited | AttemptFailed:
    """One editing conversation for one attempt. It starts from the parent run's code, or from the last attempt's."""
    run = tools.session.runs.get(action.run)
    planned = (run and run.planned) or upcoming(tools.session)
    editable = tools.template.manifest.editable
    tools.versions.reset(tools.versions.head())
    tools.versions.restore(run.code if run and run.code else start_commit(planned, tools), editable)
    carried = _carried_code(action, planned, tools)
    tools.say(
        f"Run {action.run} ({planned.label}), attempt {action.attempt} of {tools.session.options.attempts}: "
        + ("the code of the earlier session" if carried else f"editing {listed(editable)}")
    )
    if carried:
        for name, text in carried.items():
            write_text(tools.paths.repo / name, text)
        return _edited(action, planned, tools)
    result = tools.coder.edit(
        tools.paths.repo,
        editable,
        _instruction(action, planned, run, tools),
        step=f"run-{action.run}.edit-{action.attempt}",
        role="editor",
        briefing=_briefing(tools),
    )
    if result.refused:
        return fail_attempt(tools, action.run, planned, action.attempt, "edit", result.refused, _why(result))
    return _edited(action, planned, tools)


def _carried_code(action: EditRun, planned: PlannedRun, tools: Tools) -> dict[str, str]:
    """The earlier session's code, if this attempt only measures it again; empty for an attempt that is edited."""
    earlier = tools.session.earlier
    return earlier.code if earlier and planned.name == EARLIER and action.attempt == 1 else {}


def _edited(action: EditRun, planned: PlannedRun, tools: Tools) -> Edited:
    commit = tools.versions.commit(
        tools.template.manifest.editable,
        f"run {action.run}, attempt {action.attempt}: {planned.label}",
        {"Run": action.run, "Attempt": str(action.attempt), "Status": "edited", "Event": "edit"},
    )
    return Edited(at=tools.now, run=action.run, attempt=action.attempt, commit=commit)


def lint_run(action: LintRun, tools: Tools) -> LintPassed | AttemptFailed:
    """Compile and lint what was committed."""
    run = tools.session.runs[action.run]
    editable = tools.template.manifest.editable
    for name in (name for name in editable if name.endswith(".py")):
        if errors := list(lint(tools.paths.repo / name)):
            where = f"{name}, " if len(editable) > 1 else ""
            tools.say(f"  lint: {errors[0].code} {where}line {errors[0].line}: {errors[0].text}")
            told = (f"{name}:\n" if len(editable) > 1 else "") + describe(errors)
            return fail_attempt(tools, action.run, run.planned, action.attempt, "lint", errors[0].code, told)
    return LintPassed(at=tools.now, run=action.run, attempt=action.attempt)


def give_up_run(action: GiveUpRun, tools: Tools) -> RunFailed:
    """Commit the record of a run whose attempts are spent. The next edit puts the code back to a measured state."""
    run = tools.session.runs[action.run]
    last = run.failures[-1]
    # Failures of the machine ("runner") are not the agent's.
    tried = sum(f.stage != "runner" for f in run.failures) or run.attempt
    tools.say(f"Run {action.run} ({label_of(tools, run)}) failed: {last.reason}; the session goes on")
    tools.versions.reset(tools.versions.head())
    record = failed_record(tools, run)
    name = f"records/{action.run}.json"
    write_text(tools.paths.repo / name, record.model_dump_json(indent=1) + "\n")
    commit = commit_signed(
        tools,
        record_statement(action.run),
        [name],
        [name],
        f"run {action.run}: failed after {tried} attempts ({last.reason})",
        {"Run": action.run, "Status": "failed", "Event": "run-failed"},
    )
    tools.versions.tag(f"run/{action.run}", commit)
    return RunFailed(at=tools.now, run=action.run, attempts=tried, reason=last.reason, commit=commit)


def _briefing(tools: Tools) -> str:
    """The part of the prompt that is the same for every edit of the session."""
    return render(
        "edit_briefing",
        idea=tools.session.idea,
        manifest=tools.template.manifest,
        profile=tools.profile,
        library=library_outline(tools),
        rest=repository_map(tools),
    )


def _instruction(action: EditRun, planned: PlannedRun, run: RunState | None, tools: Tools) -> str:
    told = [f for f in run.failures if f.stage != "runner"] if run else []
    if not told:
        return render("edit", run=action.run, planned=planned, files=listed(tools.template.manifest.editable))
    return render(
        "mend",
        run=action.run,
        planned=planned,
        failure=told[-1],
        earlier=told[:-1],
        tries_left=tools.session.options.attempts - action.attempt + 1,
        files=listed(tools.template.manifest.editable),
    )


def describe(errors: list[LintError]) -> str:
    """The first three lint errors, in the form in which the editor gets them."""
    return "\n\n".join(f"line {e.line}: {e.code}: {e.text}\n{e.around}" for e in errors[:3])


def _why(result: EditResult) -> str:
    said = {
        "no-block": "The answer held no SEARCH/REPLACE block, so nothing was changed.",
        "mismatch": "A SEARCH block did not match the file.",
        "no-change": "The blocks left every file as it was.",
        "forbidden-file": "The answer changes a file that this step may not change.",
    }
    return f"{said.get(result.refused, result.refused)}\n{result.detail}".strip()
