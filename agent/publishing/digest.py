"""What the session's runs came to, in a bounded number of lines, for whoever plans, comments or writes. Pure.

Facts are the records'; a model's words stand in quotes and are cut. The length does not grow with the number of runs.
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
from paper.evidence.series import series_of
from paper.evidence.vocabulary import Result

MOST = 12  # runs that are told in full: the baselines, the best, the newest; of the others the names
NAMED = 40  # of the others, the newest by name
POINTS = 5  # of a learning curve
CHANGE, WORDS = 400, 500  # characters of what a run changed, and of what its planner made of it
CONDITIONS = 3  # whose verdicts are told
QUANTITIES = 60  # lines of what tables leave out


def runs(session: Session, facts: Facts, *, words: bool = False) -> list[str]:
    """Each run with what it changed and what came of it; with `words`, also how its planner read it."""
    over = [run for run in session.runs.values() if run.over and run.kind != "confirmation"]
    told = _told(over, facts)
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


def shown(session: Session, facts: Facts) -> Facts:
    """The facts of the runs that are told in full, for a table of bounded length."""
    told = _told([run for run in session.runs.values() if run.over], facts)
    return Facts([r for r in facts.records if r.run in told], facts.manifest, facts.profile)


def detail(record: RunRecord, facts: Facts) -> list[str]:
    """A run seed by seed: metrics, what the experiment says of itself, how its loss fell, what it took.

    A metric that tables leave out stands beside what the run it starts from, and the strongest baseline, have in it.
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
    """What tables of means leave out, by quantity: metrics told in detail, and what runs say of themselves."""
    told = _told_of(facts.measured, facts)
    lines: list[str] = []
    for name in (n for n, spec in facts.manifest.metrics.items() if spec.detail):
        lines += _row(told, name, "metrics", facts)
    for name in dict.fromkeys(key for r in told for t in r.trainings for key in t.diagnostics):
        lines += _row(told, name, "diagnostics", facts)
    return lines[:QUANTITIES]


def _told_of(records: Sequence[RunRecord], facts: Facts) -> list[RunRecord]:
    """The baselines, the best and the newest of many."""
    best = facts.described.run if facts.measured else ""
    kept = {r.run for r in records if r.kind == "baseline" or r.run == best} | {r.run for r in records[-MOST:]}
    return [r for r in records if r.run in kept]


def _row(
    records: Sequence[RunRecord], name: str, field: Literal["metrics", "diagnostics"], facts: Facts
) -> Iterator[str]:
    """One quantity under one condition, run by run; nothing where no run has it."""
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
    """Why attempts came to nothing, in a line."""
    return "; ".join(f"attempt {f.attempt}: {f.stage}: {one_line(f.reason, 80)}" for f in failed)


def left(session: Session) -> list[str]:
    """What may still be spent."""
    chosen = session.options
    runs_left = max(0, chosen.runs - len(session.experiments))
    lines = [f"{runs_left} of {chosen.runs} {'run is' if runs_left == 1 else 'runs are'} left"]
    if chosen.hours is not None:
        lines.append(f"{max(0.0, chosen.hours - session.active_s / 3600):.1f} of {chosen.hours:g} hours")
    if chosen.max_usd is not None:
        lines.append(f"${max(0.0, chosen.max_usd - session.usd):.2f} of ${chosen.max_usd:g}")
    return lines


def _told(over: Sequence[RunState], facts: Facts) -> frozenset[str]:
    """The runs that are told in full: of many, the baselines, the best of the others and the newest."""
    if len(over) <= MOST:
        return frozenset(run.run for run in over)
    chosen = [run.run for run in over if run.is_baseline][: MOST // 3]
    measured = [r for r in facts.measured if r.kind == "experiment"]
    for _ in range(MOST // 3):
        if measured:
            best = facts.best_of(measured)
            measured.remove(best)
            chosen += [best.run, *([best.parent] if best.parent else [])]
    newest = [run.run for run in reversed(over) if run.run not in chosen]
    return frozenset([*chosen, *newest[: max(0, MOST - len(set(chosen)))]])


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
    """The strongest baseline, which the comparison is fixed against."""
    return facts.record("baseline").name if facts.baselines else ""


def short(text: str, most: int) -> str:
    """One line that ends as a sentence; what is cut off is said to be."""
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
    """Of the first training, each curve in a few numbers."""
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
