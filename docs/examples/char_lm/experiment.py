"""Finetunes the checkpoint. Called as `python experiment.py --out_dir=run_i`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from language import SEEN, layers, step
from safetensors.numpy import load_file, save_file


class Writer:
    """Guesses a letter from those before it."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights

    def scores(self, before: np.ndarray) -> np.ndarray:
        """int64 [n, 4] -> float32 [n, 16]: a score for each letter that may follow."""
        return layers(self.weights, before)[-1]

    @classmethod
    def load(cls, path: Path) -> "Writer":
        return cls(load_file(path))


def train(task: dict[str, Any], out_dir: Path) -> dict[str, np.ndarray]:
    """Gradient descent on windows of the dialect's text, from the checkpoint on."""
    draw = np.random.default_rng(task["seed"])
    letters = np.load(Path(task["data"]) / "text.npy")
    weights = load_file(Path(task["data"]) / "checkpoint.safetensors")
    steps = max(1, task["samples"] // task["batch"])
    with open(out_dir / "log.jsonl", "a") as log:
        for number in range(1, steps + 1):
            places = draw.integers(SEEN, len(letters), size=task["batch"])
            before = letters[places[:, None] + np.arange(-SEEN, 0)]
            loss = step(weights, before, letters[places], task["lr"] * (1 - (number - 1) / steps))
            if number % max(1, steps // 50) == 0:
                line = {"step": number, "steps": steps, "samples": number * task["batch"], "loss": loss}
                log.write(json.dumps(line) + "\n")
    return weights


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    save_file(train(task, out_dir), out_dir / task["artefact"])
