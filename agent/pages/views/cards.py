"""The card of each run. Facts come from its record; words of models and the ends of logs are shortened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.record import Finding, RunRecord
from agent.pages.run_files import RunFiles
from agent.pages.views.code import Diff, diff_of
from agent.pages.views.words import Shortened, ended, lasted, shortened
from agent.session.states import RunState
from paper.evidence import sweeps
from paper.evidence.facts import Facts, record_sha256
from paper.evidence.numbers import fixed, setting_text
from paper.evidence.series import series_of


@dataclass(frozen=True)
class Attempt:
    """An attempt that failed."""

    number: int
    stage: str
    reason: str
    detail: Shortened


@dataclass(frozen=True)
class Card:
    """Everything that the page shows of one run."""

    run: str
    label: str
    kind: str
    status: str
    about: str
    hypothesis: str
    parent: str  # label
    failed: tuple[Attempt, ...]
    comment: Shortened  # of the reviewer
    reading: Shortened  # the planner's interpretation after the run
    feedback: str  # of a person
    diff: Diff
    log: Shortened
    log_name: str
    findings: tuple[Finding, ...]
    seeds: tuple[tuple[str, ...], ...]  # a line for each training: seed, condition, values
    artefacts: tuple[str, ...]
    loads: str  # how the artefacts are loaded, e.g. "SAELens: topk"
    sweep: tuple[str, ...]  # a line for each headline metric, value by value
    settings: tuple[tuple[str, str], ...]  # those that differ from the first run's
    settings_of: str  # the label of that first run; "" on its own card, which has all settings
    facts: tuple[tuple[str, str], ...]  # device, compute, commit, record


def card_of(record: RunRecord, state: RunState, facts: Facts, files: RunFiles, most: int) -> Card:
    """The card of a run. Its longer texts have at most `most` characters together."""
    planned = state.planned
    parent = next((r for r in facts.records if r.run == record.parent), None)
    measured = [t for t in record.trainings if t.outcome == "measured"]
    first = facts.records[0]
    same = {} if record is first else dict(first.settings)
    return Card(
        run=record.run,
        label=record.label,
        kind=record.kind,
        status=record.status,
        about=record.about,
        hypothesis=planned.hypothesis if planned else "",
        parent=parent.label if parent else "",
        failed=tuple(Attempt(f.attempt, f.stage, f.reason, ended(f.detail, most // 8)) for f in state.failures),
        comment=shortened(state.comment.text if state.comment else "", most // 8),
        reading=shortened(state.reflection.interpretation if state.reflection else "", most // 8),
        feedback=state.feedback,
        diff=diff_of(files.parent_code, files.code, most // 2) if parent else Diff(),
        log=ended(files.log, most // 8),
        log_name=files.log_name,
        findings=all_findings(record),
        seeds=tuple(_seed_lines(record, facts)),
        artefacts=files.artefacts[:20],
        loads=next((t.export for t in measured if t.export), ""),
        sweep=tuple(sweeps.told(record, facts)),
        settings=tuple((k, setting_text(v)) for k, v in record.settings.items() if same.get(k) != v),
        settings_of="" if record is first else first.label,
        facts=tuple(_about(record, state)),
    )


def _seed_lines(record: RunRecord, facts: Facts) -> Iterator[tuple[str, ...]]:
    whole = record.whole
    labels = {c.name: c.label for c in whole.conditions}

    def decimals(key: str, condition: str) -> int:
        found = series_of(whole, key, condition)
        return found.quantity().decimals if found else 3

    for t in whole.trainings:
        values = (
            fixed(t.metrics[key], decimals(key, t.condition)) if key in t.metrics else ""
            for key in facts.manifest.metrics
        )
        yield (str(t.seed), labels.get(t.condition, t.condition), *values, t.reason or t.outcome)


def _about(record: RunRecord, state: RunState) -> Iterator[tuple[str, str]]:
    seconds = sum(t.gpu_s if t.gpu_s is not None else t.cpu_s for t in record.whole.trainings)
    yield "Seeds", ", ".join(map(str, record.seeds))
    yield "Compute", f"{lasted(seconds)} of processor, {lasted(record.wall_s)} on the clock"
    yield "Memory", f"{max((t.peak_memory_mb for t in record.trainings), default=0.0):.0f} MB at most"
    yield "Device", record.device
    yield "Sandbox", record.sandbox
    yield "Commit", record.commit[:12]
    yield "Record", record_sha256(record)[:12]
    if state.restarts:
        yield "Trained again", f"{state.restarts} times, because a machine or process was lost"


def all_findings(record: RunRecord) -> tuple[Finding, ...]:
    """The findings of the integrity gate on a run and its trainings, each once."""
    found = [*record.findings, *(f for t in record.trainings for f in t.findings)]
    return tuple({(f.code, f.text): f for f in found}.values())
