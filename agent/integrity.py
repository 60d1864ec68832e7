"""Is this run's result believable? Pure checks over a run record and the records before it.

Not here: what one training can show of itself (the measurement refuses that) and retrying (policy.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.manifest import Manifest
from agent.record import Finding, RunRecord

Check = Callable[[RunRecord, Sequence[RunRecord], Manifest], Iterator[Finding]]


def check(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> tuple[Finding, ...]:
    """All findings, the gravest first; those of single trainings are kept."""
    found = [finding for training in record.trainings for finding in training.findings]
    found += [finding for one in CHECKS for finding in one(record, earlier, manifest)]
    order = {"refuse": 0, "flag": 1, "note": 2}
    unique = {(f.code, f.text): f for f in found}
    return tuple(sorted(unique.values(), key=lambda f: order[f.grade]))


def missing_training(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches a seed or condition without a training. Not: a training that only looks like one."""
    asked = {(seed, condition.name) for seed in record.seeds for condition in record.conditions}
    have = {(t.seed, t.condition) for t in record.trainings if t.outcome == "measured"}
    for seed, condition in sorted(asked - have):
        yield Finding(code="missing-training", grade="refuse",
                      text=f"no result for seed {seed}, condition {condition}")


def missing_metric(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches a metric the template promises and a training lacks."""
    for training in record.trainings:
        for name in sorted(set(manifest.metrics) - set(training.metrics)):
            yield Finding(code="missing-metric", grade="refuse",
                          text=f"seed {training.seed}, {training.condition}: no value for {name}")


def impossible_value(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches a metric outside the range the template calls possible. Not: a wrong value inside it."""
    for training in record.trainings:
        for name, value in training.metrics.items():
            spec = manifest.metrics.get(name)
            low_ok = spec is None or spec.low is None or value >= spec.low - 1e-6
            high_ok = spec is None or spec.high is None or value <= spec.high + 1e-6
            if not (low_ok and high_ok):
                yield Finding(code="impossible-value", grade="refuse",
                              text=f"{name} = {value:g} is outside [{spec.low}, {spec.high}]")


def copied_artefact(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches an artefact identical to another training's, in this run or an earlier one.

    Not: a copy with a changed bit.
    """
    seen: dict[str, str] = {}
    for other in earlier:
        for t in other.trainings:
            if t.artefact_sha256:
                seen[t.artefact_sha256] = f"run {other.run}, seed {t.seed}"
    for training in record.trainings:
        sha = training.artefact_sha256
        if sha is None:
            continue
        where = f"seed {training.seed}, condition {training.condition}"
        if sha in seen:
            same_run = seen[sha].startswith("this run")
            yield Finding(code="copied-artefact", grade="refuse" if same_run else "flag",
                          text=f"the artefact of {where} is byte for byte that of {seen[sha]}")
        seen[sha] = f"this run, {where}"


def same_numbers(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches a change without any effect: every metric of every training equals an earlier run's."""
    mine = [(t.seed, t.condition, t.metrics) for t in record.trainings]
    for other in earlier:
        if mine and mine == [(t.seed, t.condition, t.metrics) for t in other.trainings]:
            yield Finding(code="no-effect", grade="flag",
                          text=f"all metrics equal those of run {other.run} ({other.label}) exactly: "
                               "the change had no effect")


def same_code(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches code that equals an earlier run's to the letter."""
    mine = {k: v for k, v in record.hashes.items() if k.startswith("code/")}
    for other in earlier:
        if mine and mine == {k: v for k, v in other.hashes.items() if k.startswith("code/")}:
            yield Finding(code="same-code", grade="flag", text=f"the code equals that of run {other.run}")


def no_loss_curve(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[Finding]:
    """Catches a training that logged no curve or a flat one. The curve is self-reported: a lie passes."""
    for training in record.trainings:
        loss = training.curves.get("loss", ())
        if len(loss) < 2:
            yield Finding(code="no-curve", grade="flag", text="the training logged no loss curve")
        elif max(loss) - min(loss) == 0.0:
            yield Finding(code="flat-loss", grade="flag",
                          text=f"seed {training.seed}: the logged loss never changed")


CHECKS: tuple[Check, ...] = (
    missing_training, missing_metric, impossible_value, copied_artefact, same_numbers, same_code, no_loss_curve,
)
