"""Trains one TopK sparse autoencoder on cached activations.

Called as `python experiment.py --out_dir=run_i`. Reads task.json (one seed, one condition) from the working
directory. Leaves in out_dir: the artefact, log.jsonl (a line every few steps) and diagnostics.json (numbers of
your own: flat, name -> number). The runner then loads `SAE` from this file and measures it on held-out data;
nothing that is written here counts as a result.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


class SAE(torch.nn.Module):
    """x ~ z @ W_dec + b_dec, where z holds at most l0 non-zero latents a row."""

    def __init__(self, d_in: int, d_sae: int, l0: int):
        super().__init__()
        W_dec = F.normalize(torch.randn(d_sae, d_in), dim=1)
        self.W_dec = torch.nn.Parameter(W_dec)
        self.W_enc = torch.nn.Parameter(W_dec.T.clone())
        self.b_enc = torch.nn.Parameter(torch.zeros(d_sae))
        self.b_dec = torch.nn.Parameter(torch.zeros(d_in))
        self.register_buffer("l0", torch.tensor(l0))

    def pre_acts(self, x: torch.Tensor) -> torch.Tensor:
        """[B, d_in] -> [B, d_sae], before the choice of latents."""
        return F.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[B, d_in] -> [B, d_sae]. Used for measuring; each row must depend on that row alone."""
        values, latents = self.pre_acts(x).topk(int(self.l0), dim=1)
        return torch.zeros(len(x), len(self.W_dec)).scatter_(1, latents, values)

    def save(self, path: Path) -> None:
        save_file({name: value.cpu().contiguous() for name, value in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: str) -> "SAE":
        """What save wrote. The runner needs W_dec [d_sae, d_in] and b_dec [d_in]; the rest is yours."""
        state = load_file(path)
        sae = cls(state["W_dec"].shape[1], state["W_dec"].shape[0], int(state["l0"]))
        sae.load_state_dict(state)
        return sae


def decode(values: torch.Tensor, latents: torch.Tensor, sae: SAE) -> torch.Tensor:
    """Sum of the chosen decoder rows: values and latents [B, k] -> [B, d_in]; faster than z @ W_dec."""
    return F.embedding_bag(latents, sae.W_dec, per_sample_weights=values, mode="sum") + sae.b_dec


def loss_on_batch(sae: SAE, x: torch.Tensor, dead: torch.Tensor, aux_scale: float):
    """Reconstruction error, plus AuxK: dead latents learn what is left. Also returns who fired."""
    pre_acts = sae.pre_acts(x)
    values, latents = pre_acts.topk(int(sae.l0), dim=1)
    residual = x - decode(values, latents, sae)
    loss = residual.square().sum(1).mean()
    fired = torch.zeros_like(dead).index_fill_(0, latents[values > 0], True)
    if aux_scale > 0 and dead.any():
        k_aux = min(int(dead.sum()), x.shape[1] // 2)
        aux_values, aux_latents = pre_acts.masked_fill(~dead, 0).topk(k_aux, dim=1)
        guess = decode(aux_values, aux_latents, sae) - sae.b_dec
        left = residual.detach()
        share = x.var(0).sum() / left.var(0).sum()  # the guess is judged beside the residual's variance (2406.04093)
        loss = loss + aux_scale * share * (left - guess).square().sum(1).mean()
    return loss, fired


def train(task: dict, out_dir: Path) -> SAE:
    """Adam with a linear decay over the last third; decoder rows are kept at unit norm."""
    device = task["device"]
    data = torch.from_numpy(np.load(Path(task["data"]) / "activations.npy"))
    steps = task["samples"] // task["batch"]
    sae = SAE(task["d_in"], task["d_sae"], task["l0"]).to(device)
    with torch.no_grad():
        sae.b_dec.copy_(data[:10_000].mean(0))
    optimizer = torch.optim.Adam(sae.parameters(), lr=task["lr"], betas=(0.9, 0.999), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 3 * (1 - step / steps)))
    idle = torch.zeros(task["d_sae"], device=device)  # samples since each latent last fired
    log_every = max(1, steps // 100)

    with open(out_dir / "log.jsonl", "a") as log:
        for step, rows in enumerate(batches(len(data), task["batch"], steps), start=1):
            x = data[rows].to(device)
            loss, fired = loss_on_batch(sae, x, idle > task["dead_after"], task["aux_scale"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                sae.W_dec.copy_(F.normalize(sae.W_dec, dim=1))
                idle.add_(len(x)).masked_fill_(fired, 0)
            if step % log_every == 0 or step == steps:
                line = {"step": step, "steps": steps, "samples": step * len(x), "loss": loss.item()}
                log.write(json.dumps(line) + "\n")
                log.flush()
    dead_share = (idle > task["dead_after"]).float().mean().item()
    (out_dir / "diagnostics.json").write_text(json.dumps({"dead_share_in_training": dead_share}))
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
