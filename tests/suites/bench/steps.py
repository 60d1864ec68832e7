"""How long a step takes beside what no step can do without (the encoder's product and the choice of latents), and
beside a step of sae_lens's trainer on the same rows."""

from __future__ import annotations

import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from agent.lab.machine import device_in_words
from tests.suites.bench.arm import OURS
from tests.suites.bench.markdown import markdown
from tests.support import ROOT

SIZES = ((256, 512, 8, 512), (512, 2048, 16, 1024), (512, 8192, 32, 1024), (768, 16384, 32, 1024))
SECONDS = 8.0  # of each size
LEAST = 4  # turns, of which the first does not count
SAME_SPARSITY = ("topk", "batchtopk")


def table(threads: int) -> str:
    """Both take turns, so that what else the machine does hits them alike; medians of each."""
    torch.set_num_threads(threads)
    rows = []
    for d_in, d_sae, k, batch in SIZES:
        needed, whole, turns = _times(*_arms(d_in, d_sae, k, batch))
        shape = f"{d_in} x {d_sae}, k {k}, batch {batch}"
        rows.append(
            [
                shape,
                f"{1e3 * needed:.2f}",
                f"{1e3 * whole:.2f}",
                f"{whole / needed:.2f}x",
                f"{batch / whole:,.0f}",
                str(turns),
            ]
        )
    heads = ["d_in x d_sae", "product and top-k, ms", "step, ms", "ratio", "samples/s", "turns"]
    return f"{device_in_words('cpu')}; {threads} thread(s), random rows, no dead latents.\n\n{markdown(heads, rows)}"


def against_trainer(threads: int) -> str:
    """Architectures that keep k latents by construction, at each size: steps of both in turns, by processor time."""
    torch.set_num_threads(threads)
    logging.disable(logging.CRITICAL)
    rows = []
    for d_in, d_sae, k, batch in SIZES:
        ratios = []
        for name in SAME_SPARSITY:
            x = 3 * torch.randn(batch, d_in)
            arms = _sae_lens(name, x, d_sae, k), _ours(name, x, d_sae, k)
            theirs, ours, turns = _times(*arms, clock=time.process_time)
            ratios.append(f"{theirs / ours:.2f}x ({1e3 * theirs:,.0f} and {1e3 * ours:,.0f} ms, {turns} turns)")
            print(name, d_sae, ratios[-1], flush=True)
        rows.append([f"{d_in} x {d_sae}, k {k}, batch {batch}", *ratios])
    about = f"{device_in_words('cpu')}; {threads} thread(s), processor time, random rows, no dead latents."
    return f"{about}\n\n{markdown(['d_in x d_sae', *SAME_SPARSITY], rows)}"


def _sae_lens(name: str, x: torch.Tensor, d_sae: int, k: int) -> Callable[[], object]:
    """A step of SAETrainer, with its own optimizer and auxiliary loss."""
    from sae_lens.config import SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.sae_trainer import SAETrainer

    sae_class, config_class = get_sae_training_class(name)
    sae = sae_class(config_class(d_in=x.shape[1], d_sae=d_sae, k=k))
    many = 10**9
    config = SAETrainerConfig(
        total_training_samples=many, train_batch_size_samples=len(x), lr=1e-3, lr_end=0.0, device="cpu", autocast=False
    )
    trainer = SAETrainer(cfg=config, sae=sae, data_provider=iter(()))

    def step() -> None:
        trainer.step(x)
        trainer.n_training_steps += 1

    return step


def _ours(name: str, x: torch.Tensor, d_sae: int, k: int) -> Callable[[], object]:
    """A step of saes.train."""
    sys.path.insert(0, str(ROOT / "templates"))
    import saes

    torch.manual_seed(0)
    return _step(getattr(saes, OURS[name])(x.shape[1], d_sae, k), x)


def _arms(d_in: int, d_sae: int, k: int, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """What is needed, and a whole step of saes.train, on the same rows."""
    sys.path.insert(0, str(ROOT / "templates"))
    import saes

    torch.manual_seed(0)
    sae, x = saes.TopKSAE(d_in, d_sae, k), 3 * torch.randn(batch, d_in)

    def needed() -> None:
        with torch.no_grad():
            torch.addmm(sae.b_enc, x - sae.b_dec, sae.W_enc).topk(k, dim=1, sorted=False)

    return needed, _step(sae, x)


def _step(sae: Any, x: torch.Tensor) -> Callable[[], object]:
    import saes

    optimizer, step = saes.adam(sae.parameters(), 1e-3, (0.9, 0.999)), saes.Step()

    def whole() -> None:
        found = sae.loss(x, step)
        optimizer.zero_grad()
        found.total.backward()
        sae.before_step()
        optimizer.step()
        sae.after_step(found, step)

    return whole


def _times(*arms: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> tuple[float, float, int]:
    took: list[list[float]] = [[] for _ in arms]
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(took[0]) < LEAST:
        for arm, seconds in zip(arms, took, strict=True):
            started = clock()
            arm()
            seconds.append(clock() - started)
    first, second = (statistics.median(seconds[1:]) for seconds in took)
    return first, second, len(took[0]) - 1
