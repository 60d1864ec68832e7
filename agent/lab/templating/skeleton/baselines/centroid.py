"""Nearest centroid; trained in the place of experiment.py."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file


class Classifier:
    """The score of a class is the negative squared distance to its centroid."""

    def __init__(self, centroids: np.ndarray) -> None:
        self.centroids = centroids

    def predict(self, x: np.ndarray) -> np.ndarray:
        return -np.square(x[:, None, :] - self.centroids).sum(axis=2)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        return cls(load_file(path)["centroids"])


def train(task: dict[str, Any], out_dir: Path) -> None:
    """The mean of the rows of each class, over as many rows as the budget allows."""
    draw = np.random.default_rng(task["seed"])
    x, y = (np.load(Path(task["data"]) / name) for name in ("x.npy", "y.npy"))
    sums, counts = np.zeros((task["classes"], x.shape[1])), np.full(task["classes"], 1e-9)
    steps = max(1, task["samples"] // task["batch"])
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            rows = draw.integers(len(x), size=task["batch"])
            np.add.at(sums, y[rows], x[rows])
            np.add.at(counts, y[rows], 1)
            if step % max(1, steps // 50) == 0:
                spread = float(np.square(x[rows] - (sums / counts[:, None])[y[rows]]).sum(axis=1).mean())
                line = {"step": step, "steps": steps, "samples": step * len(rows), "loss": spread}
                log.write(json.dumps(line) + "\n")
    save_file({"centroids": (sums / counts[:, None]).astype(np.float32)}, out_dir / task["artefact"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    train(json.loads(Path("task.json").read_text()), out_dir)
