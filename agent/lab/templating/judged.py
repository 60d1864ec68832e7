"""Judges the trainings of a trial: whether they repeat, depend on the seed, keep the limits and beat the floor.

Pure functions over trainings. Not here: the trainings themselves (trial.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from agent.core.manifest import Manifest, Profile
from agent.core.record import Training
from agent.lab.integrity.effort import AT_FLOOR
from agent.lab.templating.flaw import Flaw

SAME = 1e-6  # relative difference between two trainings of one seed
TIGHT = 0.5  # share of a limit that a baseline may use
REMEDIES = {  # by the reason of a failed training
    "exit": "repair what it names; a sandbox has no network, and of this machine the template's files and data alone",
    "timeout": "raise limits.wall_s, or train less",
    "memory": "raise limits.memory_mb, or use less",
    "disk": "raise limits.disk_mb, or write less",
    "files": "raise limits.files, or write fewer",
    "output": "raise limits.output_mb, or print less",
    "missing-metric": "write it where the manifest says that results lie, under that name",
}


@dataclass(frozen=True)
class Judge:
    """Finds the flaws of a template in trainings of its first baseline."""

    manifest: Manifest
    profile_name: str

    @property
    def profile(self) -> Profile:
        return self.manifest.profiles[self.profile_name]

    def repeated(self, one: Training, again: Training) -> Iterator[Flaw]:
        """Two trainings of one seed must have the same metrics."""
        twice = f"two trainings of seed {one.seed}"
        mend = f"draw everything from {self._seed}; keep to the number of threads; use deterministic kernels"
        if not self.manifest.seeded:
            twice, mend = "two executions", "seed every generator in the script"
        for name, value in self._untimed(one).items():
            if abs(value - again.metrics[name]) > SAME * max(1e-12, abs(value)):
                yield Flaw(
                    "not-deterministic",
                    self.manifest.baselines[0].file,
                    f"{twice} give {name} {value:.6g} and {again.metrics[name]:.6g}",
                    mend,
                )
                return

    def seeds(self, one: Training, other: Training) -> Iterator[Flaw]:
        """Trainings of two seeds must differ."""
        same_file = one.artefact_sha256 is not None and one.artefact_sha256 == other.artefact_sha256
        if same_file or self._told(one) == self._told(other):
            yield Flaw(
                "seed-ignored",
                self.manifest.baselines[0].file,
                f"seeds {one.seed} and {other.seed} give the same result: its spread over seeds says nothing",
                f"draw everything from {self._seed}",
            )

    def between(self, one: Training, other: Training) -> str:
        """By how much the metrics of two trainings differ, in words."""
        metrics = self.manifest.metrics
        return ", ".join(f"{metrics[n].label} {abs(v - other.metrics[n]):.2g}" for n, v in one.metrics.items())

    @property
    def _seed(self) -> str:
        """Where the code finds its seed, for a remedy."""
        return "{seed} or the variable SEED" if self.manifest.command else 'task["seed"]'

    def _told(self, training: Training) -> tuple[object, ...]:
        """What two trainings are compared by: metrics, and all other numbers if the metrics are self-reported."""
        said = () if self.manifest.measured else (training.curves, training.diagnostics)
        return self._untimed(training), *said

    def _untimed(self, training: Training) -> dict[str, float]:
        """A training's metrics without those that a clock measured, which differ each time."""
        return {n: v for n, v in training.metrics.items() if not self.manifest.metrics[n].timed}

    def bounds(self, done: Sequence[Training]) -> Iterator[Flaw]:
        """The baseline must leave room for improvement, and stay well within the limits."""
        manifest = self.manifest
        spec = manifest.metrics[manifest.primary]
        best = {"higher": spec.high, "lower": spec.low}.get(spec.better)
        if best is not None and fmean(t.metrics[manifest.primary] for t in done) == best:
            yield Flaw(
                "no-headroom",
                "manifest.toml",
                f"the baseline's {manifest.primary} is {best:g} already, so no idea can be better",
                "make the task harder",
            )
        wall, memory = max(t.wall_s for t in done), max(t.peak_memory_mb for t in done)
        limits = self.profile.limits
        if wall > TIGHT * limits.wall_s:
            yield Flaw(
                "limit-tight",
                "manifest.toml",
                f"the baseline takes {wall:.0f} s of the {limits.wall_s:.0f} s that profile {self.profile_name} allows",
                "raise limits.wall_s to three times that",
            )
        if memory > TIGHT * limits.memory_mb:
            yield Flaw(
                "limit-tight",
                "manifest.toml",
                f"the baseline takes {memory:.0f} MB of the {limits.memory_mb} "
                f"MB that profile {self.profile_name} allows",
                "raise limits.memory_mb to three times that",
            )

    def floor(self, trained: Training, untrained: Training | None, noise: float) -> Iterator[Flaw]:
        """The trained baseline must beat the floor, and its twin after one batch by more than `noise` explains."""
        manifest = self.manifest
        file = manifest.baselines[0].file
        if any(f.code == AT_FLOOR for f in trained.findings):
            yield Flaw(
                "at-floor",
                file,
                "the trained baseline is no better than the untrained floor on any metric",
                "make the metric measure learning, or the baseline learn",
            )
        if untrained is None:
            return
        if untrained.artefact_sha256 == trained.artefact_sha256:
            yield Flaw(
                "budget-ignored",
                file,
                'a single batch of samples gives the same artefact: task["samples"] is not read',
                'stop after task["samples"] samples',
            )
        elif self.gain(trained, untrained) <= 2 * noise:
            yield Flaw(
                "no-learning",
                "evaluate.py",
                f"{manifest.primary} after one batch is "
                f"{untrained.metrics[manifest.primary]:.4g}, after the whole training "
                f"{trained.metrics[manifest.primary]:.4g}: no more than seeds differ",
                "choose a primary metric that training moves",
            )

    def gain(self, one: Training, other: Training) -> float:
        """By how much `one` is better than `other` in the primary metric."""
        manifest, name = self.manifest, self.manifest.primary
        aim = manifest.aim(name, self.profile.settings, self.profile.conditions[:1])
        mine, theirs = (manifest.metrics[name].merit(t.metrics[name], aim) for t in (one, other))
        return mine - theirs


def failed(file: str, training: Training, where: str = "") -> Flaw:
    """The flaw of a baseline that could not be trained or measured; `where` is added to its outcome."""
    last = " ".join(training.detail.strip().splitlines()[-1:])[:300]
    mend = REMEDIES.get(training.reason, "repair what it names")
    return Flaw("baseline-fails", file, f"{training.outcome}{where}: {training.reason}: {last}", mend)
