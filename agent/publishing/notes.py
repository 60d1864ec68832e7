"""notes.txt: facts from the records, each model's words under their own heading. A pure function of state."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from agent.core.manifest import Manifest, MetricSpec, aim
from agent.core.record import RunRecord
from agent.core.template import Template
from agent.publishing.records import mean, standard_error, values
from agent.session.session import Session
from agent.session.states import RunState
from paper.evidence.facts import Facts
from paper.truth.checks import unverified_numbers


def render(session: Session, records: Sequence[RunRecord], template: Template) -> str:
    """The whole file, written anew after every run."""
    manifest = template.manifest
    by_run = {record.run: record for record in records}
    facts = Facts(records, manifest, session.options.profile)
    parts = [
        f"# {session.idea.Title}",
        "",
        f"Question: {manifest.question}",
        f"Primary metric: {manifest.metrics[manifest.primary].label}. Runs are exploratory: each was planned "
        "after the ones before it were seen.",
        "",
    ]
    if verdict := session.verdict:
        parts += [
            "## Novelty (a model's judgement before the first run, not measured)",
            "",
            f"Verdict: {verdict.verdict}. {verdict.reason}",
            "",
            "Closest works:",
            "",
            *(f"- [@{c.key}]: {c.why}" for c in verdict.closest),
            "",
        ]
    for run in session.runs.values():
        record = by_run.get(run.run)
        if record is not None:
            parts += _facts(record, manifest)
        elif run.phase == "failed":
            parts += _failure(run)
        if run.comment:
            parts += ["### Reviewer's comment (a model's words)", "", *_words(run.comment.text, facts)]
        if run.feedback:
            parts += ["### A person's word", "", run.feedback, ""]
        if run.reflection:
            parts += [
                "### Interpretation (a model's words, not measured)",
                "",
                *_words(run.reflection.interpretation, facts),
            ]
    if session.figures:
        parts += ["## Figures", ""]
        for figure in session.figures:
            parts += [f"### {figure.name} ({figure.file}, drawn by the {figure.by})", "", figure.caption, ""]
            if figure.description:
                parts += ["Description (a model's words):", "", *_words(figure.description, facts)]
    return "\n".join(parts).rstrip() + "\n"


def one_line(record: RunRecord, manifest: Manifest) -> str:
    """All metrics of a run, on the console."""
    return ", ".join(f"{spec.label} {_number(record, name)}" for name, spec in manifest.metrics.items())


def _words(text: str, facts: Facts) -> list[str]:
    """A model's words; numbers in them that no record bears out are marked."""
    loose = [number for number in unverified_numbers(text, facts) if number != "%"]
    mark = [f"[not verified: {', '.join(loose)}]", ""] if loose else []
    return [text, "", *mark]


def _facts(record: RunRecord, manifest: Manifest) -> list[str]:
    parent = f", from run {record.parent}" if record.parent is not None else ""
    lines = [
        f"## Run {record.run}: {record.label} ({record.kind}{parent})",
        "",
        record.about,
        "",
        f"### Facts (written by the runner; n = {len(record.seeds)} seeds, mean ± standard error)",
        "",
    ]
    for name, spec in manifest.metrics.items():
        for condition in record.conditions:
            at = f" [{condition.label}]" if len(record.conditions) > 1 else ""
            lines.append(f"- {spec.label}{at}: {_number(record, name, condition.name)}{spec.unit and ' ' + spec.unit}")
    said = sorted({key for training in record.trainings for key in training.diagnostics})
    for key in said:
        found = [t.diagnostics[key] for t in record.trainings if key in t.diagnostics]
        lines.append(f"- {key} (self-reported by the experiment): {fmean(found):.4g}")
    lines += [
        f"- attempts: {record.attempts}; training: {sum(t.wall_s for t in record.trainings):.0f} s in all; "
        f"commit {record.commit[:10]}"
    ]
    lines += [f"- {finding.grade}: {finding.code}: {finding.text}" for finding in record.findings]
    return [*lines, ""]


def _failure(run: RunState) -> list[str]:
    what = (
        [f"## Run {run.run}: {run.planned.label} (failed)", "", run.planned.change]
        if run.planned
        else [f"## Run {run.run} (failed)", "", f"Run {run.repeats} on fresh seeds and a fresh world."]
    )
    lines = [*what, "", "### Facts (written by the runner)", ""]
    lines += [f"- attempt {f.attempt}: {f.stage}: {f.reason}" for f in run.failures]
    return [*lines, ""]


def _number(record: RunRecord, metric: str, condition: str | None = None) -> str:
    error = standard_error(values(record, metric, condition))
    middle = f"{mean(record, metric, condition):.4g}"
    return middle if error is None else f"{middle} ± {error:.2g}"


def table(records: Sequence[RunRecord], manifest: Manifest) -> str:
    """A compact Markdown table: one row a run, one column a metric, mean ± standard error over seeds."""
    arrows = {"higher": "higher is better", "lower": "lower is better"}
    heads = [
        f"{spec.label} ({arrows.get(spec.better) or _target(name, spec, records)})"
        for name, spec in manifest.metrics.items()
    ]
    several = len(records[0].conditions) > 1 if records else False
    rows = [["run", "name", *(["condition"] if several else []), *heads]]
    for record in records:
        for condition in [c.name for c in record.conditions] if several else [None]:
            cells = [_cell(values(record, metric, condition)) for metric in manifest.metrics]
            rows.append([record.run, record.name, *([condition] if several else []), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


def _target(metric: str, spec: MetricSpec, records: Sequence[RunRecord]) -> str:
    found = aim(metric, spec, records[0].settings, records[0].conditions) if records else spec.target
    return "target: the condition's" if found is None else f"target {found:g}"


def _cell(numbers: Sequence[float]) -> str:
    error = standard_error(numbers)
    return f"{fmean(numbers):.4g}" if error is None else f"{fmean(numbers):.4g} ± {error:.2g}"
