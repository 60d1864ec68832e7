"""Trains one standard (ReLU, L1) sparse autoencoder; the runner puts it in the place of experiment.py.

Adam is constrained: decoder rows have unit length, and their gradient no part along them. Latents that stay silent
are pointed at rows that are reconstructed badly. The L1 weight is steered to the condition's l0 and left alone in
the last tenth: a fixed weight that suits one model misses the sparsity in the next.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

L1_START = 0.5  # weight of the summed latents beside the summed squared error; low, so that directions form first
L1_PACE = 6.0  # logarithm of the weight, at most so much over the whole training
RESAMPLE_TIMES = 4  # spread over the first half of the training


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


class Activations:
    """The shards of one hook. Their rows are shuffled already; epochs take shards and rows in new orders."""

    def __init__(self, folder: Path):
        about = json.loads((folder / "about.json").read_text())
        self.shards = [folder / name for name in about["shards"]]
        self.deviation = about["deviation"]  # root of the mean squared distance from the mean row
        self.bfloat16 = about["dtype"] == "bfloat16"  # kept as int16

    def shard(self, path: Path) -> torch.Tensor:
        """[rows, d_in], mapped from the disk as it is needed."""
        rows = torch.from_numpy(np.load(path, mmap_mode="c"))
        return rows.view(torch.bfloat16) if self.bfloat16 else rows

    def batches(self, batch: int, device: str):
        """float32 [batch, d_in], epoch after epoch."""
        while True:
            for number in torch.randperm(len(self.shards)):
                rows = self.shard(self.shards[number])
                for chosen in torch.randperm(len(rows)).split(batch):
                    if len(chosen) == batch:
                        yield rows[chosen].to(device).float()


def train(task: dict, out_dir: Path) -> SAE:
    """Adam with a linear decay over the last third, on x / scale, which has unit deviation in each dimension."""
    device, steps = task["device"], task["samples"] // task["batch"]
    data = Activations(Path(task["data"]) / task["hook_name"])
    scale = data.deviation / task["d_in"] ** 0.5
    sae = SAE(task["d_in"], task["d_sae"]).to(device)
    with torch.no_grad():
        sae.b_dec.copy_(data.shard(data.shards[0])[:10_000].float().mean(0) / scale)
    optimizer = torch.optim.Adam(sae.parameters(), lr=task["lr_l1"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 3 * (1 - step / steps)))
    l1, mean_l0, resampled = L1_START, float(task["d_sae"]), 0
    idle = torch.zeros(task["d_sae"], device=device)  # samples since each latent last fired
    log_every, resample_every = max(1, steps // 100), max(1, steps // (2 * RESAMPLE_TIMES))

    with open(out_dir / "log.jsonl", "a") as log:
        for step, x in zip(range(1, steps + 1), data.batches(task["batch"], device), strict=False):
            x = x / scale
            z = sae.encode(x)
            residual = x - z @ sae.W_dec - sae.b_dec
            loss = residual.square().sum(1).mean() + l1 * z.sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            keep_radial_part_out(sae)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                sae.W_dec.copy_(F.normalize(sae.W_dec, dim=1))
                idle.add_(len(x)).masked_fill_((z > 0).any(0), 0)
                dead = (idle > task["dead_after"]).nonzero().flatten()
                if step <= steps // 2 and step % resample_every == 0 and len(dead):
                    resample(sae, optimizer, x, residual, dead)
                    idle[dead] = 0
                    resampled += len(dead)
            mean_l0 += 0.2 * ((z > 0).sum(1).float().mean().item() - mean_l0)
            if step < 0.9 * steps:
                l1 *= 1 + L1_PACE / steps * max(-1.0, min(1.0, mean_l0 / task["l0"] - 1))
            if step % log_every == 0 or step == steps:
                line = {"step": step, "steps": steps, "samples": step * len(x), "loss": loss.item()}
                log.write(json.dumps({**line, "l0": mean_l0, "l1": l1}) + "\n")
                log.flush()
    numbers = {"final_l1_weight": l1, "mean_l0_in_training": mean_l0, "resampled_latents": resampled}
    (out_dir / "diagnostics.json").write_text(json.dumps(numbers))
    with torch.no_grad():
        sae.b_enc.mul_(scale)
        sae.b_dec.mul_(scale)
    return sae


def resample(sae: SAE, optimizer: torch.optim.Adam, x: torch.Tensor, residual: torch.Tensor, dead: torch.Tensor):
    """Point dead latents at rows drawn in proportion to their squared loss, with a small encoder and no memory."""
    loss = residual.square().sum(1)
    rows = loss.square().multinomial(len(dead), replacement=len(dead) > len(x))
    direction = F.normalize(residual[rows], dim=1)
    alive = torch.ones(len(sae.W_dec), dtype=torch.bool, device=x.device).index_fill_(0, dead, False)
    usual = sae.W_enc[:, alive].norm(dim=0).mean() if alive.any() else 1.0
    sae.W_dec[dead] = direction
    sae.W_enc[:, dead] = 0.2 * usual * direction.T
    sae.b_enc[dead] = 0.0
    for parameter, places in ((sae.W_dec, dead), (sae.W_enc, (slice(None), dead)), (sae.b_enc, dead)):
        for moment in ("exp_avg", "exp_avg_sq"):
            optimizer.state[parameter][moment][places] = 0.0


def keep_radial_part_out(sae: SAE) -> None:
    """What would only change the lengths of decoder rows is taken from their gradient; Adam would scale it up."""
    grad = sae.W_dec.grad
    grad -= (grad * sae.W_dec).sum(1, keepdim=True) * sae.W_dec.detach()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    torch.manual_seed(task["seed"])
    torch.set_num_threads(task["threads"])
    train(task, out_dir).save(out_dir / task["artefact"])
