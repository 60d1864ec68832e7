"""Trains a linear policy by the cross-entropy method. Called as `python experiment.py --out_dir=run_i`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from environment import CartPole
from safetensors.numpy import load_file, save_file


class Policy:
    """Pushes right where a linear function of the observation is positive."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights.astype(np.float32)

    def act(self, observation: np.ndarray) -> np.ndarray:
        """float32 [n, 4] -> int64 [n]."""
        return (observation @ self.weights > 0).astype(np.int64)

    def save(self, path: Path) -> None:
        save_file({"weights": self.weights}, path)

    @classmethod
    def load(cls, path: Path) -> "Policy":
        return cls(load_file(path)["weights"])


def train(task: dict[str, Any], out_dir: Path) -> Policy:
    """Each round tries some policies on episodes of their own, and moves to the best of them."""
    draw = np.random.default_rng(task["seed"])
    physics = json.loads((Path(task["data"]) / "physics.json").read_text())
    mean, spread = draw.normal(size=4), np.full(4, 2.0)
    steps = max(1, task["samples"] // task["batch"])
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            tried = mean + spread * draw.normal(size=(task["batch"], 4))  # a sample is one policy's episode
            world = CartPole(physics, task["batch"], draw)
            lasted = np.zeros(task["batch"])
            for _ in range(task["horizon"]):
                lasted += world.step((world.observe() * tried).sum(axis=1) > 0)
            best = tried[np.argsort(-lasted)[: max(1, task["batch"] // 4)]]
            rate = task["rate"] / (1 + np.log(step))  # slower in the end, when luck chooses among good policies
            mean, spread = mean + rate * (best.mean(axis=0) - mean), spread + rate * (best.std(axis=0) - spread)
            loss = 1 - float(lasted.mean()) / task["horizon"]
            log.write(json.dumps({"step": step, "samples": step * task["batch"], "loss": loss}) + "\n")
    return Policy(mean)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    train(task, out_dir).save(out_dir / task["artefact"])
