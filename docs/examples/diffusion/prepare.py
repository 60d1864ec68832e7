"""Draws a ring of blobs from a secret: points to train on, and others that samples are compared with."""

from pathlib import Path

import numpy as np


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    draw = np.random.default_rng(np.random.SeedSequence(secret))
    angles = draw.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(settings["blobs"]) / settings["blobs"]
    centres = draw.uniform(1.2, 1.6) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for folder, count in ((train_dir, settings["pool"]), (truth_dir, settings["judged"])):
        points = centres[draw.integers(len(centres), size=count)] + 0.12 * draw.normal(size=(count, 2))
        np.save(folder / "points.npy", points.astype(np.float32))
    np.save(truth_dir / "centres.npy", centres)
    np.save(truth_dir / "seed.npy", draw.integers(2**31))
