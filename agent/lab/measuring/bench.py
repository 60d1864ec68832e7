"""One training on the bench: which job, seed and condition, where its files lie, and what its code runs with.

Every stage (train, encode, evaluate, sae-bench) gets a Bench; none of them knows another stage.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError
from agent.core.manifest import Condition, Manifest
from agent.core.protocols import Sandbox
from agent.core.record import Job
from agent.core.sandboxing import Mount
from agent.core.template import load_template
from agent.lab.built import file_sha256, of_condition, recorded_hashes
from agent.lab.measuring import foreign
from agent.lab.measuring.driving import driven
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.measuring.walled import WalledEvaluation
from agent.lab.worlds import load_module

Cancelled = Callable[[], bool]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GPU = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")  # which one of the machine's is a training's
# glibc hands a step's arrays back to the kernel, which clears them anew in the next: a fifth of a CPU training's time.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@dataclass(frozen=True)
class Bench:
    """What the stages of one training share."""

    job: Job  # with the data of the seed's world and of the condition
    data_folder: Path  # of the world: the prepared data of all its conditions
    seed: int
    condition: Condition
    sandbox: Sandbox
    cancelled: Cancelled  # asked often while something runs
    paths: TrainingPaths
    manifest: Manifest
    settings: dict[str, Any]  # the condition's, laid over the profile's
    python: str  # the interpreter of the template's code
    trees: tuple[Mount, ...]  # what has to be mounted for it to run
    walled: bool = False  # evaluate.py is somebody else's, and runs in the sandbox

    @classmethod
    def of(
        cls, job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled, *, walled: bool = False
    ) -> Bench:
        """The bench of one seed under one condition."""
        python, trees = foreign.python(job.environment)
        mine = job.in_world_of(seed)
        world = Path(mine.truth_data).parent
        data = of_condition(world, condition.name)
        if data != world:
            mine = mine.model_copy(update={"train_data": str(data / "train"), "truth_data": str(data / "truth")})
        return cls(
            job=mine,
            data_folder=world,
            seed=seed,
            condition=condition,
            sandbox=sandbox,
            cancelled=cancelled,
            paths=TrainingPaths.of(job, seed, condition.name),
            manifest=load_template(Path(job.template)).manifest,
            settings={
                **job.settings,
                **condition.settings,
                **({"d_sae": job.pretrained.d_sae} if job.pretrained else {}),
            },
            python=python,
            trees=trees,
            walled=walled,
        )

    @property
    def env(self) -> dict[str, str]:
        """Environment variables of the template's code."""
        path = foreign.path_env(self.job.environment)
        gpu = {name: os.environ[name] for name in GPU if name in os.environ and self.job.device.startswith("cuda")}
        return {**dict.fromkeys(THREADS, str(self.job.threads)), **KEEP_MEMORY, **path, **gpu}

    @property
    def control(self) -> bool:
        """Whether this is a baseline that the manifest calls a control: nobody asks whether it has learned."""
        named = (b.control for b in self.manifest.baselines if b.script == self.job.script)
        return self.job.of_baseline and any(named)

    @property
    def artefact(self) -> Path:
        """Where the harvested artefact lies, if there is one."""
        return self.paths.kept / self.manifest.artefact

    @property
    def evaluate_file(self) -> Path:
        """The template's evaluate.py."""
        return Path(self.job.template) / "evaluate.py"

    @property
    def told(self) -> dict[str, Any]:
        """The settings as evaluate.py gets them. In `kept` it may leave what need not be found out again."""
        return {**self.settings, "device": self.job.device, "kept": str(self.data_folder / "kept")}

    def evaluation(self) -> tuple[Any, Any]:
        """The template's evaluate.py as a module, and the truth as it reads it.

        Raises:
            InfrastructureError: evaluate.py cannot be loaded, or its load_truth fails.
        """
        if self.walled:
            evaluation = WalledEvaluation(self.job, self.told, self.sandbox)
            return evaluation, evaluation.load_truth()
        try:
            module = load_module(self.evaluate_file)
            return module, module.load_truth(Path(self.job.truth_data), self.told)
        except Exception as error:
            raise InfrastructureError(f"{self.evaluate_file}: load_truth failed: {error!r}") from error

    def driver(self) -> Callable[[Any], dict[str, float]]:
        """What gives a model's metrics: the evaluation, with the truth at hand.

        Raises:
            InfrastructureError: evaluate.py cannot be loaded, or its load_truth fails.
        """
        if self.walled:
            evaluation = WalledEvaluation(self.job, self.told, self.sandbox)
            return lambda model: evaluation.drive(model, self.artefact, self.manifest.model, self.cancelled)
        module, truth = self.evaluation()
        return lambda model: driven(self.manifest.model, module, model, truth, self.told)

    def order_seed(self, stage: str) -> int:
        """Seed of the row order of one stage.

        It is derived from the hidden truth and the artefact, so that sandboxed code cannot predict it and a second
        measurement gets the same order.
        """
        built = sorted(recorded_hashes(self.data_folder).items())
        return int(hashlib.sha256(repr((built, file_sha256(self.artefact), stage)).encode()).hexdigest(), 16)
