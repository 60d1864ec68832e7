"""What a pruned classifier still knows, what is left of it (read off its file), and how long it takes to answer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Truth:
    x: np.ndarray
    y: np.ndarray


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    return Truth(x=np.load(truth_dir / "x.npy"), y=np.load(truth_dir / "y.npy"))


def evaluate(model, truth: Truth, settings: dict) -> dict[str, float]:
    right = model.predict(truth.x).argmax(axis=1) == truth.y
    took = []
    for row in truth.x[:20]:
        model.predict(row[None])
        took.append(1000 * model.seconds)
    matrices = [tensor for name, tensor in model.tensors.items() if name.startswith("W")]
    left = sum(np.count_nonzero(matrix) for matrix in matrices) / sum(matrix.size for matrix in matrices)
    return {
        "accuracy": float(right.mean()),
        "density": float(left),
        "kilobytes": model.file_bytes / 1000,
        "latency": float(np.median(took)),
    }
