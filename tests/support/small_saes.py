"""Each architecture of the SAE library, and rows on which it trains in a second."""

from __future__ import annotations

import saes
import torch

# those that SAELens can load in a form of its own
IN_SAELENS = [
    saes.StandardSAE,
    saes.GatedSAE,
    saes.TopKSAE,
    saes.BatchTopKSAE,
    saes.JumpReLUSAE,
    saes.MatryoshkaSAE,
]
ALL = [*IN_SAELENS]
CHOSEN = [kind for kind in ALL if issubclass(kind, saes.TopKSAE)]  # whose loss is over latents that are chosen
STEERED = [kind for kind in ALL if kind not in CHOSEN]  # whose sparsity is a penalty's
D_IN, D_SAE, ROWS = 24, 48, 64


def seed() -> None:
    """Seeds torch, so that every test has the same numbers, on one thread."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


def world(rows: int = 4000) -> torch.Tensor:
    """Rows [rows, D_IN] that are sums of three out of thirty directions, plus a mean."""
    directions = torch.nn.functional.normalize(torch.randn(30, D_IN), dim=1)
    on = torch.zeros(rows, 30).scatter_(1, torch.rand(rows, 30).topk(3, dim=1).indices, 1.0)
    return (on * (4 + torch.rand(rows, 30))) @ directions + 0.5


def trained(kind: type[saes.SAE], rows: torch.Tensor, steps: int = 600) -> tuple[saes.SAE, dict[str, float]]:
    sae = kind(D_IN, D_SAE, 3)
    sae.start(rows)
    recipe = saes.Recipe(steps=steps, lr=0.01, dead_after=2000)
    return sae, saes.train(sae, saes.batches(rows, 64, steps), recipe)
