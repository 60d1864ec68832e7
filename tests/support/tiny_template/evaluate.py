"""Three metrics against the known directions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Truth:
    x: np.ndarray
    directions: np.ndarray


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    return Truth(x=np.load(truth_dir / "x.npy"), directions=np.load(truth_dir / "directions.npy"))


def evaluate(x, z, x_hat, decoder, truth) -> dict[str, float]:
    residual = np.square(x - x_hat).sum() / np.square(x - x.mean(axis=0)).sum()
    score = np.abs(decoder @ truth.directions.T).max(axis=1).mean()
    return {"score": float(score), "error": float(residual), "l0": z.nnz / len(x)}
