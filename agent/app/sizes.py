"""Estimates what the trainings of a profile take, from its settings alone: tokens, hours, disk and GPU memory.

The estimate is for autoencoders, whose profiles name d_in, d_sae and samples. What other templates take is known only
from earlier sessions (estimate.py). The hours assume the rates below, which are printed with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.app.wording import compact
from agent.core.manifest import Profile, Setting

NEEDED = ("d_in", "d_sae", "samples", "batch")
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
GPU_FLOPS = 100e12  # per second; a large GPU reaches more in bfloat16, a small one less
CPU_FLOPS = 1e10  # per second and thread
OF_A_STEP = 6  # operations per entry of W_enc and row: two forwards, four backwards
STATES = 4  # float32 values per parameter: itself, its gradient and Adam's two moments
BATCH_ARRAYS = 4  # float32 arrays [batch, d_sae] at a time: pre-activations and what is computed from them
LOGITS = 3  # arrays of logits at a time while the language model is measured
KEPT = 2  # copies of an artefact that stay on disk: the harvested and the exported one
SHUFFLED = 3  # blocks of a stream that are in memory at a time
CUDA_GB = 1.0  # GPU memory that CUDA takes for each process
GB = 1e9


@dataclass(frozen=True)
class Sizes:
    """What the trainings of one profile take in one session."""

    profile: Profile
    seeds: int  # trainings under each condition (a setting such as a sparsity), over all runs
    cuda: bool
    threads: int  # of all trainings that run side by side, together

    def of_conditions(self) -> list[dict[str, Setting]]:
        """The settings of each condition."""
        return [{**self.profile.settings, **c.settings} for c in self.profile.conditions]

    @property
    def known(self) -> bool:
        """Whether the settings suffice for an estimate."""
        return all(isinstance(s.get(n), int) for s in self.of_conditions() for n in NEEDED)

    @property
    def streamed(self) -> bool:
        """Whether the language model makes rows during each training, instead of once for the disk."""
        return bool(self.profile.settings.get("streamed"))

    @property
    def tokens(self) -> int:
        """Rows that all trainings see together: on a language model, tokens."""
        return self.seeds * sum(_int(s, "samples") for s in self.of_conditions())

    @property
    def activations_gb(self) -> float:
        """GB of cached activations of one world (a data set drawn from a secret)."""
        s = self.profile.settings
        hooks = len(str(s.get("hook_names", "")).replace(">", " ").split())  # "a>b": a transcoder's rows hold both
        return hooks * _int(s, "tokens") * _int(s, "d_in") * BYTES.get(str(s.get("dtype")), 4) / GB

    @property
    def worlds(self) -> int:
        """Worlds on the disk at the end: the explored one and those of the confirmation."""
        return 1 + min(self.profile.confirm_worlds, self.profile.confirm_seeds)

    @property
    def artefacts_gb(self) -> float:
        """GB of all trained autoencoders."""
        return self.seeds * sum(KEPT * 4 * _parameters(s) for s in self.of_conditions()) / GB

    @property
    def model_gb(self) -> float:
        """GB of the language model's weights."""
        s = self.profile.settings
        return _int(s, "lm_parameters") * BYTES.get(str(s.get("dtype")), 4) / GB

    @property
    def training_gb(self) -> float:
        """GB of GPU memory of the largest training, with the language model beside it if rows are streamed."""
        own = max(4 * (STATES * _parameters(s) + BATCH_ARRAYS * _rows(s)) for s in self.of_conditions()) / GB
        return own + (self.model_gb if self.streamed else 0.0)

    @property
    def measuring_gb(self) -> float:
        """GB of GPU memory of the language model while it reads held-out sequences."""
        s = self.profile.settings
        logits = LOGITS * 4 * _int(s, "lm_eval_batch") * _int(s, "context") * _int(s, "lm_vocabulary")
        return self.model_gb + logits / GB

    @property
    def gpu_gb(self) -> float:
        """GB of GPU memory to reserve for one training: the estimates with half of them as a margin; 0 if not known."""
        return CUDA_GB + 1.5 * (self.training_gb + self.measuring_gb) if self.known else 0.0

    @property
    def hours(self) -> tuple[float, float]:
        """Hours of all trainings, and of the language model that makes their rows."""
        rate = 3600 * (GPU_FLOPS if self.cuda else CPU_FLOPS * self.threads)
        steps = self.seeds * sum(OF_A_STEP * _int(s, "samples") * _entries(s) for s in self.of_conditions())
        rows = self.tokens if self.streamed else self.worlds * _int(self.profile.settings, "tokens")
        return steps / rate, 2 * _int(self.profile.settings, "lm_parameters") * rows / rate


def lines(sizes: Sizes) -> Iterator[str]:
    """The estimate as lines for the console; none if the settings do not suffice."""
    if not sizes.known:
        return
    where = "made by the model anew in each training" if sizes.streamed else "cached on disk"
    first = _int(sizes.of_conditions()[0], "samples")
    rows = "tokens" if "hook_names" in sizes.profile.settings else "rows of data"
    yield f"  estimated from the profile's settings: {compact(first)} {rows} a training, {compact(sizes.tokens)} in all"
    training, model = sizes.hours
    rate = "100 trillion" if sizes.cuda else f"{CPU_FLOPS * sizes.threads / 1e9:,.0f} billion"
    reading = f" and {_hours(model)} for the language model" if sizes.model_gb else ""
    yield (f"    time: {_hours(training)} of training steps{reading}, at {rate} operations a second, without measuring")
    kept = f"{_gb(sizes.artefacts_gb)} of artefacts"
    if sizes.activations_gb:
        every = f"for {sizes.worlds} worlds {_gb(sizes.worlds * sizes.activations_gb)} where there is room"
        kept = f"{_gb(sizes.activations_gb)} of activations, {every}, and {kept}; rows are {where}"
    yield f"    disk: {kept}"
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
