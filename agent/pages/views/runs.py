"""The runs of a session as a table, as a tree by parents, and as cards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.core.record import Finding, RunRecord
from agent.pages.run_files import RunFiles
from agent.pages.views.cards import Card, all_findings, card_of
from agent.pages.views.words import lasted
from agent.session.session import Session
from paper.evidence.facts import Facts
from paper.evidence.numbers import Quantity, decimals_for_column
from paper.evidence.series import Difference, FactError, series_of

MOST_TEXT, LEAST_TEXT, ALL_TEXT = 24_000, 2_000, 1_000_000  # characters: of a run at most and at least, of all runs


@dataclass(frozen=True)
class Cell:
    """One metric of one run."""

    text: str
    value: float | None = None
    error: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Gap:
    """The difference of a run to the baseline of the plan's comparison, in the primary metric."""

    text: str
    value: float
    interval: str
    good: bool | None  # None: the interval contains zero, or there is none


@dataclass(frozen=True)
class Row:
    """One run under one condition."""

    run: str
    label: str
    kind: str
    status: str
    condition: str  # "" where there is only one
    cells: tuple[Cell, ...]
    seeds: tuple[tuple[int, float], ...]  # of the primary metric
    gap: Gap | None
    attempts: int
    findings: tuple[Finding, ...]
    seconds: float  # of processor or GPU, all trainings

    @property
    def compute(self) -> str:
        return lasted(self.seconds)


@dataclass(frozen=True)
class Heading:
    """The head of a metric's column."""

    label: str
    direction: str
    read: str
    primary: bool


@dataclass(frozen=True)
class Branch:
    """A run with the runs that start from its code."""

    run: str
    label: str
    status: str
    text: str
    children: tuple[Branch, ...]


@dataclass(frozen=True)
class Runs:
    """Everything that the page shows of the runs."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    confirmation: tuple[Row, ...]
    tree: tuple[Branch, ...]
    cards: tuple[Card, ...]
    waiting: tuple[tuple[str, str], ...]  # runs without a record yet: label, phase
    self_reported: bool


def runs(session: Session, facts: Facts, files: Mapping[str, RunFiles]) -> Runs:
    """All runs that have ended, and the labels of those that have not."""
    headings = tuple(
        Heading(spec.label, facts.direction(key), spec.read, spec.primary)
        for key, spec in facts.manifest.metrics.items()
    )
    explored = _aligned([row for record in facts.explored for row in _rows(record, facts, session)], facts)
    arms = _aligned([row for record in facts.confirmations for row in _rows(record, facts, session)], facts)
    each = max(LEAST_TEXT, min(MOST_TEXT, ALL_TEXT // max(1, len(facts.records))))
    return Runs(
        headings=headings,
        rows=tuple(_marked(explored, facts)),
        confirmation=tuple(arms),
        tree=tuple(_tree(facts, {row.run: row for row in reversed(explored)})),
        cards=tuple(card_of(r, session.runs[r.run], facts, files.get(r.run, RunFiles()), each) for r in facts.records),
        waiting=tuple(_waiting(session, facts)),
        self_reported=not facts.manifest.measured,
    )


def _waiting(session: Session, facts: Facts) -> Iterator[tuple[str, str]]:
    known = {r.run for r in facts.records}
    phases = {"new": "to come", "edited": "edited", "linted": "ready to train", "submitted": "training"}
    for run in session.runs.values():
        if run.run not in known:
            label = run.planned.label if run.planned else f"run {run.run}"
            yield label, phases.get(run.phase, run.phase)
    for planned in session.pending[: max(0, session.options.runs - len(session.experiments))]:
        yield planned.label, "planned"


# ---------------------------------------------------------------- table


def _rows(record: RunRecord, facts: Facts, session: Session) -> Iterator[Row]:
    several = len(record.conditions) > 1
    for condition in record.conditions:
        trainings = [t for t in record.trainings if t.condition == condition.name]
        primary = facts.manifest.primary
        yield Row(
            run=record.run,
            label=record.label,
            kind=record.kind,
            status=record.status,
            condition=condition.label if several else "",
            cells=tuple(_cell(record, key, condition.name, facts) for key in facts.manifest.metrics),
            seeds=tuple((t.seed, t.metrics[primary]) for t in trainings if primary in t.metrics),
            gap=gap_of(record, condition.name, facts, session),
            attempts=record.attempts,
            findings=all_findings(record),
            seconds=sum(t.gpu_s if t.gpu_s is not None else t.cpu_s for t in trainings),
        )


def _cell(record: RunRecord, key: str, condition: str, facts: Facts) -> Cell:
    series = series_of(record, key, condition) if record.status == "measured" else None
    if series is None:
        return Cell("")
    return Cell(series.quantity(facts.unit(key)).text(), series.mean, series.se)


def _aligned(rows: Sequence[Row], facts: Facts) -> list[Row]:
    """The rows with the same decimals in each metric's column, as in the paper's tables."""
    columns = [
        [q for cell in column if (q := _quantity(cell))] for column in zip(*(r.cells for r in rows), strict=True)
    ]
    places = [decimals_for_column(column) for column in columns]
    units = [facts.unit(key) for key in facts.manifest.metrics]

    def text(cell: Cell, at: int) -> str:
        found = _quantity(cell)
        return replace(found, unit=units[at], places=places[at]).text() if found else cell.text

    return [
        replace(row, cells=tuple(replace(cell, text=text(cell, at)) for at, cell in enumerate(row.cells)))
        for row in rows
    ]


def _quantity(cell: Cell) -> Quantity | None:
    return None if cell.value is None else Quantity(cell.value, cell.error)


def _marked(rows: Sequence[Row], facts: Facts) -> Iterator[Row]:
    """The rows with the best value of each metric under each condition marked."""
    best: dict[tuple[str, int], float] = {}
    names = {c.label: c.name for r in facts.explored for c in r.conditions}

    def merit(row: Row, place: int, key: str) -> float | None:
        value = row.cells[place].value
        if value is None:
            return None
        condition = names.get(row.condition) or facts.condition_names()[0]
        try:
            return facts.merit(key, value, condition)
        except FactError:
            return None

    for row in rows:
        for place, key in enumerate(facts.manifest.metrics):
            found = merit(row, place, key)
            at = (row.condition, place)
            if found is not None and found > best.get(at, float("-inf")):
                best[at] = found

    def is_best(row: Row, place: int, key: str) -> bool:
        found, most = merit(row, place, key), best.get((row.condition, place))
        # sums of the same numbers in another order differ in their last digits
        return found is not None and most is not None and math.isclose(found, most, rel_tol=1e-9)

    for row in rows:
        cells = [
            replace(cell, best=is_best(row, place, key))
            for place, (cell, key) in enumerate(zip(row.cells, facts.manifest.metrics, strict=True))
        ]
        yield replace(row, cells=tuple(cells))


def gap_of(record: RunRecord, condition: str, facts: Facts, session: Session) -> Gap | None:
    """The difference to the baseline that the plan fixed, or to the first baseline before there is a plan."""
    baseline = session.plan.comparison.baseline if session.plan else ""
    if not baseline and facts.baselines:
        baseline = facts.baselines[0].name
    if record.kind == "confirmation" or record.name == baseline:
        return None
    try:
        found = facts.difference(record.name, baseline, facts.manifest.primary, condition)
    except FactError:
        return None
    return _gap(found, facts, condition)


def _gap(found: Difference, facts: Facts, condition: str) -> Gap:
    metric = facts.manifest.primary
    ahead = facts.merit(metric, found.a.mean, condition) > facts.merit(metric, found.b.mean, condition)
    return Gap(
        text=found.quantity(facts.unit(metric)).text(),
        value=found.value,
        interval=f"95% interval {found.interval_text(facts.unit(metric))}" if found.judged else "one seed: no interval",
        good=ahead if found.distinct else None,
    )


# ---------------------------------------------------------------- tree


def _tree(facts: Facts, rows: Mapping[str, Row]) -> Iterator[Branch]:
    """The runs without a parent, each with those that start from it. `rows` has the first row of each run."""
    primary = list(facts.manifest.metrics).index(facts.manifest.primary)
    known = {r.run for r in facts.explored}
    children: dict[str, list[RunRecord]] = {}
    for record in facts.explored:
        if record.parent in known and record.parent != record.run:
            children.setdefault(record.parent or "", []).append(record)

    def branch(record: RunRecord, above: frozenset[str]) -> Branch:
        below = [c for c in children.get(record.run, ()) if c.run not in above]
        row = rows[record.run]
        return Branch(
            run=record.run,
            label=record.label,
            status=record.status,
            text="" if row.condition else row.cells[primary].text,
            children=tuple(branch(c, above | {record.run}) for c in below),
        )

    for record in facts.explored:
        if record.parent not in known:
            yield branch(record, frozenset())
