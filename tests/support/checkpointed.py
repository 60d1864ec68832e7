"""Jobs of the tiny template that save themselves while they train, and what such a training left."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.core.record import Job
from agent.lab.measuring.checkpoints import Checkpoints, Note
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.worlds import prepared
from tests.support import ROOT
from tests.support.tiny import SETTINGS, TINY, job_of

CODE = """
import sys, time
from saes import TopKSAE, run

FIRST = []  # how far the training was when this process took it

class SAE(TopKSAE):
    def loss(self, x, step):
        time.sleep(PAUSE)
        if not FIRST:
            FIRST.append(step.progress)
            print(f"begins at {step.progress}", file=sys.stderr, flush=True)
        return super().loss(x, step)

if __name__ == "__main__":
    run(SAE)
"""
STEPS = 300
OWN = {"samples": STEPS * 64, "lr": 0.01, "dead_after": 2000, "checkpoint_s": 0.0}
LIMITS = TINY.manifest.profiles["tiny"].limits.model_copy(update={"memory_mb": 4096, "disk_mb": 64, "file_mb": 16})


def tiny_world(folder: Path):
    """Its data in a cache folder."""
    folder.mkdir(exist_ok=True)
    for above in (folder, folder.parent):
        above.chmod(0o755)  # the sandbox's user must reach its mounts
    return prepared(TINY, "tiny", SETTINGS, 7, folder)


def job(folder: Path, world, pause: float = 0.006, **changes) -> Job:
    folder.mkdir()
    changes = {"seeds": (0,), "settings": {**SETTINGS, **OWN}, "limits": LIMITS, "evaluate_limits": LIMITS, **changes}
    made = job_of(folder, world, CODE.replace("PAUSE", str(pause)), sandbox="bwrap", **changes)
    shutil.copytree(ROOT / "templates" / "saes", folder / "code" / "saes", ignore=shutil.ignore_patterns("__pycache__"))
    return made


def note(job) -> Note:
    return Note.model_validate_json(Checkpoints.of(job, 0, "k2").note.read_bytes())


def artefact(job) -> bytes:
    return (TrainingPaths.of(job, 0, "k2").kept / "sae.safetensors").read_bytes()


def began_at(job) -> float:
    """How far the training was when its last process took it, from 0 to 1."""
    said = TrainingPaths.of(job, 0, "k2").text("train.stderr").read_text()
    return float(said.split("begins at ")[1].split()[0])


def log(job) -> str:
    return (TrainingPaths.of(job, 0, "k2").kept / "log.jsonl").read_text()
