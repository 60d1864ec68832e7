"""A small world of templates/lm_sae for its tests, drawn once in each test process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from agent.core.manifest import Profile
from agent.core.record import Job
from agent.core.template import load_template
from agent.lab.worlds import load_module
from tests.support import ROOT

FOLDER = ROOT / "templates" / "lm_sae"
TEMPLATE = load_template(FOLDER)
HOOK = "blocks.0.hook_resid_post"
REDUCED = {
    "d_in": 32,
    "context": 16,
    "tokens": 20_000,
    "held_out": 96,
    "labelled": 800,
    "shard_mb": 1,
    "lm_heads": 2,
    "lm_steps": 150,
    "lm_batch": 32,
    "lm_lr": 0.01,
    "lm_tokens": 100_000,
    "d_sae": 48,
    "samples": 40_000,
    "batch": 64,
    "dead_after": 3000,
}
SMALL = {**TEMPLATE.manifest.profiles["tiny"].settings, **REDUCED}
TASK = {
    **SMALL,
    "l0": 4,
    "hook_name": HOOK,
    "seed": 0,
    "condition": "k4",
    "device": "cpu",
    "threads": 1,
    "artefact": "sae.safetensors",
}
torch.set_num_threads(1)
sys.path.insert(0, str(FOLDER.parent))  # experiments find the library beside their script
_KEPT = TemporaryDirectory(prefix="lm-world-")


def draw(folder: Path, settings: dict, secret: int = 2**200 + 1) -> Path:
    """Prepares a world in this folder, in this process; returns the folder."""
    (folder / "train").mkdir(parents=True)
    (folder / "truth").mkdir()
    wanted = TEMPLATE.data_settings(settings)
    load_module(FOLDER / "prepare.py").prepare(wanted, secret, folder / "train", folder / "truth")
    return folder


@cache
def world() -> Path:
    return draw(Path(_KEPT.name) / "world", SMALL)


def evaluation():
    return load_module(FOLDER / "evaluate.py")


def code(folder: Path) -> Path:
    """Fills a folder with what a job's code is: the script, and the library beside it."""
    folder.mkdir()
    shutil.copyfile(FOLDER / "experiment.py", folder / "experiment.py")
    shutil.copytree(FOLDER.parent / "saes", folder / "saes")
    return folder


def trained(folder: Path, world: Path, script: str, task: dict = TASK) -> Path:
    """Runs a script of the template as the runner does, but without the sandbox; returns the output folder."""
    folder.mkdir(exist_ok=True)
    (folder / "task.json").write_text(json.dumps({**task, "data": str(world / "train")}))
    (folder / "run_0").mkdir()
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), "--out_dir=run_0"],
        cwd=folder,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
    )
    assert done.returncode == 0, done.stderr
    return folder / "run_0"


def lm_job(folder: Path, profile: Profile, settings: dict, train: Path, truth: Path) -> Job:
    """One training of the template's own experiment, with seed 0 under the profile's conditions."""
    return Job(
        key=folder.name,
        run="1",
        kind="experiment",
        attempt=1,
        folder=str(folder / "job"),
        code=str(code(folder / "code")),
        script="experiment.py",
        template=TEMPLATE.folder,
        train_data=str(train),
        truth_data=str(truth),
        settings=settings,
        seeds=(0,),
        conditions=profile.conditions,
        limits=profile.limits,
        evaluate_limits=profile.evaluate_limits,
        device="cpu",
        slots=1,
        threads=1,
        sandbox="bwrap",
    )
