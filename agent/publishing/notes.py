"""notes.txt: the results of each run from its record, with the words of models under headings of their own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.core.record import RunRecord
from agent.session.session import Session
from agent.session.states import RunState
from paper.evidence import sweeps
from paper.evidence.facts import Facts
from paper.evidence.series import averaged, series_of
from paper.truth.checks import unverified_numbers

_RUN_NAME = re.compile(r"\d+(?:\.[a-z]\w*)?")
_RUNS = re.compile(rf"\b[Rr]uns? {_RUN_NAME.pattern}(?:(?:, and |, | and | or ){_RUN_NAME.pattern})*(?![\w.]*\d)")
_COUNT = re.compile(
    r"\b(?:[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive)(?= (?:[a-z-]+ )?(?:explanations|hypotheses|reasons|questions|caveats|"
    r"possibilities|readings|interpretations|concerns|remarks|observations|suggestions|follow-ups|checks)\b)"
)


def render(session: Session, facts: Facts) -> str:
    """The text of the whole file, which is written again after every run."""
    measured = {record.run: record for record in facts.records if record.status == "measured"}
    parts = [*_before_the_runs(session, facts)]
    for run in sorted(session.runs.values(), key=lambda run: not run.over):  # a run that is not over comes last
        record = measured.get(run.run)
        if record is not None:
            parts += _measured(record, facts)
        elif run.phase == "failed":
            parts += _failure(run)
        parts += _said_of(run, facts)
    if session.confirmation and session.confirmation.reason:
        parts += ["## Confirmation", "", f"None was made: {session.confirmation.reason}.", ""]
    if session.figures:
        parts += ["## Figures", ""]
        for figure in session.figures:
            parts += [f"### {figure.name} ({figure.file}, drawn by the {figure.by})", "", figure.caption, ""]
            if figure.description:
                parts += ["Description (a model's words):", "", *_words(figure.description, facts)]
    return "\n".join(parts).rstrip() + "\n"


def _before_the_runs(session: Session, facts: Facts) -> list[str]:
    """The head of the file: question, judgement on novelty, and the comparison that the plan fixed."""
    manifest = facts.manifest
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
    if session.plan is not None:
        fixed = session.plan.comparison
        parts += ["## Comparison fixed before the first run", "", f"{fixed.metric} against {fixed.baseline}.", ""]
        parts += ["Why (a model's words):", "", *_words(fixed.why, facts)]
    return parts


def _said_of(run: RunState, facts: Facts) -> list[str]:
    """What the reviewer, a person and the planner said of a run, each under a heading."""
    parts = []
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
    return parts


def one_line(record: RunRecord, facts: Facts) -> str:
    """A run's headline metrics, averaged over its conditions, for the console; a metric without a value is left out."""
    defined = [name for name in facts.manifest.headline if all(name in t.metrics for t in record.trainings)]
    return ", ".join(
        f"{facts.spec(name).label} {averaged(record, name).quantity(facts.unit(name)).text()}" for name in defined
    )


def _words(text: str, facts: Facts) -> list[str]:
    """A model's words, followed by a list of the numbers in them that no record supports."""
    loose = [number for number in unverified_numbers(_without_names(text, facts), facts) if number != "%"]
    mark = [f"[not verified: {', '.join(loose)}]", ""] if loose else []
    return [text, "", *mark]


def _without_names(text: str, facts: Facts) -> str:
    """The text without numbers that name a run of the session or count what follows ("three questions")."""
    known = {record.run for record in facts.records}

    def named(match: re.Match[str]) -> str:
        return "these runs" if known.issuperset(_RUN_NAME.findall(match[0])) else match[0]

    return _COUNT.sub("several", _RUNS.sub(named, text))


def _measured(record: RunRecord, facts: Facts) -> list[str]:
    parent = f", from run {record.parent}" if record.parent is not None else ""
    lines = [
        f"## Run {record.run}: {record.label} ({record.kind}{parent})",
        "",
        record.about,
        "",
        f"### Facts ({_how_known(record, facts)})",
        "",
    ]
    where = {c.name: f" [{c.label}]" if len(record.conditions) > 1 else "" for c in record.conditions}
    for name, spec in facts.manifest.metrics.items():
        for condition, at in where.items():
            if series := series_of(record, name, condition):
                lines.append(f"- {spec.label}{at}: {series.quantity(facts.unit(name)).text()}")
    for name in sorted({key for training in record.trainings for key in training.diagnostics}):
        for condition, at in where.items():
            if series := series_of(record, name, condition, "diagnostics"):
                lines.append(f"- {name}{at} (self-reported by the experiment): {series.quantity().text()}")
    lines += [f"- {line}" for line in (*sweeps.told(record, facts), *said_of_spread(record))]
    lines += [
        f"- attempts: {record.attempts}; training: {sum(t.wall_s for t in record.trainings):.0f} s in all; "
        f"commit {record.commit[:10]}"
    ]
    lines += [f"- {finding.grade}: {finding.code}: {finding.text}" for finding in record.findings]
    return [*lines, ""]


def _how_known(record: RunRecord, facts: Facts) -> str:
    if not facts.manifest.seeded:
        return "written by the runner, from what one execution of the script reported"
    return f"written by the runner; n = {len(record.seeds)} seeds, mean ± standard error"


def said_of_spread(record: RunRecord) -> Iterator[str]:
    """A line for each quantity that a self-reporting experiment gave as undefined or with a spread of its own."""
    for training in record.trainings:
        for name in training.undefined:
            yield f"{name}: undefined; the experiment reported NaN or an infinite number"
        for name, told in training.statistics.items():
            own = ", ".join(f"{value:.4g}" for value in told.values)
            error = f"standard error as the experiment computed it {told.stderr:.2g}" if told.stderr is not None else ""
            values = f"over its own {len(told.values)} values {own}" if own else ""
            yield f"{name}, self-reported: {'; '.join(part for part in (values, error) if part)}"


def _failure(run: RunState) -> list[str]:
    what = (
        [f"## Run {run.run}: {run.planned.label} (failed)", "", run.planned.change]
        if run.planned
        else [f"## Run {run.run} (failed)", "", f"Run {run.repeats} on fresh seeds and fresh data."]
    )
    lines = [*what, "", "### Facts (written by the runner)", ""]
    lines += [f"- attempt {f.attempt}: {f.stage}: {f.reason}" for f in run.failures]
    return [*lines, ""]


def table(facts: Facts) -> str:
    """A Markdown table: a row for each measured run and condition, a column for each headline metric (mean ± error)."""
    metrics, several = facts.manifest.headline, len(facts.condition_names()) > 1
    heads = [f"{spec.label} ({facts.direction(name)})" for name, spec in metrics.items()]
    rows = [["run", "name", *(["condition"] if several else []), *heads]]
    for record in facts.measured:
        for condition in facts.condition_names(record):
            found = {name: series_of(record, name, condition) for name in metrics}
            cells = [series.quantity(facts.unit(name)).text() if series else "--" for name, series in found.items()]
            rows.append([record.run, record.name, *([condition] if several else []), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
