"""What the judge of the paper's sentences is shown of the session's runs: facts with keys, ends of logs, and diffs.

Logs and diffs come from code that a model wrote, so they are bounded, cleaned, and fenced in the prompt. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent.core.manifest import Setting
from agent.core.record import RunRecord
from agent.lab.jobs.paths import JobPaths
from agent.lab.measuring.scratch import TrainingPaths
from agent.publishing import digest
from agent.publishing.manuscript import Manuscript
from agent.sandbox import harvest
from agent.session.events import AttemptFailed
from agent.session.states import RunState
from agent.session.tools import Tools
from paper.evidence import sweeps
from paper.evidence.clauses import ranking
from paper.evidence.confirmation import OURS
from paper.evidence.confirmed import confirmation
from paper.evidence.facts import FactError, Facts
from paper.evidence.few import few
from paper.evidence.prices import price
from paper.evidence.series import series_of

MAX_LOG = 500  # characters of one run's log
MAX_DIFF = 12_000  # of one run's diff
MAX_DIFFS = 60_000  # of all of them


@dataclass(frozen=True)
class RunEvidence:
    """One run as the reviewer reads it."""

    run: str
    head: str
    lines: tuple[str, ...]  # "3/metrics/f1: ..."
    log: str
    diff: str  # against the run that it starts from


@dataclass(frozen=True)
class Evidence:
    """The runs in the order in which they were made; of very many runs, those that few.py chooses."""

    runs: tuple[RunEvidence, ...]
    settings: tuple[str, ...]  # that all runs share
    unshown: int = 0  # further runs


def gather(tools: Tools) -> Evidence:
    """Collect the evidence about the session's runs, within the bounds above."""
    facts, left, runs = Manuscript(tools).facts, MAX_DIFFS, []
    shown = few(facts)
    for record in shown.records:
        parent = next((r for r in facts.records if r.run == record.parent), None)
        diff = ""
        if parent and record.commit and record.kind == "experiment":
            whole = tools.versions.diff(parent.commit, record.commit, tools.template.manifest.editable)
            diff = harvest.tail(whole, max(200, min(MAX_DIFF, left)))
            left -= len(diff)
        state = tools.session.runs[record.run]
        said = lines(record, state.failures, facts)
        if state.planned is not None:
            said.insert(
                1, f"{record.run}/hypothesis, before it was run: {harvest.one_line(state.planned.hypothesis, 600)}"
            )
        runs.append(RunEvidence(record.run, head(record), tuple(said), _log(tools, state), diff))
    return Evidence(tuple(runs), settings(facts), len(facts.records) - len(shown.records))


def settings(facts: Facts) -> tuple[str, ...]:
    """The settings that all runs share, then those of each condition."""
    shared = [f"{name}: {value}" for name, value in _common(facts).items()]
    conditions = facts.records[0].conditions if facts.records else ()
    return (*shared, *(f"{name} ({c.label}): {value}" for c in conditions for name, value in c.settings.items()))


def _common(facts: Facts) -> dict[str, Setting]:
    """The settings that have the same value in every run."""
    first, *others = [record.settings for record in facts.records] or [{}]
    return {name: value for name, value in first.items() if all(o.get(name) == value for o in others)}


def order(shown: Facts, facts: Facts) -> tuple[str, ...]:
    """The ranking of the shown runs in each metric and condition, a line each, and the outcome of the confirmation.

    `shown` has the runs that are ranked, `facts` all of them.
    """
    lines = []
    for metric in facts.manifest.headline:
        for condition in facts.condition_names():
            with suppress(FactError):  # a run without this metric
                lines.append(f"{ranking(shown, metric, condition).text} ({facts.direction(metric)})")
    return (*lines, f"confirmation: {confirmation(facts).text}")


# ---------------------------------------------------------------- one run


def head(record: RunRecord) -> str:
    """A run's name, kind, parent and outcome in one line."""
    parent = f", from run {record.parent}" if record.parent is not None else ""
    return f"run {record.run}: {record.name} ({record.label}), {record.kind}{parent}, {record.status}"


def lines(record: RunRecord, failures: Sequence[AttemptFailed], facts: Facts) -> list[str]:
    """What the record says of a run, one fact a line, each with a key such as "3/metrics/f1"."""
    run, several = record.run, len(record.conditions) > 1
    found = [
        f"{run}/about: {harvest.one_line(record.about, 600)}",
        f"{run}/status: {record.status}",
        f"{run}/attempts: {record.attempts}",
        f"{run}/seeds: {', '.join(map(str, record.seeds))}",
        f"{run}/hardware: {record.device}, {record.wall_s:.0f} s in all",
    ]
    alike = _common(facts)
    found += [f"{run}/settings/{name}: {value}" for name, value in record.settings.items() if name not in alike]
    for field in ("metrics", "diagnostics"):
        mark = "" if field == "metrics" and facts.manifest.measured else "(self-reported) "
        for condition in record.conditions:
            at = f"/{condition.name}" if several else ""
            for name in sorted({key for t in record.trainings for key in getattr(t, field)}):
                if series := series_of(record, name, condition.name, field):
                    by_seed = f", by seed {', '.join(f'{value:.4g}' for value in series.values)}"
                    if field == "metrics" and facts.manifest.metrics[name].detail:
                        by_seed = ""
                    found.append(f"{run}/{field}/{name}{at}: {mark}{series.quantity().text()}{by_seed}")
    found += [f"{run}/sweep: {line}" for line in sweeps.told(record, facts)]
    found += _verdicts(record, facts)
    if record.findings:
        found.append(f"{run}/findings: " + "; ".join(f"{f.grade}: {f.text}" for f in record.findings))
    if failures:
        found.append(f"{run}/failures: {digest.failures(failures)}")
    return found


def _verdicts(record: RunRecord, facts: Facts) -> list[str]:
    """The runner's own verdicts on a run: the confirmation's outcome, or the guards that it breaks."""
    if record.run == OURS:
        return [f"{record.run}/verdict: {confirmation(facts).text}"]
    if record.kind != "experiment" or record.status != "measured" or not facts.manifest.guards:
        return []
    base = facts.record("baseline")
    broken = facts.broken_guards(record.name, base.name)
    said = f"broken against {base.name}: {price(facts, broken, values=True)}" if broken else "none is broken"
    return [f"{record.run}/guards: {said}"]


def _log(tools: Tools, state: RunState) -> str:
    """The end of what the last attempt's first training printed and logged; "" if its folder was removed."""
    path = JobPaths(tools.paths.attempt(state.run, state.attempt, state.restarts)).job
    if not path.is_file():
        return ""
    job = JobPaths(path.parent).read_job()
    training = TrainingPaths.of(job, job.seeds[0], job.conditions[0].name)
    files = [training.text("train.stdout"), training.text("train.stderr"), training.kept / "log.jsonl"]
    said = (harvest.read_text(file)[-MAX_LOG // 2 :].strip() for file in files)
    return harvest.tail("\n".join(text for text in said if text), MAX_LOG)
