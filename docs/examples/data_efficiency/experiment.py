"""Trains one classifier on the first rows of the pool. Called as `python experiment.py --out_dir=run_i`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file


class Classifier:
    """Scores are linear in the row."""

    def __init__(self, W: np.ndarray, b: np.ndarray) -> None:
        self.W, self.b = W, b

    def predict(self, x: np.ndarray) -> np.ndarray:
        """[B, d_in] -> [B, classes]. Used for measuring; each row must depend on that row alone."""
        return x @ self.W + self.b

    def save(self, path: Path) -> None:
        save_file({"W": self.W, "b": self.b}, path)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        state = load_file(path)
        return cls(state["W"], state["b"])


def train(task: dict[str, Any], out_dir: Path) -> Classifier:
    """Plain stochastic gradient descent on the log loss, with a linear decay of the step size."""
    draw = np.random.default_rng(task["seed"])
    x, y = (np.load(Path(task["data"]) / name)[: task["rows"]] for name in ("x.npy", "y.npy"))
    W = draw.normal(size=(task["d_in"], task["classes"])).astype(np.float32) * 0.01
    model = Classifier(W, np.zeros(task["classes"], np.float32))
    steps = max(1, task["samples"] // task["batch"])
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            rows = draw.integers(len(x), size=task["batch"])
            scores = model.predict(x[rows])
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            loss = -np.log(p[np.arange(len(rows)), y[rows]] + 1e-9).mean()
            p[np.arange(len(rows)), y[rows]] -= 1  # the gradient with respect to the scores
            rate = task["lr"] * (1 - (step - 1) / steps) / len(rows)
            model.W -= (rate * x[rows].T @ p).astype(np.float32)
            model.b -= (rate * p.sum(axis=0)).astype(np.float32)
            if step % max(1, steps // 50) == 0:
                line = {"step": step, "steps": steps, "samples": step * len(rows), "loss": float(loss)}
                log.write(json.dumps(line) + "\n")
                log.flush()
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    train(task, out_dir).save(out_dir / task["artefact"])
