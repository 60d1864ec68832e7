"""Checks of whether a record is complete and possible, and made with the same files and data as the other runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from agent.lab.integrity.rule import named

ROUNDING = 1e-6


@named("missing-training", "refuse")
def missing_training(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a seed or condition without a measured training. Does not catch a training that only looks like one."""
    asked = {(seed, condition.name) for seed in record.seeds for condition in record.conditions}
    have = {(t.seed, t.condition) for t in record.trainings if t.outcome == "measured"}
    for seed, condition in sorted(asked - have):
        yield f"no result for seed {seed}, condition {condition}"


@named("foreign-training", "refuse")
def foreign_training(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a result for a seed or condition that was not asked for, or a second one for the same, as after a change
    of the seed list. Does not catch seeds that a person chose beforehand."""
    asked = {(seed, condition.name) for seed in record.seeds for condition in record.conditions}
    seen: set[tuple[int, str]] = set()
    for t in record.trainings:
        key = (t.seed, t.condition)
        if key not in asked or key in seen:
            yield f"a result for seed {t.seed}, condition {t.condition}, which was not asked for (again)"
        seen.add(key)


@named("missing-metric", "refuse")
def missing_metric(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a metric that the template promises and a training lacks. Metrics that only a confirmation measures are
    not expected elsewhere."""
    late = {name for name, spec in manifest.metrics.items() if spec.confirmation and record.kind != "confirmation"}
    # A metric that a self-reporting experiment gave as NaN is in `undefined`, which is reported and no fraud.
    for training in record.trainings:
        for name in sorted(set(manifest.metrics) - late - set(training.metrics) - set(training.undefined)):
            yield f"seed {training.seed}, {training.condition}: no value for {name}"


@named("impossible-value", "refuse")
def impossible_value(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a metric outside the range the template calls possible. Does not catch a wrong value inside it."""
    for training in record.trainings:
        for name in (name for name in training.metrics if name in manifest.metrics):
            value, spec = training.metrics[name], manifest.metrics[name]
            low_ok = spec.low is None or value >= spec.low - ROUNDING
            high_ok = spec.high is None or value <= spec.high + ROUNDING
            if not (low_ok and high_ok):
                yield f"{name} = {value:g} is outside [{spec.low}, {spec.high}]"


@named("protected-changed", "refuse")
def protected_changed(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a protected file whose hash is not that of the session's first run, or that has none.

    Does not catch a template that was changed before the session began; its hash is in the record, for comparison.
    """
    for name in (*manifest.protected, *manifest.assets, "manifest.toml"):
        now = record.hashes.get(f"protected/{name}")
        before = next((r.hashes[f"protected/{name}"] for r in earlier if f"protected/{name}" in r.hashes), now)
        if now is None:
            yield f"the record has no hash of {name}"
        elif now != before:
            yield f"{name} is not the file that run {earlier[0].run} was measured with"


@named("data-changed", "refuse")
def data_changed(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches data that differ from those of the session's first run, or for a confirmation, which has a fresh world on
    purpose, from those of its first confirmation. Sandboxed code cannot cause this; the session stops, and no attempt
    is charged for it."""
    fresh = record.kind == "confirmation"
    first = next((r for r in earlier if (r.kind == "confirmation") == fresh and _data(r)), None)
    if first is None:
        return
    mine, theirs = _data(record), _data(first)
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield f"{name} is not the file that run {first.run} was measured on"


def _data(record: RunRecord) -> dict[str, str]:
    return {name: digest for name, digest in record.hashes.items() if name.startswith("data/")}
