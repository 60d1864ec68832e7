"""Trains a small diffusion model of points. Called as `python experiment.py --out_dir=run_i`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

LEVELS = 40  # of noise, from almost none to all


class Sampler:
    """Two hidden layers that guess the noise in a point."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = {name: value.astype(np.float32) for name, value in weights.items()}
        self.kept = np.cumprod(1 - np.linspace(1e-3, 0.2, LEVELS))  # share of the signal left at each level

    def layers(self, points: np.ndarray, level: np.ndarray) -> list[np.ndarray]:
        """The input, what each hidden layer gives, and the guess."""
        phase = level[:, None] / LEVELS * np.array([1.0, 2.0, 4.0, 8.0])
        found = [np.concatenate([points, np.sin(phase), np.cos(phase)], axis=1).astype(np.float32)]
        for name in "ab":
            found.append(np.maximum(found[-1] @ self.weights[f"W_{name}"] + self.weights[f"b_{name}"], 0))
        return [*found, found[-1] @ self.weights["W_c"] + self.weights["b_c"]]

    def sample(self, count: int, seed: int) -> np.ndarray:
        """float32 [count, 2]; all chance is drawn from `seed`."""
        draw = np.random.default_rng(seed)
        points = draw.normal(size=(count, 2))
        for level in reversed(range(LEVELS)):
            kept, before = self.kept[level], self.kept[level - 1] if level else 1.0
            noise = self.layers(points, np.full(count, level))[-1]
            clean = np.clip((points - np.sqrt(1 - kept) * noise) / np.sqrt(kept), -3, 3)
            spread = np.sqrt((1 - before) / (1 - kept) * (1 - kept / before))
            points = np.sqrt(before) * clean + np.sqrt(max(0.0, 1 - before - spread**2)) * noise
            points = points + spread * draw.normal(size=points.shape)
        return points.astype(np.float32)

    def save(self, path: Path) -> None:
        save_file(self.weights, path)

    @classmethod
    def load(cls, path: Path) -> "Sampler":
        return cls(load_file(path))


def gradients(model: Sampler, points: np.ndarray, level: np.ndarray, noise: np.ndarray) -> tuple[float, dict]:
    """The mean squared error of the guessed noise, and its gradients."""
    kept = model.kept[level][:, None]
    *hidden, guess = model.layers(np.sqrt(kept) * points + np.sqrt(1 - kept) * noise, level)
    back = 2 * (guess - noise) / guess.size
    found = {}
    for name, below in zip("cba", reversed(hidden), strict=True):
        found |= {f"W_{name}": below.T @ back, f"b_{name}": back.sum(axis=0)}
        back = back @ model.weights[f"W_{name}"].T * (below > 0)
    return float(np.square(guess - noise).mean()), found


def train(task: dict[str, Any], out_dir: Path) -> Sampler:
    """Adam on batches of points with noise of every level."""
    draw = np.random.default_rng(task["seed"])
    pool, width, batch = np.load(Path(task["data"]) / "points.npy"), task["width"], task["batch"]
    sizes = {"a": (10, width), "b": (width, width), "c": (width, 2)}
    weights = {f"W_{name}": draw.normal(size=size) / np.sqrt(size[0]) for name, size in sizes.items()}
    model = Sampler(weights | {f"b_{name}": np.zeros(size[1]) for name, size in sizes.items()})
    first, second = ({name: np.zeros_like(w) for name, w in model.weights.items()} for _ in range(2))
    steps = max(1, task["samples"] // batch)
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            points, level = pool[draw.integers(len(pool), size=batch)], draw.integers(LEVELS, size=batch)
            loss, slopes = gradients(model, points, level, draw.normal(size=points.shape))
            for name, slope in slopes.items():
                first[name] += 0.1 * (slope - first[name])
                second[name] += 0.01 * (slope**2 - second[name])
                mean, scale = first[name] / (1 - 0.9**step), second[name] / (1 - 0.99**step)
                rate = task["lr"] * (1 - (step - 1) / steps)
                model.weights[name] -= (rate * mean / (np.sqrt(scale) + 1e-8)).astype(np.float32)
            if step % max(1, steps // 50) == 0:
                log.write(json.dumps({"step": step, "steps": steps, "samples": step * batch, "loss": loss}) + "\n")
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    train(task, out_dir).save(out_dir / task["artefact"])
