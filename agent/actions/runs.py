"""What the other actions need about runs: their records, labels, code, seeds and worlds, and the end of an attempt."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

from agent.actions import pretrained
from agent.actions.pretrained import baseline_spec
from agent.core.manifest import BaselineSpec
from agent.core.plan import PlannedRun
from agent.core.record import Job, JobResult, RunKind, RunRecord, Spent
from agent.core.sweeps import points
from agent.core.template import joined
from agent.lab.templating.outline import map_of, outline
from agent.publishing.records import session_facts
from agent.session.events import AttemptFailed, Stage
from agent.session.selection import Node
from agent.session.session import Session
from agent.session.states import RunState
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.facts import Facts

LAST_WORDS = 200  # characters of an error's last line that are shown
EXPLORED = 0  # number of the world of the exploration; confirmations use worlds 1, 2, ..., which no choice was made on


def run_record(tools: Tools, run: RunState, job: Job, result: JobResult) -> RunRecord:
    """The record of a run whose trainings are all measured; the points of a sweep are kept apart from the rest."""
    record = RunRecord(
        **_identity(tools, run),
        status="measured",
        commit=code_of(tools, run),
        tree=tools.versions.tree(code_of(tools, run)),
        seeds=job.seeds,
        conditions=job.conditions,
        settings=job.settings,
        trainings=result.trainings,
        findings=(),
        started_at=result.started_at,
        wall_s=result.wall_s,
        device=result.device,
        versions=result.versions,
        hashes=result.hashes,
        sandbox=result.sandbox,
        pretrained=pretrained.origin(tools, run),
    )
    if run.planned is None or run.planned.sweep is None:
        return record
    return record.with_apart(run.planned.sweep.setting, points(run.planned.sweep, tools.profile))


def failed_record(tools: Tools, run: RunState) -> RunRecord:
    """The record of a run whose attempts are spent; it holds no metrics."""
    profile, code = tools.profile, code_of(tools, run)
    return RunRecord(
        **_identity(tools, run),
        status="failed",
        commit=code,
        tree=tools.versions.tree(code) if code else "",
        seeds=seeds_of(tools, run),
        conditions=profile.conditions,
        settings=profile.settings,
        trainings=(),
        findings=(),
        started_at=0.0,
        wall_s=0.0,
        device="",
        versions={},
        hashes={},
        sandbox=tools.session.options.sandbox,
        reasons=_reasons(run.failures),
        spent=_spent(tools.session, run),
    )


def _reasons(failures: Sequence[AttemptFailed]) -> tuple[str, ...]:
    """Why each attempt failed. Failures of the machine are listed only if there is no other."""
    told = [f for f in failures if f.stage != "runner"] or failures
    return tuple(f"attempt {f.attempt}: {f.stage}: {f.reason}{last_words(f.detail, f.stage)}" for f in told)


def _spent(session: Session, run: RunState) -> Spent:
    calls = [call for (step, _), call in session.calls.items() if step.startswith(f"run-{run.run}.")]
    prices = [call.cost_usd for call in calls]
    return Spent(
        tokens=sum(call.tokens_in + call.tokens_out for call in calls),
        usd=None if None in prices else round(sum(price for price in prices if price is not None), 6),
        train_s=round(sum(failure.wall_s for failure in run.failures), 1),
    )


def label_of(tools: Tools, run: RunState) -> str:
    """The run's name for a person."""
    if run.repeats is not None:
        return f"{label_of(tools, tools.session.runs[run.repeats])}, confirmation"
    return run.planned.label if run.planned else told(tools, baseline_spec(tools, run)).label


def code_of(tools: Tools, run: RunState) -> str:
    """Commit whose code the run trains; empty for an experiment that was not edited yet."""
    if run.repeats is not None:
        return code_of(tools, tools.session.runs[run.repeats])
    return run.code or (tools.session.first_commit if run.is_baseline else "")


def script_of(tools: Tools, run: RunState) -> str:
    """The file whose code is trained."""
    if run.repeats is not None:
        return script_of(tools, tools.session.runs[run.repeats])
    return baseline_spec(tools, run).script if run.is_baseline else tools.template.manifest.editable[0]


def seeds_of(tools: Tools, run: RunState) -> tuple[int, ...]:
    """The seeds that a run is trained with."""
    if pretrained.spec_of(tools, run):  # nothing is trained, so a second seed would measure the same numbers again
        return tools.profile.seeds[:1]
    return _fresh_seeds(tools) if run.kind == "confirmation" else tools.profile.seeds


def _fresh_seeds(tools: Tools) -> tuple[int, ...]:
    """Seeds that no exploratory run has used, nor the confirmation of a session that this one continues."""
    fresh, earlier = tools.profile.fresh_seeds, tools.session.earlier
    first = max(fresh[0], earlier.last_seed + 1) if earlier else fresh[0]
    return tuple(range(first, first + len(fresh)))


def worlds_of(session: Session, run: RunState) -> tuple[int, ...]:
    """The worlds that a run's seeds are spread over."""
    if run.kind != "confirmation" or session.confirmation is None:
        return (EXPLORED,)
    return confirmed_worlds(session)


def confirmed_worlds(session: Session) -> tuple[int, ...]:
    """The worlds of the confirmation; empty if nothing is confirmed.

    The planner of a session that continues others knows how their confirmations ended, so it gets worlds of its own.
    """
    planned = session.confirmation
    first = 1 + (session.earlier.worlds if session.earlier else 0)
    return () if planned is None or planned.best is None else tuple(range(first, first + planned.worlds))


def library_of(tools: Tools) -> list[str]:
    """Modules that experiments may import, as the session's first commit holds them under template/."""
    root, name = tools.paths.repo / "template", tools.template.manifest.library
    return sorted(p.relative_to(root).as_posix() for p in (root / name).glob("*.py")) if name else []


def told(tools: Tools, spec: BaselineSpec) -> BaselineSpec:
    """A baseline as tables, planner and paper show it: a pretrained one says that others trained it, and on what."""
    if not spec.pretrained:
        return spec
    budget = pretrained.of(tools, spec).trained_on
    about = f"{spec.about} Trained by others, on {budget}; it is measured as it is, and cannot be trained again."
    return spec.model_copy(update={"label": f"{spec.label} (pretrained)", "about": about})


class _Identity(TypedDict):
    """Fields of a record that are known before the run is trained."""

    run: str
    kind: RunKind
    name: str
    label: str
    about: str
    parent: str | None
    attempts: int
    template: str
    profile: str
    factors: tuple[str, ...]


def _identity(tools: Tools, run: RunState) -> _Identity:
    manifest, options = tools.template.manifest, tools.session.options
    if run.repeats is not None:
        repeated = _identity(tools, tools.session.runs[run.repeats])
        return {**repeated, "run": run.run, "kind": run.kind, "parent": run.repeats, "attempts": 1}
    planned, parent = run.planned, None
    if planned is not None:
        parent = start_record(planned, session_facts(tools)).run
    what = planned or told(tools, baseline_spec(tools, run))
    return {
        "run": run.run,
        "kind": run.kind,
        "name": what.name,
        "label": what.label,
        "about": what.change if isinstance(what, PlannedRun) else what.about,
        "parent": parent,
        # A failed attempt has already moved the counter to the next one.
        "attempts": run.attempt - (run.phase == "new") if planned else 1,
        "template": manifest.name,
        "profile": options.profile,
        "factors": planned.factors if planned else (),
    }


def start_record(planned: PlannedRun, facts: Facts) -> RunRecord:
    """The run whose code a planned run starts from: the one that it names, or run 0 if that was not measured."""
    agent_runs = [r for r in facts.measured if r.run == "0" or r.kind == "experiment"]
    if planned.start_from == "best":
        return facts.best_of(agent_runs)
    return next((r for r in agent_runs if r.name == planned.start_from), agent_runs[0])


def nodes(session: Session, facts: Facts) -> list[Node]:
    """The runs that others may start from, each with its merit in the exploration, in the order of measuring."""
    children = Counter(r.parent for r in facts.experiments)
    children.update(start_record(r.planned, facts).run for r in session.experiments if r.planned and not r.over)
    agent_runs = [r for r in facts.measured if r.run == "0" or r.kind == "experiment"]
    return [Node(r.name, facts.explored_merit(r), children[r.run]) for r in agent_runs]


def start_commit(planned: PlannedRun, tools: Tools) -> str:
    """The commit whose code a planned run starts from."""
    return start_record(planned, session_facts(tools)).commit


def library_outline(tools: Tools) -> str:
    """An outline of the library that experiments may import; empty if the template has none."""
    commit = tools.session.first_commit
    return outline({name: tools.versions.show(commit, f"template/{name}") for name in library_of(tools)})


def repository_map(tools: Tools) -> str:
    """An outline of the files beside the editable ones, for a template with a command; empty for other templates."""
    manifest, commit = tools.template.manifest, tools.session.first_commit
    if manifest.command is None:
        return ""
    code = {name: tools.versions.show(commit, f"template/{name}") for name in manifest.assets if name.endswith(".py")}
    return map_of(code, [name for name in manifest.assets if name not in code])


def shown_code(tools: Tools, commit: str) -> str:
    """The editable files as a commit has them, as one text."""
    return joined({name: tools.versions.show(commit, name) for name in tools.template.manifest.editable})


def listed(names: Sequence[str]) -> str:
    """The names in words, the last one after an "and"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def last_words(detail: str, stage: Stage = "training") -> str:
    """An error's last line, to be appended to a message; "" for lint and runner failures, which are printed in full."""
    lines = [said for said in map(str.strip, detail.splitlines()) if said]
    if not lines or stage in ("lint", "runner"):
        return ""
    last = lines[-1]
    return f": {last[:LAST_WORDS]}{'…' if len(last) > LAST_WORDS else ''}"


def fail_attempt(
    tools: Tools,
    run: str,
    planned: PlannedRun | None,
    attempt: int,
    stage: Stage,
    reason: str,
    detail: str,
    wall_s: float = 0.0,
) -> AttemptFailed:
    """Commit an account of a failed attempt and report it. `wall_s` is what its training took, in seconds."""
    tools.versions.reset(tools.versions.head())
    restart = tools.session.runs[run].restarts if run in tools.session.runs else 0
    label = planned.label if planned else "as it is"
    account = {"run": run, "attempt": attempt, "stage": stage, "reason": reason, "detail": detail}
    name = f"attempts/{run}.{attempt}{f'.{restart}' if restart else ''}.json"
    write_text(tools.paths.repo / name, json.dumps(account, indent=2) + "\n")
    commit = tools.versions.commit(
        [name],
        f"run {run}, attempt {attempt}: {label}: {stage} failed ({reason})",
        {
            "Run": run,
            "Attempt": str(attempt),
            "Restart": str(restart),
            "Status": f"{stage}-failed",
            "Event": "attempt-failed",
        },
    )
    if stage == "runner":  # nothing failed that the agent did; why is said by who calls
        tools.say(f"  the training of run {run}, attempt {attempt}, came to nothing: {reason}")
    else:
        tools.say(f"  attempt {attempt} of run {run} failed at {stage}: {reason}{last_words(detail, stage)}")
    return AttemptFailed(
        at=tools.now,
        run=run,
        attempt=attempt,
        stage=stage,
        reason=reason,
        detail=detail,
        commit=commit,
        wall_s=wall_s,
    )
