"""The training loop (`train`), and a whole experiment script (`run`)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saes import transcode
from saes.base import SAE, Loss, Step
from saes.checkpoint import Checkpoint, become, go_on
from saes.optim import Adam, adam
from saes.rows import open_rows

LOOK_EVERY = 20  # steps after which dead latents are determined anew; each time waits for the GPU
FIRST_ROWS = 10_000  # rows that set the bias and the scale
LOG_LINES = 100  # lines of log.jsonl in a whole training


@dataclass(frozen=True)
class Recipe:
    """How to optimise: Adam, with a linear warm-up and a linear decay to zero."""

    steps: int
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.0  # share of the steps in which the learning rate rises
    decay: float = 1 / 3  # share of the steps, at the end, in which it falls to zero
    dead_after: int = 200_000  # samples after which a latent that has not fired counts as dead
    resamplings: int = 0  # how often dead latents get new directions, evenly spread over the steps before the decay

    def lr_at(self, step: int) -> float:
        """The learning rate of a step; the first step has the number 0."""
        up = (step + 1) / (self.warmup * self.steps) if self.warmup else 1.0
        down = (1 - step / self.steps) / self.decay if self.decay else 1.0
        return self.lr * min(1.0, up, down)

    def resamples_at(self, step: int) -> bool:
        """Whether dead latents get new directions after this step; the first step has the number 0."""
        until = round((1 - self.decay) * self.steps)
        every = until // self.resamplings if self.resamplings else 0
        return bool(every) and step < until and (step + 1) % every == 0


def train(
    sae: SAE,
    data: Iterable[Tensor],
    recipe: Recipe,
    log: Path | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, float]:
    """Trains on batches [B, d_in] and returns diagnostics; call `sae.start` with some rows before.

    A hundred JSON lines go into `log`. With a checkpoint, the training continues where an earlier process of it was
    stopped; `data` then has to be one of rows.py, whose place in the rows can be restored.
    """
    optimizer = adam(sae.parameters(), recipe.lr, recipe.betas)
    idle = torch.zeros(len(sae.W_dec), device=sae.W_dec.device)  # samples since each latent last fired
    log_every = max(1, recipe.steps // LOG_LINES)
    dead, samples, resampled, done = None, 0, 0, 0
    if checkpoint and (saved := checkpoint.loaded()):
        become(sae, saved["sae"])
        optimizer, idle, (dead, samples, resampled, done) = saved["optimizer"], saved["idle"], saved["counters"]
        data.restore(saved["data"])
        if log:
            log.write_text(saved["log"])
        go_on(saved["generators"])
    for index, x in zip(range(done, recipe.steps), data, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(index)
        step = Step(progress=index / recipe.steps, share=1 / recipe.steps, dead=dead)
        found = transcode.loss(sae, x, step)
        optimizer.zero_grad()
        found.total.backward()
        sae.before_step()
        optimizer.step()
        sae.after_step(found, step)
        samples += len(x)
        idle.add_(len(x)).masked_fill_(found.fired, 0)
        if index % LOOK_EVERY == 0:
            dead = _dead(idle, recipe.dead_after)
        if recipe.resamples_at(index) and (silent := _dead(idle, recipe.dead_after)) is not None:
            resample_dead(sae, optimizer, x, silent)
            idle[silent], dead, resampled = 0, None, resampled + len(silent)
        if log and ((index + 1) % log_every == 0 or index + 1 == recipe.steps):
            _write_line(log, sae, found, {"step": index + 1, "steps": recipe.steps, "samples": samples})
        if checkpoint and checkpoint.due:
            counters, text = (dead, samples, resampled, index + 1), log.read_text() if log and log.exists() else ""
            state = {"sae": sae, "optimizer": optimizer, "idle": idle, "counters": counters}
            checkpoint.save({**state, "data": data.state(), "log": text})
    shares = {"dead_share_in_training": (idle > recipe.dead_after).float().mean().item()}
    return {**shares, "resampled_latents": float(resampled)} if recipe.resamplings else shares


def _write_line(log: Path, sae: SAE, found: Loss, place: dict[str, int]) -> None:
    """Appends the loss of a step to the log, with the step's place in the training."""
    numbers = {"loss": found.total.item(), "error": found.error.item(), "l0": float(found.l0)}
    with open(log, "a") as file:
        file.write(json.dumps({**place, **numbers, **sae.report()}) + "\n")


def _dead(idle: Tensor, after: int) -> Tensor | None:
    """The latents that have not fired for more than `after` samples, ascending; None if there are none."""
    numbers = (idle > after).nonzero().flatten()
    return numbers if len(numbers) else None


@torch.no_grad()
def resample_dead(sae: SAE, optimizer: torch.optim.Optimizer | Adam, x: Tensor, dead: Tensor) -> None:
    """Gives dead latents the directions of residuals of rows x [B, d_in] that are reconstructed badly.

    The rows are drawn in proportion to the square of their squared error; the optimizer forgets the latents' moments.
    """
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


def _tiers(sae: SAE) -> dict[str, float]:
    """The widths of nested prefixes, if an architecture has several; the schematic in the paper shows them."""
    widths = list(sae.tiers()) if hasattr(sae, "tiers") else []
    return {f"tier_latents_{place}": float(width) for place, width in enumerate(widths, start=1) if len(widths) > 1}


def run(architecture: type[SAE], lr: str = "lr", resamplings: int = 0, aux: str = "aux_scale") -> None:
    """A whole experiment.py: trains the seed and condition that task.json names, and saves the artefact.

    `lr` and `aux` are the names of the settings that hold the learning rate and, for architectures with AuxK, its
    weight. The settings `decay` and `warmup` replace those of the recipe, and `precision = "bfloat16"` takes the
    encoder's products in bfloat16. With the setting `hook_name_out` the architecture is trained as a transcoder, from
    one activation to another; if it cannot be, the script ends with one line that says why.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    task: dict[str, Any] = json.loads(Path("task.json").read_text())
    torch.manual_seed(task["seed"])
    torch.set_num_threads(task["threads"])
    torch.backends.cuda.matmul.allow_tf32 = True
    rows = open_rows(task)
    steps = task["samples"] // task["batch"]
    sae = _of_task(architecture, {**task, **({"aux_scale": task[aux]} if aux in task else {})}).to(task["device"])
    sae.halves = task.get("precision", "float32") == "bfloat16"
    transcode.start(sae, rows.first(FIRST_ROWS))
    if sae.d_read:
        resamplings = 0  # a residual of y gives no direction in x
    wanted = {name: task[name] for name in ("decay", "warmup") if name in task}
    recipe = Recipe(steps=steps, lr=task[lr], dead_after=task["dead_after"], resamplings=resamplings, **wanted)
    log, checkpoint = out_dir / "log.jsonl", Checkpoint.of(task)
    numbers = train(sae, rows.batches(task["batch"], steps), recipe, log, checkpoint)
    sae.rescale(rows.scale)
    (out_dir / "diagnostics.json").write_text(json.dumps({**numbers, **sae.report(), **_tiers(sae)}))
    sae.save(out_dir / task["artefact"])


def _of_task(architecture: type[SAE], task: dict[str, Any]) -> SAE:
    if "hook_name_out" not in task:
        return architecture.from_task(task)
    sae = architecture.from_task({**task, "d_in": task["d_out"]})
    try:
        transcode.make_transcoder(sae, task["d_in"])
    except ValueError as problem:
        raise SystemExit(f"no transcoder: {problem}") from None
    return sae
