"""Trains one standard (ReLU, L1) sparse autoencoder; the runner puts it in the place of experiment.py.

The L1 weight is steered to the condition's l0 and left alone in the last tenth of training: a fixed weight
that suits one world misses the sparsity in the next, and methods are compared at equal l0.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

L1_START = 0.1  # weight of the summed latents beside the summed squared error; low, so that directions form first
L1_PACE = 0.004  # relative change of the weight a step, at most


class SAE(torch.nn.Module):
    """x ~ relu((x - b_dec) @ W_enc + b_enc) @ W_dec + b_dec."""

    def __init__(self, d_in: int, d_sae: int):
        super().__init__()
        W_dec = F.normalize(torch.randn(d_sae, d_in), dim=1)
        self.W_dec = torch.nn.Parameter(W_dec)
        self.W_enc = torch.nn.Parameter(W_dec.T.clone())
        self.b_enc = torch.nn.Parameter(torch.zeros(d_sae))
        self.b_dec = torch.nn.Parameter(torch.zeros(d_in))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[B, d_in] -> [B, d_sae]."""
        return F.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    def save(self, path: Path) -> None:
        save_file({name: value.cpu().contiguous() for name, value in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: str) -> "SAE":
        state = load_file(path)
        sae = cls(state["W_dec"].shape[1], state["W_dec"].shape[0])
        sae.load_state_dict(state)
        return sae


def train(task: dict, out_dir: Path) -> SAE:
    """Adam with a linear decay over the last third; decoder rows are kept at unit norm."""
    device = task["device"]
    data = torch.from_numpy(np.load(Path(task["data"]) / "activations.npy"))
    steps = task["samples"] // task["batch"]
    sae = SAE(task["d_in"], task["d_sae"]).to(device)
    with torch.no_grad():
        sae.b_dec.copy_(data[:10_000].mean(0))
    optimizer = torch.optim.Adam(sae.parameters(), lr=task["lr_l1"], betas=(0.9, 0.999), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 3 * (1 - step / steps)))
    l1, mean_l0 = L1_START, float(task["d_sae"])
    log_every = max(1, steps // 100)

    with open(out_dir / "log.jsonl", "a") as log:
        for step, rows in enumerate(batches(len(data), task["batch"], steps), start=1):
            x = data[rows].to(device)
            z = sae.encode(x)
            error = (x - z @ sae.W_dec - sae.b_dec).square().sum(1).mean()
            loss = error + l1 * z.sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                sae.W_dec.copy_(F.normalize(sae.W_dec, dim=1))
            mean_l0 += 0.05 * ((z > 0).sum(1).float().mean().item() - mean_l0)
            if step < 0.9 * steps:
                excess = mean_l0 / task["l0"] - 1
                l1 *= 1 + L1_PACE * max(-1.0, min(1.0, excess))
            if step % log_every == 0 or step == steps:
                line = {"step": step, "steps": steps, "samples": step * len(x), "loss": loss.item()}
                log.write(json.dumps({**line, "l0": mean_l0, "l1": l1}) + "\n")
                log.flush()
    numbers = {"final_l1_weight": l1, "mean_l0_in_training": mean_l0}
    (out_dir / "diagnostics.json").write_text(json.dumps(numbers))
    return sae


def batches(rows: int, batch: int, steps: int):
    """Shuffled batches of row numbers, epoch after epoch."""
    done = 0
    while done < steps:
        order = torch.randperm(rows)
        for start in range(0, rows - batch + 1, batch):
            if done == steps:
                return
            yield order[start : start + batch]
            done += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    torch.manual_seed(task["seed"])
    torch.set_num_threads(task["threads"])
    train(task, out_dir).save(out_dir / task["artefact"])
