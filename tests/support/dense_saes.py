"""The losses of the SAE library with dense products, slow and readable: results that its fast path must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from saes.base import SAE
from saes.steered import GatedSAE, JumpReLUSAE, StandardSAE
from saes.topk import BatchTopKSAE, TopKSAE
from torch import Tensor


def top_k(acts: Tensor, k: int) -> Tensor:
    """acts with all but the k largest of each row set to zero."""
    return torch.where(acts >= acts.sort(dim=1, descending=True).values[:, k - 1 : k], acts, 0.0)


def top_k_of_batch(acts: Tensor, k: float) -> Tensor:
    """acts with all but the k * B largest of the batch set to zero."""
    return torch.where(acts >= acts.flatten().sort(descending=True).values[round(k * len(acts)) - 1], acts, 0.0)


def tiers(z: Tensor, W_dec: Tensor, widths: Sequence[int]) -> Tensor:
    """The sum of each nested prefix, by a product of its own: [B, len(widths), d_in]."""
    return torch.stack([z[:, :width] @ W_dec[:width] for width in widths], dim=1)


def variance(rows: Tensor) -> Tensor:
    """The variance of rows, summed over dimensions."""
    return rows.detach().var(0, unbiased=False).sum()


def aux_k(acts: Tensor, residual: Tensor, dead: Tensor, W_dec: Tensor, spread: Tensor) -> Tensor:
    """AuxK: masks latents that are not dead, keeps the largest, and decodes densely."""
    mask = torch.zeros(acts.shape[1], dtype=torch.bool).index_fill(0, dead, True)
    z = top_k(acts * mask, min(len(dead), residual.shape[1] // 2))
    return (residual.detach() - z @ W_dec).square().sum(1).mean() * spread / variance(residual)


def loss(sae: SAE, x: Tensor, dead: Sequence[int] = ()) -> Tensor:
    """What an architecture minimises on a batch."""
    if isinstance(sae, TopKSAE):
        return chosen_loss(sae, x, dead)
    losses = {StandardSAE: standard_loss, GatedSAE: gated_loss, JumpReLUSAE: jumprelu_loss}
    return next(losses[kind] for kind in type(sae).__mro__ if kind in losses)(sae, x)


def chosen_loss(sae: TopKSAE, x: Tensor, dead: Sequence[int]) -> Tensor:
    """The loss of TopK, BatchTopK and Matryoshka."""
    acts = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
    if isinstance(sae, BatchTopKSAE):
        z, widths = top_k_of_batch(acts, sae.k), list(sae.tiers())
    else:
        z, widths = top_k(acts, sae.k), [len(sae.W_dec)]
    residual = x[:, None] - tiers(z, sae.W_dec, widths) - sae.b_dec
    total = residual.square().sum(2).mean()
    for tier, (start, end) in enumerate(pairwise([0, *widths])):
        if own := [latent for latent in dead if start <= latent < end]:
            guess = aux_k(acts, residual[:, tier], torch.tensor(own), sae.W_dec, variance(x))
            total = total + sae.aux_scale * guess / len(widths)
    return total


def standard_loss(sae: StandardSAE, x: Tensor) -> Tensor:
    z = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
    return squares(x - z @ sae.W_dec - sae.b_dec) + sae.weight * z.sum(1).mean()


def gated_loss(sae: GatedSAE, x: Tensor) -> Tensor:
    """The loss of the gate's own reconstruction has no gradient for the decoder."""
    shared = (x - sae.b_dec) @ sae.W_enc
    gate = torch.relu(shared + sae.b_gate)
    z = (gate > 0) * torch.relu(shared * sae.r_mag.exp() + sae.b_mag)
    own = squares(x - gate @ sae.W_dec.detach() - sae.b_dec.detach())
    return squares(x - z @ sae.W_dec - sae.b_dec) + own + sae.weight * gate.sum(1).mean()


def jumprelu_loss(sae: JumpReLUSAE, x: Tensor) -> Tensor:
    """The pseudo-gradients of the threshold are terms whose value is zero and whose derivative is the wanted one."""
    acts, width = (x - sae.b_dec) @ sae.W_enc + sae.b_enc, sae.width * sae.size
    threshold = torch.where(sae.threshold > 0, sae.threshold, 0.0)
    fixed, near = threshold.detach(), ((acts - threshold).abs() < width / 2).to(acts.dtype) / width
    nothing = near * (threshold - fixed)
    on = (acts > threshold).to(acts.dtype)
    z = acts * on - fixed * nothing
    return squares(x - z @ sae.W_dec - sae.b_dec) + sae.weight * (on - nothing).sum(1).mean()


def squares(residual: Tensor) -> Tensor:
    return residual.square().sum(1).mean()
