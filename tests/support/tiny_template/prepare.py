"""Rows made of two directions each, drawn from the secret."""

from pathlib import Path

import numpy as np


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    draw = np.random.default_rng(np.random.SeedSequence(secret))
    directions = draw.normal(size=(settings["directions"], settings["d_in"]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    wanted = ((train_dir / "activations.npy", settings["pool"]), (truth_dir / "x.npy", settings["held_out"]))
    for path, rows in wanted:
        chosen = draw.random((rows, len(directions))).argsort(axis=1)[:, :2]
        strength = draw.uniform(1, 2, size=(rows, 2, 1))
        np.save(path, (directions[chosen] * strength).sum(axis=1).astype(np.float32))
    np.save(truth_dir / "directions.npy", directions)
