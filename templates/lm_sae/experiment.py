"""Trains one TopK sparse autoencoder on cached activations of a language model.

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

AUX_SCALE = 1 / 32  # weight of AuxK


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
        pre_acts = self.pre_acts(x)
        values, latents = pre_acts.topk(int(self.l0), dim=1)
        return torch.zeros_like(pre_acts).scatter_(1, latents, values)

    def save(self, path: Path) -> None:
        save_file({name: value.cpu().contiguous() for name, value in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: str) -> "SAE":
        """What save wrote. The runner needs W_dec [d_sae, d_in] and b_dec [d_in]; the rest is yours."""
        state = load_file(path)
        sae = cls(state["W_dec"].shape[1], state["W_dec"].shape[0], int(state["l0"]))
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


def decode(values: torch.Tensor, latents: torch.Tensor, sae: SAE) -> torch.Tensor:
    """Sum of the chosen decoder rows: values and latents [B, k] -> [B, d_in]; faster than z @ W_dec."""
    return F.embedding_bag(latents, sae.W_dec, per_sample_weights=values, mode="sum") + sae.b_dec


def loss_on_batch(sae: SAE, x: torch.Tensor, dead: torch.Tensor):
    """Reconstruction error, plus AuxK: dead latents learn what is left. Also returns who fired."""
    pre_acts = sae.pre_acts(x)
    values, latents = pre_acts.topk(int(sae.l0), dim=1)
    residual = x - decode(values, latents, sae)
    loss = residual.square().sum(1).mean()
    fired = torch.zeros_like(dead).index_fill_(0, latents[values > 0], True)
    if dead.any():
        k_aux = min(int(dead.sum()), x.shape[1] // 2)
        aux_values, aux_latents = pre_acts.masked_fill(~dead, 0).topk(k_aux, dim=1)
        guess = decode(aux_values, aux_latents, sae) - sae.b_dec
        loss = loss + AUX_SCALE * (residual.detach() - guess).square().sum(1).mean()
    return loss, fired


def train(task: dict, out_dir: Path) -> SAE:
    """Adam with a linear decay over the last third; decoder rows are kept at unit norm.

    Trained on x / scale, which has unit deviation in each dimension on average, so that one learning rate serves
    all models. An SAE is homogeneous: with its biases multiplied by the scale, it is an SAE of x.
    """
    device, steps = task["device"], task["samples"] // task["batch"]
    data = Activations(Path(task["data"]) / task["hook_name"])
    scale = data.deviation / task["d_in"] ** 0.5
    sae = SAE(task["d_in"], task["d_sae"], task["l0"]).to(device)
    with torch.no_grad():
        sae.b_dec.copy_(data.shard(data.shards[0])[:10_000].float().mean(0) / scale)
    optimizer = torch.optim.Adam(sae.parameters(), lr=task["lr"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 3 * (1 - step / steps)))
    idle = torch.zeros(task["d_sae"], device=device)  # samples since each latent last fired
    log_every = max(1, steps // 100)

    with open(out_dir / "log.jsonl", "a") as log:
        for step, x in zip(range(1, steps + 1), data.batches(task["batch"], device), strict=False):
            loss, fired = loss_on_batch(sae, x / scale, idle > task["dead_after"])
            optimizer.zero_grad()
            loss.backward()
            keep_radial_part_out(sae)
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
    with torch.no_grad():
        sae.b_enc.mul_(scale)
        sae.b_dec.mul_(scale)
    return sae


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
