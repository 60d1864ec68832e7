"""Trains, prunes the smallest weights, trains what is left. Called as `python experiment.py --out_dir=run_i`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

START = 0.5  # share of the training before anything is pruned


class Classifier:
    """One hidden layer. The file holds float16."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = {name: value.astype(np.float32) for name, value in weights.items()}

    def layers(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.maximum(x @ self.weights["W_in"] + self.weights["b_in"], 0)
        return hidden, hidden @ self.weights["W_out"] + self.weights["b_out"]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """float32 [n, d_in] -> float32 [n, classes]."""
        return self.layers(x)[1]

    def save(self, path: Path) -> None:
        save_file({name: value.astype(np.float16) for name, value in self.weights.items()}, path)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        return cls(load_file(path))


def train(task: dict[str, Any], out_dir: Path) -> Classifier:
    """Gradient descent on the log loss; from the middle on, the smallest weights of each matrix are held at zero."""
    draw = np.random.default_rng(task["seed"])
    x, y = (np.load(Path(task["data"]) / name) for name in ("x.npy", "y.npy"))
    sizes = {"W_in": (task["d_in"], task["width"]), "W_out": (task["width"], task["classes"])}
    weights = {name: draw.normal(size=size) / np.sqrt(size[0]) for name, size in sizes.items()}
    model = Classifier(weights | {"b_in": np.zeros(task["width"]), "b_out": np.zeros(task["classes"])})
    kept = {name: np.ones(size) for name, size in sizes.items()}
    steps = max(1, task["samples"] // task["batch"])
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            rows = draw.integers(len(x), size=task["batch"])
            if step == 1 + int(START * (steps - 1)):
                kept = {name: mask(model.weights[name], task["density"]) for name in sizes}
            loss = descend(model, x[rows], y[rows], task["lr"] * (1 - (step - 1) / steps), kept)
            if step % max(1, steps // 50) == 0:
                line = {"step": step, "steps": steps, "samples": step * task["batch"], "loss": loss}
                log.write(json.dumps(line) + "\n")
    return model


def mask(matrix: np.ndarray, density: float) -> np.ndarray:
    """One for the largest weights, zero for the others."""
    return np.abs(matrix) >= np.quantile(np.abs(matrix), 1 - density)


def descend(model: Classifier, x: np.ndarray, y: np.ndarray, rate: float, kept: dict[str, np.ndarray]) -> float:
    hidden, scores = model.layers(x)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(-np.log(p[rows, y] + 1e-9).mean())
    p[rows, y] -= 1
    back = p / len(y)
    below = back @ model.weights["W_out"].T * (hidden > 0)
    slopes = {"W_out": hidden.T @ back, "b_out": back.sum(axis=0), "W_in": x.T @ below, "b_in": below.sum(axis=0)}
    for name, slope in slopes.items():
        model.weights[name] = ((model.weights[name] - rate * slope) * kept.get(name, 1.0)).astype(np.float32)
    return loss


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    train(task, out_dir).save(out_dir / task["artefact"])
