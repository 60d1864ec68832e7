"""Draws labelled rows from a secret: some to train on, others held out."""

from pathlib import Path

import numpy as np


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    draw = np.random.default_rng(np.random.SeedSequence(secret))
    centres = draw.normal(size=(settings["classes"], 3, settings["d_in"]))
    for folder, rows in ((train_dir, settings["pool"]), (truth_dir, settings["held_out"])):
        y = draw.integers(settings["classes"], size=rows)
        x = centres[y, draw.integers(3, size=rows)] + 0.7 * draw.normal(size=(rows, settings["d_in"]))
        np.save(folder / "x.npy", x.astype(np.float32))
        np.save(folder / "y.npy", y)
