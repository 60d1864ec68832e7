"""Records of the tiny template with invented numbers: believable, unless a test changes something."""

from __future__ import annotations

from agent.core.record import RunRecord, Training
from tests.support.tiny import TINY

PROFILE = TINY.manifest.profiles["tiny"]
HASHES = {
    "code/experiment.py": "c",
    "protected/prepare.py": "p",
    "protected/evaluate.py": "e",
    "protected/manifest.toml": "m",
    "data/train/x.npy": "d",
}


def training(seed: int = 0, run: int = 0, **changes) -> Training:
    """A believable training; its numbers depend on seed and run."""
    values = {
        "seed": seed,
        "condition": "k2",
        "outcome": "measured",
        "cpu_s": 10.0 + seed,
        "metrics": {"score": 0.9 - seed / 50 - run / 10, "error": 0.3 + seed / 40 + run / 10, "l0": 2.0},
        "declared": {"samples": 12_800.0, "steps": 200.0},
        "curves": {"step": (1.0, 2.0), "loss": (2.0, 1.0)},
        "artefact_sha256": f"a{run}{seed}",
    }
    return Training(**{**values, **changes})


def record(run: int = 1, **changes) -> RunRecord:
    """A believable record; run 0 is the baseline."""
    values = {
        "run": str(run),
        "kind": "experiment" if run else "baseline",
        "name": f"r{run}",
        "label": f"run {run}",
        "about": "",
        "parent": "0" if run else None,
        "status": "measured",
        "attempts": 1,
        "commit": "",
        "tree": "",
        "template": "tiny",
        "profile": "tiny",
        "settings": PROFILE.settings,
        "seeds": (0, 1),
        "conditions": PROFILE.conditions,
        "trainings": (training(0, run), training(1, run)),
        "findings": (),
        "started_at": 0.0,
        "wall_s": 1.0,
        "device": "cpu: a test",
        "versions": {},
        "hashes": {**HASHES, "code/experiment.py": f"c{run}"},
        "sandbox": "bwrap",
    }
    return RunRecord(**{**values, **changes})


def one(**changes) -> dict:
    """The first training of run 1 with these changes, the second as it was."""
    return {"trainings": (training(0, 1, **changes), training(1, 1))}


METRICS = training(0, 1).metrics
