"""What the trainings of a profile will take: tokens, hours, disk and GPU memory, reckoned from its settings alone.

Reckoned for autoencoders, whose profiles name d_in, d_sae and samples; of other templates only earlier sessions tell
(estimate.py). The hours stand on rates that are assumed here and named where they are printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.app.wording import compact
from agent.core.manifest import Profile, Setting

NEEDED = ("d_in", "d_sae", "samples", "batch")
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
GPU_FLOPS = 100e12  # a second; a large GPU reaches more in bfloat16, a small one less
CPU_FLOPS = 1e10  # a second and thread
OF_A_STEP = 6  # operations for each entry of W_enc and row: forwards, and backwards twice as many
STATES = 4  # a parameter, its gradient and Adam's two moments, in float32
BATCH_ARRAYS = 4  # of pre-activations [batch, d_sae] and what is made of them
LOGITS = 3  # arrays of logits at a time while the model is measured
KEPT = 2  # an artefact is harvested and exported
SHUFFLED = 3  # blocks of a stream that are in memory at a time
CUDA_GB = 1.0  # of a process that uses a GPU at all
GB = 1e9


@dataclass(frozen=True)
class Sizes:
    """Of one profile in one session."""

    profile: Profile
    seeds: int  # trainings of each condition
    cuda: bool
    threads: int  # of all trainings that run side by side

    def of_conditions(self) -> list[dict[str, Setting]]:
        return [{**self.profile.settings, **c.settings} for c in self.profile.conditions]

    @property
    def known(self) -> bool:
        return all(isinstance(s.get(n), int) for s in self.of_conditions() for n in NEEDED)

    @property
    def streamed(self) -> bool:
        return bool(self.profile.settings.get("streamed"))

    @property
    def tokens(self) -> int:
        """That all trainings see together."""
        return self.seeds * sum(_int(s, "samples") for s in self.of_conditions())

    @property
    def activations_gb(self) -> float:
        """Of one world."""
        s = self.profile.settings
        hooks = len(str(s.get("hook_names", "")).replace(">", " ").split())  # a transcoder's rows are of two
        return hooks * _int(s, "tokens") * _int(s, "d_in") * BYTES.get(str(s.get("dtype")), 4) / GB

    @property
    def worlds(self) -> int:
        """That lie on the disk at the end: the explored one and those of the confirmation."""
        return 1 + min(self.profile.confirm_worlds, self.profile.confirm_seeds)

    @property
    def artefacts_gb(self) -> float:
        return self.seeds * sum(KEPT * 4 * _parameters(s) for s in self.of_conditions()) / GB

    @property
    def model_gb(self) -> float:
        s = self.profile.settings
        return _int(s, "lm_parameters") * BYTES.get(str(s.get("dtype")), 4) / GB

    @property
    def training_gb(self) -> float:
        """GPU memory of the largest training, with the model beside it where rows are streamed."""
        own = max(4 * (STATES * _parameters(s) + BATCH_ARRAYS * _rows(s)) for s in self.of_conditions()) / GB
        return own + (self.model_gb if self.streamed else 0.0)

    @property
    def measuring_gb(self) -> float:
        """GPU memory of the model while it reads held-out sequences."""
        s = self.profile.settings
        logits = LOGITS * 4 * _int(s, "lm_eval_batch") * _int(s, "context") * _int(s, "lm_vocabulary")
        return self.model_gb + logits / GB

    @property
    def gpu_gb(self) -> float:
        """GPU memory that is set aside for one training, 0 where the settings do not tell.

        What was reckoned and half of it again, beside what CUDA takes for itself.
        """
        return CUDA_GB + 1.5 * (self.training_gb + self.measuring_gb) if self.known else 0.0

    @property
    def hours(self) -> tuple[float, float]:
        """Of the trainings, and of the model that makes their rows."""
        rate = 3600 * (GPU_FLOPS if self.cuda else CPU_FLOPS * self.threads)
        steps = self.seeds * sum(OF_A_STEP * _int(s, "samples") * _entries(s) for s in self.of_conditions())
        rows = self.tokens if self.streamed else self.worlds * _int(self.profile.settings, "tokens")
        return steps / rate, 2 * _int(self.profile.settings, "lm_parameters") * rows / rate


def lines(sizes: Sizes) -> Iterator[str]:
    """For the console; none where the settings do not tell."""
    if not sizes.known:
        return
    where = "made by the model anew in each training" if sizes.streamed else "cached on disk"
    first = _int(sizes.of_conditions()[0], "samples")
    yield f"  reckoned from the profile's settings: {compact(first)} tokens a training, {compact(sizes.tokens)} in all"
    training, model = sizes.hours
    rate = "100 trillion" if sizes.cuda else f"{CPU_FLOPS * sizes.threads / 1e9:,.0f} billion"
    reading = f" and {_hours(model)} for the language model" if sizes.model_gb else ""
    yield f"    time: {_hours(training)} of training steps{reading}, at {rate} operations a second"
    disk = sizes.worlds * sizes.activations_gb
    one = f"{_gb(sizes.activations_gb)} of activations, for {sizes.worlds} worlds {_gb(disk)} where there is room, and "
    cached = one if sizes.activations_gb else ""
    yield (
        f"    disk: {cached}{_gb(sizes.artefacts_gb)} of artefacts; rows are {where}"
        if cached
        else (f"    disk: {_gb(sizes.artefacts_gb)} of artefacts")
    )
    if sizes.streamed and "shuffle_rows" in sizes.profile.settings:
        s = sizes.profile.settings
        block = _int(s, "shuffle_rows") * _int(s, "d_in") * BYTES.get(str(s.get("dtype")), 4) / GB
        yield f"    memory: {_gb(SHUFFLED * block)} beside each training, for rows that are being shuffled"
    if sizes.cuda:
        yield f"    GPU memory: {_gb(sizes.training_gb)} a training, {_gb(sizes.measuring_gb)} while it is measured"


def _int(settings: Mapping[str, Setting], name: str) -> int:
    value = settings.get(name, 0)
    return value if isinstance(value, int) else 0


def _entries(settings: Mapping[str, Setting]) -> int:
    return _int(settings, "d_in") * _int(settings, "d_sae")


def _parameters(settings: Mapping[str, Setting]) -> int:
    return 2 * _entries(settings)


def _rows(settings: Mapping[str, Setting]) -> int:
    return _int(settings, "batch") * _int(settings, "d_sae")


def _gb(size: float) -> str:
    return f"{size:.1f} GB" if size >= 0.1 else f"{1000 * size:.0f} MB"


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"about {hours:,.1f} h"
    return f"about {60 * hours:.0f} min" if hours >= 1 / 60 else "less than a minute"
