"""Trains a small dictionary with numpy: rows of W_dec follow what their latents leave unexplained."""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

RATE = 0.02  # step size


class SAE:
    """x ~ z @ W_dec + b_dec with l0 non-zero latents a row."""

    def __init__(self, W_dec, b_dec, l0):
        self.W_dec, self.b_dec, self.l0 = W_dec, b_dec, l0

    def encode(self, x):
        pre_acts = np.maximum((x - self.b_dec) @ self.W_dec.T, 0)
        cut = np.sort(pre_acts, axis=1)[:, -self.l0][:, None]
        return np.where(pre_acts >= cut, pre_acts, 0)

    def save(self, path):
        save_file({"W_dec": self.W_dec, "b_dec": self.b_dec, "l0": np.array([self.l0])}, path)

    @classmethod
    def load(cls, path):
        state = load_file(path)
        return cls(state["W_dec"], state["b_dec"], int(state["l0"][0]))


def train(task, out_dir):
    draw = np.random.default_rng(task["seed"])
    data = np.load(Path(task["data"]) / "activations.npy")
    W_dec = draw.normal(size=(task["d_sae"], task["d_in"])).astype(np.float32)
    sae = SAE(W_dec / np.linalg.norm(W_dec, axis=1, keepdims=True), data.mean(0), task["l0"])
    steps = task["samples"] // task["batch"]
    with open(out_dir / "log.jsonl", "a") as log:
        for step in range(1, steps + 1):
            x = data[draw.integers(len(data), size=task["batch"])]
            z = sae.encode(x)
            residual = x - z @ sae.W_dec - sae.b_dec
            sae.W_dec += RATE * z.T @ residual / len(x)
            sae.W_dec /= np.linalg.norm(sae.W_dec, axis=1, keepdims=True)
            if step % 10 == 0 or step == steps:
                loss = float(np.square(residual).sum(1).mean())
                line = {"step": step, "steps": steps, "samples": step * len(x), "loss": loss}
                log.write(json.dumps(line) + "\n")
                log.flush()
    (out_dir / "diagnostics.json").write_text(json.dumps({"final_loss": loss}))
    return sae


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    train(task, out_dir).save(out_dir / task["artefact"])
