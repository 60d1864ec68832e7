"""A dictionary of averaged rows; run in the place of experiment.py."""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


class SAE:
    """x ~ z @ W_dec + b_dec with l0 non-zero latents a row."""

    def __init__(self, W_dec, b_dec, l0):
        self.W_dec, self.b_dec, self.l0 = W_dec, b_dec, l0

    def encode(self, x):
        pre_acts = np.maximum((x - self.b_dec) @ self.W_dec.T, 0)
        cut = np.sort(pre_acts, axis=1)[:, -self.l0][:, None]
        return np.where(pre_acts >= cut, pre_acts, 0)

    @classmethod
    def load(cls, path):
        state = load_file(path)
        return cls(state["W_dec"], state["b_dec"], int(state["l0"][0]))


def train(task, out_dir):
    draw = np.random.default_rng(task["seed"])
    data = np.load(Path(task["data"]) / "activations.npy")
    b_dec = data.mean(0)
    total, steps = np.zeros((task["d_sae"], task["d_in"]), dtype=np.float32), 20
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            rows = data[draw.integers(len(data), size=len(total))] - b_dec
            signs = np.sign((rows * (total if step > 1 else rows)).sum(1, keepdims=True))
            total += rows * signs / step
            loss = float(np.square(rows).mean())
            line = {"step": step, "steps": steps, "samples": step * len(rows), "loss": loss}
            log.write(json.dumps(line) + "\n")
    W_dec = total / np.linalg.norm(total, axis=1, keepdims=True)
    save_file({"W_dec": W_dec, "b_dec": b_dec, "l0": np.array([task["l0"]])}, out_dir / task["artefact"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    train(json.loads(Path("task.json").read_text()), out_dir)
