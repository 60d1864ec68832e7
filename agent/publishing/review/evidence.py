"""What the evidence reviewer is shown, by key, and whether one of its findings stands. Reads; writes nothing.

Log tails and diffs are text of the agent's code: bounded, cleaned, and fenced by the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.record import RunRecord
from agent.core.reviews import Doubt, EvidenceFinding
from agent.lab.jobs.paths import JobPaths
from agent.lab.measuring.scratch import TrainingPaths
from agent.publishing.manuscript import Manuscript
from agent.sandbox import harvest
from agent.session.states import RunState
from agent.session.tools import Tools
from paper.evidence.confirmation import OURS
from paper.evidence.confirmed import confirmation
from paper.evidence.expressions import Problem, evaluate
from paper.evidence.facts import Facts
from paper.evidence.prices import price
from paper.evidence.series import series_of

MAX_LOG = 1_200  # characters of one run's log
MAX_DIFF = 12_000  # of one run's diff
MAX_DIFFS = 60_000  # of all of them
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class RunEvidence:
    """One run as the reviewer reads it."""

    run: str
    head: str
    lines: tuple[str, ...]  # "3/metrics/f1: ..."
    log: str
    diff: str


@dataclass(frozen=True)
class Evidence:
    """`sections`: the text as it prints, by name. `keys`: every place that a finding may point to."""

    sections: Mapping[str, str]
    runs: tuple[RunEvidence, ...]
    keys: frozenset[str]


def gather(tools: Tools) -> Evidence:
    """Everything there is about the session's runs, within bounds."""
    manuscript = Manuscript(tools)
    facts, left, runs = manuscript.facts, MAX_DIFFS, []
    first = next((r for r in facts.records if r.status == "measured"), None)
    for record in facts.records:
        diff = ""
        if first and record.commit and record.kind == "experiment":
            whole = tools.versions.diff(first.commit, record.commit, tools.template.manifest.editable)
            diff = harvest.tail(whole, max(200, min(MAX_DIFF, left)))
            left -= len(diff)
        state = tools.session.runs[record.run]
        runs.append(
            RunEvidence(record.run, _head(record), tuple(_lines(record, state, facts)), _log(tools, state), diff)
        )
    keys = {line.partition(": ")[0] for run in runs for line in run.lines}
    keys |= {f"{run.run}/{part}" for run in runs for part in ("log", "diff") if getattr(run, part)}
    return Evidence(printed(manuscript), tuple(runs), frozenset(keys))


def printed(manuscript: Manuscript) -> dict[str, str]:
    """The sections with every expression replaced by what it prints."""
    return {name: _filled(text, manuscript.facts) for name, text in manuscript.sections().items()}


def _filled(text: str, facts: Facts) -> str:
    def value(match: re.Match[str]) -> str:
        found = evaluate(match[1], facts)
        return match[0] if isinstance(found, Problem) else found.text

    return _EXPRESSION.sub(value, text)


def place(finding: EvidenceFinding, evidence: Evidence) -> Doubt | str:
    """The finding with the section that its quote stands in, or why it does not count."""
    section = standing(finding.quote, evidence.sections)
    quote = harvest.one_line(finding.quote, 80)
    if section is None:
        return f'"{quote}": does not occur in the paper'
    if finding.relation == "contradicts" and finding.key not in evidence.keys:
        return f'"{quote}": the evidence has no "{harvest.one_line(finding.key, 60)}" that could contradict it'
    if finding.relation == "lacks" and finding.key in evidence.keys:
        return f'"{quote}": the evidence does hold "{finding.key}", so it is not lacking'
    return Doubt(**finding.model_dump(), section=section)


def standing(quote: str, sections: Mapping[str, str]) -> str | None:
    """The section in which a quote occurs word for word; line breaks do not count."""
    wanted = " ".join(quote.split())
    return next((name for name, text in sections.items() if wanted in " ".join(text.split())), None)


# ---------------------------------------------------------------- one run


def _head(record: RunRecord) -> str:
    parent = f", from run {record.parent}" if record.parent is not None else ""
    return f"run {record.run}: {record.name} ({record.label}), {record.kind}{parent}, {record.status}"


def _lines(record: RunRecord, state: RunState, facts: Facts) -> list[str]:
    run, several = record.run, len(record.conditions) > 1
    lines = [
        f"{run}/about: {harvest.one_line(record.about, 600)}",
        f"{run}/status: {record.status}",
        f"{run}/attempts: {record.attempts}",
        f"{run}/seeds: {', '.join(map(str, record.seeds))}",
        f"{run}/hardware: {record.device}, {record.wall_s:.0f} s in all",
    ]
    lines += [f"{run}/settings/{name}: {value}" for name, value in record.settings.items()]
    for field in ("metrics", "diagnostics"):
        mark = "(self-reported) " if field == "diagnostics" else ""
        for condition in record.conditions:
            at = f"/{condition.name}" if several else ""
            for name in sorted({key for t in record.trainings for key in getattr(t, field)}):
                if found := series_of(record, name, condition.name, field):
                    by_seed = ", ".join(f"{value:.4g}" for value in found.values)
                    lines.append(f"{run}/{field}/{name}{at}: {mark}{found.quantity().text()}, by seed {by_seed}")
    lines += _verdicts(record, facts)
    if record.findings:
        lines.append(f"{run}/findings: " + "; ".join(f"{f.grade}: {f.text}" for f in record.findings))
    if state.failures:
        lines.append(
            f"{run}/failures: "
            + "; ".join(f"attempt {f.attempt}: {f.stage}: {harvest.one_line(f.reason, 80)}" for f in state.failures)
        )
    return lines


def _verdicts(record: RunRecord, facts: Facts) -> list[str]:
    """What the runner itself says of a run: the confirmation's outcome, and what being ahead would have cost."""
    if record.run == OURS:
        return [f"{record.run}/verdict: {confirmation(facts).text}"]
    if record.kind != "experiment" or record.status != "measured" or not facts.manifest.guards:
        return []
    base = facts.record("baseline")
    broken = facts.broken_guards(record.name, base.name)
    said = f"broken against {base.name}: {price(facts, broken, values=True)}" if broken else "none is broken"
    return [f"{record.run}/guards: {said}"]


def _log(tools: Tools, state: RunState) -> str:
    """The end of what the last attempt printed and logged; nothing where its folder is gone."""
    path = JobPaths(tools.paths.attempt(state.run, state.attempt, state.restarts)).job
    if not path.is_file():
        return ""
    job = JobPaths(path.parent).read_job()
    training = TrainingPaths.of(job, job.seeds[0], job.conditions[0].name)
    files = [training.text("train.stdout"), training.text("train.stderr"), training.kept / "log.jsonl"]
    said = (harvest.read_text(file)[-MAX_LOG // 2 :].strip() for file in files)
    return harvest.tail("\n".join(text for text in said if text), MAX_LOG)
