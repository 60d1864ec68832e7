"""Draws the data from a secret; run by the runner alone.

What lies in train_dir is all that an experiment sees. What lies in truth_dir no sandbox ever sees.
"""

from pathlib import Path

import numpy as np

BLOBS = 3  # of each class


def prepare(settings: dict[str, int], secret: int, train_dir: Path, truth_dir: Path) -> None:
    """Labelled rows to train on, and others, held out, to measure with; both from one world."""
    draw = np.random.default_rng(np.random.SeedSequence(secret))
    centres = draw.normal(size=(settings["classes"], BLOBS, settings["d_in"]))
    for folder, rows in ((train_dir, settings["pool"]), (truth_dir, settings["held_out"])):
        y = draw.integers(settings["classes"], size=rows)
        x = centres[y, draw.integers(BLOBS, size=rows)] + draw.normal(size=(rows, settings["d_in"]))
        np.save(folder / "x.npy", x.astype(np.float32))
        np.save(folder / "y.npy", y)
