"""The session's runs and results in a bounded number of lines, for the prompts of planner, reviewer and writer. Pure.

Numbers and verdicts come from the records; words of a model are quoted and shortened. The length does not grow with the
number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from agent.core.record import RunRecord, Training
from agent.publishing.notes import said_of_spread
from agent.sandbox.harvest import one_line
from agent.session.events import AttemptFailed
from agent.session.session import Session
from agent.session.states import RunState
from paper.evidence import sweeps
from paper.evidence.expressions import evaluate
from paper.evidence.facts import Facts
from paper.evidence.few import few
from paper.evidence.series import series_of
from paper.evidence.vocabulary import Result

MOST = 12  # runs that are described (few.py chooses them); the others are only named
NAMED = 40  # of the others, so many of the newest are named
POINTS = 5  # of a learning curve
CHANGE, WORDS = 400, 500  # characters: of what a run changed, and of its planner's interpretation
CONDITIONS = 3  # for which a comparison or a quantity is given
QUANTITIES = 60  # lines of `beside_tables`


def runs(session: Session, facts: Facts, *, words: bool = False) -> list[str]:
    """A line for each run: what it changed, and how it compares with its parent and the strongest baseline.

    With `words`, also its planner's interpretation. Of many runs only some are described, and the others named.
    """
    over = [run for run in session.runs.values() if run.over and run.kind != "confirmation"]
    told = {record.run for record in shown(facts).records}
    records = {record.run: record for record in facts.records}
    lines = [_line(run, records[run.run], facts, words) for run in over if run.run in told]
    others = [records[run.run] for run in over if run.run not in told]
    if others:
        named = [f"`{r.name}`{'' if r.status == 'measured' else ' (failed)'}" for r in others[-NAMED:]]
        unnamed = f", and {len(others) - NAMED} before them" if len(others) > NAMED else ""
        lines.append(
            f"- {len(others)} further runs, none of them the best or among the newest: {', '.join(named)}{unnamed}"
        )
    return lines


def shown(facts: Facts) -> Facts:
    """The facts of the runs that are described, for a table of bounded length."""
    return few(facts, MOST)


def detail(record: RunRecord, facts: Facts) -> list[str]:
    """Lines about one run: metrics and self-reported quantities seed by seed, curves, time, memory and findings.

    A metric that tables leave out (`detail` in the manifest) is given beside the values of the run's parent and of the
    strongest baseline.
    """
    several, lines = len(record.conditions) > 1, []
    others = [r for r in facts.measured if r.run == record.parent or r.name == _fixed(facts)]
    fields: tuple[tuple[Literal["metrics", "diagnostics"], str], ...]
    fields = (("metrics", "" if facts.manifest.measured else ", self-reported"), ("diagnostics", ", self-reported"))
    for field, mark in fields:
        for name in dict.fromkeys(key for t in record.trainings for key in getattr(t, field)):
            for condition in record.conditions:
                if series := series_of(record, name, condition.name, field):
                    at = f" [{condition.name}]" if several else ""
                    values = ", ".join(f"{value:.4g}" for value in series.values)
                    beside = f"by seed {values}" if facts.manifest.seeded else ""
                    if field == "metrics" and facts.manifest.metrics[name].detail:
                        beside = ", ".join(_beside(r, name, condition.name) for r in others if r.run != record.run)
                    lines.append(f"- {name}{at}{mark}: {'; '.join(filter(None, [series.quantity().text(), beside]))}")
    lines += [f"- {line}" for line in (*sweeps.told(record, facts), *said_of_spread(record))]
    lines += [f"- {name} of the first seed, self-reported: {curve}" for name, curve in _curves(record.trainings)]
    seconds = [t.wall_s for t in record.trainings]
    memory = max((t.peak_memory_mb for t in record.trainings), default=0.0)
    lines.append(f"- a training took {min(seconds):.0f} to {max(seconds):.0f} s and at most {memory:.0f} MB")
    return [*lines, *(f"- check, {f.grade}: {f.code}: {f.text}" for f in record.findings)]


def beside_tables(facts: Facts) -> list[str]:
    """A line for each quantity that tables of means leave out: detailed metrics, and what runs report of themselves."""
    told = few(facts).measured
    lines: list[str] = []
    for name in (n for n, spec in facts.manifest.metrics.items() if spec.detail):
        lines += _row(told, name, "metrics", facts)
    for name in dict.fromkeys(key for r in told for t in r.trainings for key in t.diagnostics):
        lines += _row(told, name, "diagnostics", facts)
    return lines[:QUANTITIES]


def _row(
    records: Sequence[RunRecord], name: str, field: Literal["metrics", "diagnostics"], facts: Facts
) -> Iterator[str]:
    """One quantity run by run, a line for each condition; none where no run has it."""
    mark = ", self-reported" if field == "diagnostics" else ""
    for condition in facts.condition_names()[:CONDITIONS]:
        found = [(r.label, s) for r in records if (s := series_of(r, name, condition, field))]
        at = f" [{condition}]" if len(facts.condition_names()) > 1 else ""
        if found:
            yield f"{name}{at}{mark}: " + ", ".join(f"{label} {series.quantity().text()}" for label, series in found)


def _beside(record: RunRecord, metric: str, condition: str) -> str:
    series = series_of(record, metric, condition)
    return f"{record.name} {series.quantity().text() if series else 'without it'}"


def failures(failed: Iterable[AttemptFailed]) -> str:
    """Why attempts failed, in one line."""
    return "; ".join(f"attempt {f.attempt}: {f.stage}: {one_line(f.reason, 80)}" for f in failed)


def left(session: Session) -> list[str]:
    """How many runs, hours and dollars are left, a line each."""
    chosen = session.options
    runs_left = max(0, chosen.runs - len(session.experiments))
    lines = [f"{runs_left} of {chosen.runs} {'run is' if runs_left == 1 else 'runs are'} left"]
    if chosen.hours is not None:
        lines.append(f"{max(0.0, chosen.hours - session.active_s / 3600):.1f} of {chosen.hours:g} hours")
    if chosen.max_usd is not None:
        lines.append(f"${max(0.0, chosen.max_usd - session.usd):.2f} of ${chosen.max_usd:g}")
    return lines


def _line(run: RunState, record: RunRecord, facts: Facts, words: bool) -> str:
    parent = next((r.name for r in facts.records if r.run == record.parent), "")
    origin = f", from `{parent}`" if parent else ""
    parts = [f"- `{record.name}` ({record.label}, {record.kind}{origin}): {short(record.about, CHANGE)}"]
    if record.status != "measured":
        parts.append("It failed and has no result.")
    else:
        against = dict.fromkeys(name for name in (parent, _fixed(facts)) if name and name != record.name)
        parts += [verdict for name in against for verdict in _verdicts(record.name, name, facts)]
    if run.failures:
        parts.append(f"Failed on the way: {failures(run.failures)}.")
    if words and run.reflection:
        parts.append(f'Read by its planner as: "{short(run.reflection.interpretation, WORDS)}"')
    return " ".join(parts)


def _fixed(facts: Facts) -> str:
    """The name of the strongest baseline; "" where there is no baseline."""
    return facts.record("baseline").name if facts.baselines else ""


def short(text: str, most: int) -> str:
    """A text in one line of about `most` characters; where something is cut off, "[...]" stands in its place."""
    line = one_line(text, 10**6)
    return line if len(line) <= most else f"{line[:most].rsplit(' ', 1)[0]} [...]"


def _verdicts(name: str, parent: str, facts: Facts) -> list[str]:
    conditions = facts.condition_names()
    found = []
    for condition in conditions[:CONDITIONS]:
        at = f', condition="{condition}"' if len(conditions) > 1 else ""
        told = evaluate(f'versus("{name}", "{parent}", "{facts.manifest.primary}"{at})', facts)
        found += [f"{told.text}{f' [{condition}]' if at else ''}."] if isinstance(told, Result) else []
    return found


def _curves(trainings: Sequence[Training]) -> list[tuple[str, str]]:
    """The name of each curve of the first training, with a few of its values."""
    curves = trainings[0].curves if trainings else {}
    steps = curves.get("step", ())
    found = []
    for name, values in curves.items():
        if name in ("step", "steps", "samples") or len(values) != len(steps) or not values:
            continue
        last = len(values) - 1
        places = sorted({round(last * i / (POINTS - 1)) for i in range(POINTS)})
        found.append((name, ", ".join(f"{values[p]:.4g} at step {steps[p]:.0f}" for p in places)))
    return found
