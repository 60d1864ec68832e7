"""The metrics of a classifier, from its scores on held-out rows. Runs in the runner's process, never in a sandbox."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Truth:
    x: np.ndarray  # float32 [N, d_in]; the runner sends these rows to Classifier.predict
    y: np.ndarray  # int [N]


def load_truth(truth_dir: Path, settings: dict[str, int]) -> Truth:
    """What prepare.py wrote into truth_dir."""
    return Truth(x=np.load(truth_dir / "x.npy"), y=np.load(truth_dir / "y.npy"))


def evaluate(x: np.ndarray, outputs: np.ndarray, truth: Truth) -> dict[str, float]:
    """Every metric of the manifest. outputs: [N, classes], what Classifier.predict gave for x."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return {
        "accuracy": float((outputs.argmax(axis=1) == truth.y).mean()),
        "log_loss": float(-log_p[np.arange(len(truth.y)), truth.y].mean()),
    }
