"""Draws the pole from a secret, and the chance of the episodes that are judged; trainings see the pole alone."""

import json
from pathlib import Path

import numpy as np


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    draw = np.random.default_rng(np.random.SeedSequence(secret))
    physics = {"length": draw.uniform(0.4, 0.6), "mass": draw.uniform(0.08, 0.12), "gusts": settings["gusts"]}
    (train_dir / "physics.json").write_text(json.dumps(physics))
    judged = {"physics": physics, "seed": int(draw.integers(2**31)), "episodes": settings["judged"]}
    (truth_dir / "judged.json").write_text(json.dumps(judged))
