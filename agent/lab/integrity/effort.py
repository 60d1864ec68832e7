"""Was there a training, and does what it says of itself fit what the runner saw?

Curves and counts are the experiment's own word; CPU seconds and metrics are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from agent.core.compute import compute_share
from agent.core.manifest import Manifest, Setting
from agent.core.record import RunRecord, Training
from agent.lab.integrity.rule import is_control, named

AT_FLOOR = "at-floor"  # the measurement's flag (floor.py)
LITTLE = 0.6  # of the first baseline's CPU seconds; starting Python counts for both
MUCH = 1.5  # times the first baseline's CPU seconds; six architectures of equal samples lie within 1.35
FAST = 4.0  # times the first baseline's declared samples per CPU second
TARGET = 0.1  # share of the target; tuned baselines lie within 0.08 of it


@named("no-training", "refuse")
def no_training(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a score at the untrained floor together with no curve, a flat one, or hardly any compute.

    Not: an initialisation that burns CPU time and writes a curve by hand (at-floor flags it), a training that failed
    honestly, nor a baseline that the manifest calls a control or that others trained.
    """
    if is_control(record, manifest) or record.pretrained:
        return
    for training in record.trainings:
        if not any(finding.code == AT_FLOOR for finding in training.findings):
            continue
        share = _compute_share(record, training, earlier)
        reasons = ["it logged no loss that changes"] if not _curve_moves(training) else []
        reasons += [f"it used {share:.0%} of the baseline's compute"] if share is not None and share < LITTLE else []
        if reasons:
            yield (
                f"seed {training.seed}, {training.condition}: no better than an untrained dictionary, and "
                + " and ".join(reasons)
            )


@named("no-curve", "flag")
def no_curve(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of a training without a loss curve of two points or more. A curve is self-reported: a lie passes."""
    without = [t for t in record.trainings if len(t.curves.get("loss", ())) < 2]
    if without and manifest.form == "own" and not record.pretrained:  # a script of the v1 form knows of no log.jsonl
        yield f"{len(without)} of {len(record.trainings)} trainings logged no loss curve"


@named("flat-loss", "flag")
def flat_loss(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of a logged loss that never changed. Not: one that was written by hand."""
    for training in record.trainings:
        if len(training.curves.get("loss", ())) > 1 and not _curve_moves(training):
            yield f"seed {training.seed}, {training.condition}: the logged loss never changed"


@named("little-compute", "flag")
def little_compute(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of trainings that used less than 60% of the first baseline's CPU (GPU) seconds on the same device.

    Not: a training that burns time without learning.
    """
    shares = [s for t in record.trainings if (s := _compute_share(record, t, earlier)) is not None]
    if shares and min(shares) < LITTLE and not record.pretrained:
        yield f"a training used only {min(shares):.0%} of the first baseline's compute"


@named("much-compute", "flag")
def much_compute(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of trainings that used more than 1.5 times the first baseline's compute: more samples than all methods
    get, or several trainings of which the best was kept. A gain may be the budget's. Not: more samples within that
    time; the table of runs shows the compute of each."""
    shares = [(s, t) for t in record.trainings if (s := _compute_share(record, t, earlier)) is not None]
    much = [(s, t) for s, t in shares if s > MUCH]
    if much:
        most, training = max(much, key=lambda pair: pair[0])
        yield (
            f"{len(much)} of {len(record.trainings)} trainings used more than {MUCH:g} times the first baseline's "
            f"compute; at most {most:.1f} times, seed {training.seed}, {training.condition}"
        )


@named("too-fast", "flag")
def too_fast(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of trainings that declare more than four times the baseline's samples per CPU second: the count or
    the training is not what it says. Not: a count that is wrong by less."""
    baseline = _reference(record, earlier)
    if baseline is None:
        return
    usual = [rate for t in baseline.trainings if (rate := _rate(t))]
    rates = [rate for t in record.trainings if (rate := _rate(t))]
    if usual and rates and max(rates) > FAST * median(usual):
        yield f"declares {max(rates) / median(usual):.1f} times the samples per second of run {baseline.run}"


@named("over-budget", "flag")
def over_budget(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of a training that says it used more samples than all methods get. Not: one that does not say so
    (no-count)."""
    for training in record.trainings:
        allowed = _settings(record, training).get("samples")
        if isinstance(allowed, int) and training.declared.get("samples", 0) > 1.01 * allowed:
            yield (
                f"seed {training.seed}, {training.condition}: {training.declared['samples']:.0f} samples declared, "
                f"{allowed} allowed"
            )


@named("no-count", "flag")
def no_count(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of trainings that log a loss and no longer say how many samples it took, where the first baseline does.
    Not: a count that is wrong (too-fast, little-compute and much-compute compare it with the clock)."""
    first = next((r for r in earlier if r.kind == "baseline"), None)
    if first is None or not all("samples" in t.declared for t in first.trainings):
        return
    silent = [t for t in record.trainings if "loss" in t.curves and "samples" not in t.declared]
    if silent:
        yield f"{len(silent)} of {len(record.trainings)} trainings log no `samples`, which the first baseline does"


@named("off-target", "flag")
def off_target(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Tells of a metric that is to be held at a target (sparsity, say) and is off by more than a tenth, so that
    the other metrics are not comparable. A condition's setting of the same name is the target."""
    for name in manifest.metrics:
        for t in record.trainings:
            wanted = manifest.aim(name, record.settings, [c for c in record.conditions if c.name == t.condition])
            value = t.metrics.get(name)
            if wanted is not None and value is not None and abs(value - wanted) > TARGET * max(abs(wanted), 1e-9):
                yield f"seed {t.seed}, {t.condition}: {name} = {value:.3g}, where {wanted:g} was asked for"


def _curve_moves(training: Training) -> bool:
    loss = training.curves.get("loss", ())
    return len(loss) > 1 and max(loss) > min(loss)


def _settings(record: RunRecord, training: Training) -> dict[str, Setting]:
    condition = next((c for c in record.conditions if c.name == training.condition), None)
    return {**record.settings, **(condition.settings if condition else {})}


def _reference(record: RunRecord, earlier: Sequence[RunRecord]) -> RunRecord | None:
    """The first baseline, if it ran on the same device."""
    first = next((r for r in earlier if r.kind == "baseline"), None)
    return first if first is not None and first.device == record.device else None


def _compute_share(record: RunRecord, training: Training, earlier: Sequence[RunRecord]) -> float | None:
    baseline = _reference(record, earlier)
    return compute_share(training, baseline) if baseline else None


def _rate(training: Training) -> float | None:
    samples = training.declared.get("samples")
    return samples / training.cpu_s if samples and training.cpu_s > 0 else None
