"""Checks of whether there was a training, and whether what it reports about itself fits what the runner measured.

The experiment itself reports curves and counts; the runner measures CPU seconds and metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from agent.core.compute import compute_share
from agent.core.manifest import Manifest, Setting
from agent.core.record import RunRecord, Training
from agent.lab.integrity.curves import moves
from agent.lab.integrity.rule import is_control, named

AT_FLOOR = "at-floor"  # code of the flag for a score that an untrained model reaches (floor.py)
LITTLE = 0.6  # of the first baseline's CPU seconds; both include the start of Python
MUCH = 1.5  # times the first baseline's CPU seconds; six architectures of equal samples lie within 1.35
FAST = 4.0  # times the first baseline's declared samples per CPU second
TARGET = 0.1  # share of the target; tuned baselines lie within 0.08 of it


@named("no-training", "refuse")
def no_training(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Catches a score at the untrained floor together with no curve, a flat one, or hardly any compute.

    Does not catch an initialisation that burns CPU time and writes a curve by hand (at-floor flags it). Baselines that
    the manifest calls a control, or that others trained, are left out.
    """
    if is_control(record, manifest) or record.pretrained:
        return
    for training in record.trainings:
        if not any(finding.code == AT_FLOOR for finding in training.findings):
            continue
        share = _compute_share(record, training, earlier)
        reasons = ["it logged no loss that changes"] if not moves(training.curves.get("loss", ())) else []
        reasons += [f"it used {share:.0%} of the baseline's compute"] if share is not None and share < LITTLE else []
        if reasons:
            yield (
                f"seed {training.seed}, {training.condition}: no better than an untrained dictionary, and "
                + " and ".join(reasons)
            )


@named("no-curve", "flag")
def no_curve(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a training without a loss curve of at least two points. Does not catch an invented curve."""
    without = [t for t in record.trainings if len(t.curves.get("loss", ())) < 2]
    if without and manifest.form == "own" and not record.pretrained:  # scripts of the v1 form write no log.jsonl
        yield f"{len(without)} of {len(record.trainings)} trainings logged no loss curve"


@named("flat-loss", "flag")
def flat_loss(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a logged loss that never changed. Does not catch one that was written by hand."""
    for training in record.trainings:
        loss = training.curves.get("loss", ())
        if len(loss) > 1 and not moves(loss):
            yield f"seed {training.seed}, {training.condition}: the logged loss never changed"


@named("little-compute", "flag")
def little_compute(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags trainings that used less than 60% of the first baseline's CPU (GPU) seconds on the same device.

    Does not catch a training that burns time without learning.
    """
    shares = [s for t in record.trainings if (s := _compute_share(record, t, earlier)) is not None]
    if shares and min(shares) < LITTLE and not record.pretrained:
        yield f"a training used only {min(shares):.0%} of the first baseline's compute"


@named("much-compute", "flag")
def much_compute(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags trainings that used more than 1.5 times the first baseline's compute: they took more samples than all
    methods get, or several trainings ran of which the best was kept, so that a gain may come from the budget. Does not
    catch more samples within that time; the table of runs shows the compute of each."""
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
    """Flags trainings that declare more than four times the first baseline's samples per CPU second: the count is
    wrong, or there was no such training. Does not catch a count that is wrong by less."""
    baseline = _reference(record, earlier)
    if baseline is None:
        return
    usual = [rate for t in baseline.trainings if (rate := _rate(t))]
    rates = [rate for t in record.trainings if (rate := _rate(t))]
    if usual and rates and max(rates) > FAST * median(usual):
        yield f"declares {max(rates) / median(usual):.1f} times the samples per second of run {baseline.run}"


@named("over-budget", "flag")
def over_budget(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a training that declares more samples than all methods get. Does not catch one that declares no count
    (no-count flags it)."""
    for training in record.trainings:
        allowed = _settings(record, training).get("samples")
        if isinstance(allowed, int) and training.declared.get("samples", 0) > 1.01 * allowed:
            yield (
                f"seed {training.seed}, {training.condition}: {training.declared['samples']:.0f} samples declared, "
                f"{allowed} allowed"
            )


@named("no-count", "flag")
def no_count(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags trainings that log a loss but not how many samples it took, where the first baseline logs both. Does not
    catch a wrong count (too-fast, little-compute and much-compute compare it with the clock)."""
    first = next((r for r in earlier if r.kind == "baseline"), None)
    if first is None or not all("samples" in t.declared for t in first.trainings):
        return
    silent = [t for t in record.trainings if "loss" in t.curves and "samples" not in t.declared]
    if silent:
        yield f"{len(silent)} of {len(record.trainings)} trainings log no `samples`, which the first baseline does"


@named("off-target", "flag")
def off_target(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags a metric that is to be held at a target (such as a sparsity) and misses it by more than a tenth, so that
    the other metrics are not comparable. The target is the condition's setting of the same name."""
    for name in manifest.metrics:
        for t in record.trainings:
            wanted = manifest.aim(name, record.settings, [c for c in record.conditions if c.name == t.condition])
            value = t.metrics.get(name)
            if wanted is not None and value is not None and abs(value - wanted) > TARGET * max(abs(wanted), 1e-9):
                yield f"seed {t.seed}, {t.condition}: {name} = {value:.3g}, where {wanted:g} was asked for"


def _settings(record: RunRecord, training: Training) -> dict[str, Setting]:
    condition = next((c for c in record.conditions if c.name == training.condition), None)
    return {**record.settings, **(condition.settings if condition else {})}


def _reference(record: RunRecord, earlier: Sequence[RunRecord]) -> RunRecord | None:
    """The first baseline, if it ran on the same device as this run."""
    first = next((r for r in earlier if r.kind == "baseline"), None)
    return first if first is not None and first.device == record.device else None


def _compute_share(record: RunRecord, training: Training, earlier: Sequence[RunRecord]) -> float | None:
    baseline = _reference(record, earlier)
    return compute_share(training, baseline) if baseline else None


def _rate(training: Training) -> float | None:
    """Declared samples per CPU second."""
    samples = training.declared.get("samples")
    return samples / training.cpu_s if samples and training.cpu_s > 0 else None
