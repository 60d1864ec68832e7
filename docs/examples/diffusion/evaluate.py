"""Compares samples with held-out points. Shuffled samples are as good, so both metrics are of distributions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

NEAR = 0.36  # three standard deviations of a blob


@dataclass(frozen=True)
class Truth:
    points: np.ndarray
    centres: np.ndarray
    seed: int


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    points, centres, seed = (np.load(truth_dir / f"{name}.npy") for name in ("points", "centres", "seed"))
    return Truth(points, centres, int(seed))


def evaluate(model, truth: Truth, settings: dict) -> dict[str, float]:
    drawn = model.sample(len(truth.points), truth.seed)
    to_blobs = np.linalg.norm(drawn[:, None] - truth.centres, axis=2)
    found = np.bincount(to_blobs.argmin(axis=1)[to_blobs.min(axis=1) < NEAR], minlength=len(truth.centres))
    even = len(truth.points) / len(truth.centres)
    return {"distance": energy(drawn, truth.points), "coverage": float(np.minimum(found / even, 1.0).mean())}


def energy(one: np.ndarray, other: np.ndarray) -> float:
    """The energy distance of two samples: zero where they are of one distribution."""

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a[:, None] - b, axis=2).mean())

    return max(0.0, 2 * apart(one, other) - apart(one, one) - apart(other, other))
