"""Accuracy on held-out rows. The short form: every row is sent once, and evaluate gets the outputs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Truth:
    x: np.ndarray
    y: np.ndarray


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    return Truth(x=np.load(truth_dir / "x.npy"), y=np.load(truth_dir / "y.npy"))


def evaluate(x: np.ndarray, outputs: np.ndarray, truth: Truth) -> dict[str, float]:
    right = outputs.argmax(axis=1) == truth.y
    worst = min(right[truth.y == kind].mean() for kind in np.unique(truth.y))
    return {"accuracy": float(right.mean()), "worst_class": float(worst)}
