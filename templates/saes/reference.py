"""The same sums as in sparse.py, dense and slow: what the fast path must agree with. Used by tests alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saes.topk import BatchTopKSAE, TopKSAE


def top_k(acts: Tensor, k: int) -> Tensor:
    """acts with all but the k largest of each row set to zero."""
    return torch.where(acts >= acts.sort(dim=1, descending=True).values[:, k - 1 : k], acts, 0.0)


def top_k_of_batch(acts: Tensor, k: float) -> Tensor:
    """acts with all but the k * B largest of the batch set to zero."""
    return torch.where(acts >= acts.flatten().sort(descending=True).values[round(k * len(acts)) - 1], acts, 0.0)


def tiers(z: Tensor, W_dec: Tensor, widths: Sequence[int]) -> Tensor:
    """Each nested prefix's own product: [B, len(widths), d_in]."""
    return torch.stack([z[:, :width] @ W_dec[:width] for width in widths], dim=1)


def aux_k(acts: Tensor, residual: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    """Mask what lives, keep the largest, decode all of it."""
    mask = torch.zeros(acts.shape[1], dtype=torch.bool).index_fill(0, dead, True)
    z = top_k(acts * mask, min(len(dead), residual.shape[1] // 2))
    return (residual.detach() - z @ W_dec).square().sum(1).mean()


def loss(sae: TopKSAE, x: Tensor, dead: Tensor) -> Tensor:
    """What TopK, BatchTopK and Matryoshka minimise on a batch."""
    acts = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
    if isinstance(sae, BatchTopKSAE):
        z = top_k_of_batch(acts, sae.k)
        residual = x[:, None] - tiers(z, sae.W_dec, sae.tiers()) - sae.b_dec
    else:
        residual = (x - top_k(acts, sae.k) @ sae.W_dec - sae.b_dec)[:, None]
    error = residual.square().sum(2).mean()
    return error + sae.aux_scale * aux_k(acts, residual[:, -1], dead, sae.W_dec)
