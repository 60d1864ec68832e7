"""The training loop, the batches, and the whole of a baseline's script (`run`)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saes.base import SAE, Step

LOOK_EVERY = 20  # steps between two looks at which latents are dead: a look waits for the GPU
FIRST_ROWS = 10_000  # rows that set the bias and the scale
LOG_LINES = 100


@dataclass(frozen=True)
class Recipe:
    """How to optimise: Adam, with a linear warm-up and a linear decay to zero."""

    steps: int
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.0  # share of the steps
    decay: float = 1 / 3  # share of the steps, at the end
    dead_after: int = 200_000  # samples without firing

    def lr_at(self, step: int) -> float:
        """Of the step with this number, from 0."""
        up = (step + 1) / (self.warmup * self.steps) if self.warmup else 1.0
        down = (1 - step / self.steps) / self.decay if self.decay else 1.0
        return self.lr * min(1.0, up, down)


def train(sae: SAE, data: Iterable[Tensor], recipe: Recipe, log: Path | None = None) -> dict[str, float]:
    """Train on batches [B, d_in]; returns diagnostics. `sae.start` has seen some rows before.

    The log gets a JSON line every hundredth of the way.
    """
    optimizer = torch.optim.Adam(sae.parameters(), lr=recipe.lr, betas=recipe.betas, fused=True)
    idle = torch.zeros(len(sae.W_dec), device=sae.W_dec.device)  # samples since each latent last fired
    log_every = max(1, recipe.steps // LOG_LINES)
    dead, samples = None, 0
    for index, x in zip(range(recipe.steps), data, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(index)
        step = Step(progress=index / recipe.steps, share=1 / recipe.steps, dead=dead)
        found = sae.loss(x, step)
        optimizer.zero_grad()
        found.total.backward()
        sae.before_step()
        optimizer.step()
        sae.after_step(found, step)
        samples += len(x)
        idle.add_(len(x)).masked_fill_(found.fired, 0)
        if index % LOOK_EVERY == 0:
            dead = _dead(idle, recipe.dead_after)
        if log and ((index + 1) % log_every == 0 or index + 1 == recipe.steps):
            line = {"step": index + 1, "steps": recipe.steps, "samples": samples, "loss": found.total.item(),
                    "error": found.error.item()}
            with open(log, "a") as file:
                file.write(json.dumps({**line, **sae.report()}) + "\n")
    return {"dead_share_in_training": (idle > recipe.dead_after).float().mean().item()}


def _dead(idle: Tensor, after: int) -> Tensor | None:
    numbers = (idle > after).nonzero().flatten()
    return numbers if len(numbers) else None


def batches(rows: Tensor, batch: int, steps: int, device: str = "cpu") -> Iterator[Tensor]:
    """Shuffled batches, epoch after epoch. Rows on the device are drawn there, others are carried over."""
    done = 0
    while done < steps:
        order = torch.randperm(len(rows), device=rows.device)
        for start in range(0, len(rows) - batch + 1, batch):
            if done == steps:
                return
            yield rows.index_select(0, order[start : start + batch]).to(device, torch.float32, non_blocking=True)
            done += 1


@torch.no_grad()
def resample_dead(sae: SAE, optimizer: torch.optim.Optimizer, x: Tensor, dead: Tensor) -> None:
    """Point dead latents at rows that are reconstructed badly, drawn in proportion to the squared error."""
    z = sae.encode(x)
    residual = x - sae.decode(z)
    chosen = residual.square().sum(1).square().multinomial(len(dead), replacement=len(dead) > len(x))
    directions = torch.nn.functional.normalize(residual[chosen], dim=1)
    alive = torch.ones(len(sae.W_dec), dtype=torch.bool, device=x.device)
    alive[dead] = False
    usual = sae.W_enc[:, alive].norm(dim=0).mean() if alive.any() else sae.W_enc.norm(dim=0).mean()
    sae.W_dec[dead] = directions
    sae.W_enc[:, dead] = 0.2 * usual * directions.T
    for name, parameter in sae.named_parameters():
        state = optimizer.state.get(parameter, {})
        moments = [state[key] for key in ("exp_avg", "exp_avg_sq") if key in state]
        if name == "b_dec":
            continue
        if name != "W_dec" and name != "W_enc":
            parameter[dead] = 0.0
        for moment in moments:
            moment[(slice(None), dead) if name == "W_enc" else dead] = 0.0


def load_rows(path: Path, device: str) -> Tensor:
    """activations.npy; on a GPU if half of its free memory holds it, else read from the disk as needed."""
    rows = np.load(path, mmap_mode="c")
    if device.startswith("cuda") and rows.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
        return torch.from_numpy(rows).to(device)
    return torch.from_numpy(rows)


def run(architecture: type[SAE], lr: str = "lr") -> None:
    """A whole experiment.py: one seed and one condition of task.json, trained and saved. `lr`: the setting's name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task: dict[str, Any] = json.loads(Path("task.json").read_text())
    torch.manual_seed(task["seed"])
    torch.set_num_threads(task["threads"])
    rows = load_rows(Path(task["data"]) / "activations.npy", task["device"])
    steps = task["samples"] // task["batch"]
    sae = architecture.from_task(task).to(task["device"])
    sae.start(rows[:FIRST_ROWS].to(task["device"]).float())
    recipe = Recipe(steps=steps, lr=task[lr], dead_after=task["dead_after"])
    numbers = train(sae, batches(rows, task["batch"], steps, task["device"]), recipe, out_dir / "log.jsonl")
    (out_dir / "diagnostics.json").write_text(json.dumps({**numbers, **sae.report()}))
    sae.save(out_dir / task["artefact"])
