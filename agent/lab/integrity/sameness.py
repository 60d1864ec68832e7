"""Checks of whether a result is this run's own, and no copy of another seed, another run or the code before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from math import isclose

from agent.core.manifest import Manifest
from agent.core.record import RunRecord, Training
from agent.lab.integrity.rule import is_control, named

MOST_ROWS = 100_000  # largest denominator of a metric that counts as a share of held-out rows
CLOSE = 1e-4  # relative; two seeds of an honest training differ by some percent in at least one metric


@named("copied-artefact", "refuse")
def copied_across_seeds(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches two trainings of this run with the same artefact, byte for byte: the seed or the condition made no
    difference. Does not catch a copy with a changed bit (same-across-seeds does)."""
    same_on_purpose = is_control(record, manifest) or record.pretrained
    for one, other in () if same_on_purpose else combinations(_with_artefact(record), 2):
        if one.artefact_sha256 == other.artefact_sha256:
            yield f"the artefact of {_place(other)} is byte for byte that of {_place(one)}"


@named("copied-seed", "refuse")
def artefact_of_another_seed(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches an artefact that an earlier run made under another seed or condition. Does not catch one of the same
    seed, which a refactoring reproduces (repeated-artefact flags it), nor a point of a sweep at the code's own
    default."""
    for run, mine, theirs in _shared(record, earlier):
        if _key(mine) != _key(theirs) and not _default_of_a_sweep(record, run, mine, theirs):
            yield f"the artefact of {_place(mine)} is byte for byte that of run {run.run}, {_place(theirs)}"


@named("repeated-artefact", "flag")
def artefact_of_an_earlier_run(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags an artefact that equals an earlier run's at the same seed: a change without effect on training, a
    refactoring, or a copy."""
    for run, mine, theirs in _shared(record, earlier):
        if _key(mine) == _key(theirs):
            yield f"the artefact of {_place(mine)} is byte for byte that of run {run.run} ({run.label})"


@named("same-across-seeds", "refuse")
def same_across_seeds(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches two seeds whose metrics all agree to four digits: one training was reported twice, perhaps with rows
    reordered or a bit changed. If every metric is a share of some number of rows, two seeds can agree by chance; then
    three or more seeds must all agree. Does not catch a copy with enough noise to move a metric, nor anything in a
    template whose manifest says `one_optimum`, as of a convex loss."""
    expected = is_control(record, manifest) or manifest.one_optimum
    for one, other in () if expected else combinations(record.trainings, 2):
        if (
            one.condition == other.condition
            and _alike(one, other, manifest)
            and one.artefact_sha256 != other.artefact_sha256
            and (_all_alike(record, one, manifest) or not all(_counted(t, manifest) for t in (one, other)))
        ):
            yield f"all metrics of {_place(other)} equal those of {_place(one)}; the seed makes no difference"


@named("no-effect", "flag")
def no_effect(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a change without any effect: every metric of every training equals an earlier run's to four digits. Does
    not catch a copy with enough noise to move a metric."""
    mine = {_key(t): t for t in record.trainings}
    for other in earlier:
        theirs = {_key(t): t for t in other.trainings}
        if mine and mine.keys() == theirs.keys() and all(_same(t, theirs[k], manifest) for k, t in mine.items()):
            yield f"all metrics equal those of run {other.run} ({other.label}) to four digits: the change had no effect"


@named("unchanged-code", "refuse")
def unchanged_code(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches an experiment whose code equals, to the letter, that of the run it started from, and that sweeps no
    number. Does not catch a change of comments alone (no-effect flags it)."""
    parent = next((r for r in earlier if r.run == record.parent), None)
    if record.kind != "experiment" or record.swept or parent is None:
        return
    if _code(record) and _code(record) == _code(parent):
        yield f"the code is that of run {parent.run}, which this run starts from; nothing was tried"


@named("same-code", "flag")
def same_code(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags code that equals that of an earlier run other than the one it started from."""
    for other in (run for run in earlier if run.run not in (record.run, record.parent)):
        if record.kind == "experiment" and _code(record) == _code(other) != {}:
            yield f"the code equals that of run {other.run} ({other.label})"


def _shared(record: RunRecord, earlier: Sequence[RunRecord]) -> Iterator[tuple[RunRecord, Training, Training]]:
    """Each earlier run with the pair of trainings (this run's, its own) that left the same artefact."""
    for run in earlier:
        for theirs in _with_artefact(run):
            for mine in _with_artefact(record):
                if mine.artefact_sha256 == theirs.artefact_sha256:
                    yield run, mine, theirs


def _default_of_a_sweep(record: RunRecord, run: RunRecord, mine: Training, theirs: Training) -> bool:
    """Whether a point of a sweep may equal another run's training: that used the code's default of the swept number."""
    swept, condition = record.swept, next((c for c in run.conditions if c.name == theirs.condition), None)
    known = {**run.settings, **(condition.settings if condition else {})}
    return swept is not None and mine.seed == theirs.seed and swept.setting not in known


def _with_artefact(record: RunRecord) -> list[Training]:
    return [t for t in record.trainings if t.artefact_sha256 is not None]


def _key(training: Training) -> tuple[int, str]:
    return training.seed, training.condition


def _place(training: Training) -> str:
    return f"seed {training.seed}, condition {training.condition}"


def _alike(one: Training, other: Training, manifest: Manifest) -> bool:
    """Whether two measured trainings have the same metrics. Self-reported ones are left out: they may be rounded."""
    return one.artefact_sha256 is not None and bool(one.metrics) and _same(one, other, manifest)


def _counted(training: Training, manifest: Manifest) -> bool:
    """Whether every metric is a ratio of whole numbers, such as an accuracy over a few hundred rows."""
    values = [value for name, value in training.metrics.items() if not manifest.metrics[name].timed]
    return all(isclose(Fraction(v).limit_denominator(MOST_ROWS), v, rel_tol=1e-12, abs_tol=1e-12) for v in values)


def _all_alike(record: RunRecord, one: Training, manifest: Manifest) -> bool:
    """Whether at least three seeds of this condition were measured, all with the same metrics as this one."""
    beside = [t for t in record.trainings if t.condition == one.condition]
    return len(beside) > 2 and all(_same(one, other, manifest) for other in beside)


def _same(one: Training, other: Training, manifest: Manifest) -> bool:
    """Whether every metric agrees to four digits. Metrics that a clock measured are left out: they never do."""
    timed = {name for name, spec in manifest.metrics.items() if spec.timed}
    mine, theirs = ({n: v for n, v in t.metrics.items() if n not in timed} for t in (one, other))
    return mine.keys() == theirs.keys() and all(isclose(v, theirs[n], rel_tol=CLOSE) for n, v in mine.items())


def _code(record: RunRecord) -> dict[str, str]:
    return {name: digest for name, digest in record.hashes.items() if name.startswith("code/")}
