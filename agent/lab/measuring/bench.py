"""What the stages of one training share: job, seed, condition, paths, sandbox, and the environment of its code.

Every stage (train, encode, evaluate, sae-bench) gets a Bench, and none of them knows another stage.
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
GPU = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")  # they say which of the machine's GPUs a training uses
# By default glibc returns a step's arrays to the kernel, which zeroes the pages again for the next step. That took a
# fifth of a CPU training's time.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@dataclass(frozen=True)
class Bench:
    """What the stages of one training share."""

    job: Job  # with the data of the seed's world and of the condition
    data_folder: Path  # of the seed's world, with the data of all its conditions
    seed: int
    condition: Condition
    sandbox: Sandbox
    cancelled: Cancelled  # is called often while a process runs; True ends it
    paths: TrainingPaths
    manifest: Manifest
    settings: dict[str, Any]  # the condition's, laid over the profile's
    python: str  # the interpreter of the template's code
    trees: tuple[Mount, ...]  # the folders that have to be mounted for the interpreter to run
    walled: bool = False  # the template is somebody else's, so that its evaluate.py runs in the sandbox too

    @classmethod
    def of(
        cls, job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled, *, walled: bool = False
    ) -> Bench:
        """The bench of one seed under one condition; see the fields."""
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
        """Environment variables of the template's code in a sandbox."""
        path = foreign.path_env(self.job.environment)
        gpu = {name: os.environ[name] for name in GPU if name in os.environ and self.job.device.startswith("cuda")}
        return {**dict.fromkeys(THREADS, str(self.job.threads)), **KEEP_MEMORY, **path, **gpu}

    @property
    def control(self) -> bool:
        """Whether this is a baseline that the manifest calls a control, which need not have learned anything."""
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
        """The settings as evaluate.py gets them; `kept` is a folder in which it may keep results between calls."""
        return {**self.settings, "device": self.job.device, "kept": str(self.data_folder / "kept")}

    def evaluation(self) -> tuple[Any, Any]:
        """The template's evaluate.py as a module, and the truth (held-out data) that its load_truth returns.

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
        """A function from a model to its metrics, which calls the template's evaluation with the loaded truth.

        Raises:
            InfrastructureError: evaluate.py cannot be loaded, or its load_truth fails.
        """
        if self.walled:
            evaluation = WalledEvaluation(self.job, self.told, self.sandbox)
            return lambda model: evaluation.drive(model, self.artefact, self.manifest.model, self.cancelled)
        module, truth = self.evaluation()
        return lambda model: driven(self.manifest.model, module, model, truth, self.told)

    def order_seed(self, stage: str) -> int:
        """The seed of the order in which rows are encoded in one stage.

        It is derived from the hidden truth and the artefact, so that sandboxed code cannot predict it and a second
        measurement gets the same order.
        """
        built = sorted(recorded_hashes(self.data_folder).items())
        return int(hashlib.sha256(repr((built, file_sha256(self.artefact), stage)).encode()).hexdigest(), 16)
