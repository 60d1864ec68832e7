"""Choosing few latents, and decoding them without the zeros. `reference.py` says the same the readable, slow way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def top_k(acts: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row: values and latents, both [B, k]."""
    return acts.topk(k, dim=1, sorted=False)


def top_k_of_batch(acts: Tensor, k: float) -> tuple[Tensor, Tensor]:
    """The k * B largest of the whole batch: values and places in the flattened batch, in the order of places."""
    values, places = acts.flatten().topk(max(1, round(k * len(acts))), sorted=False)
    places, order = places.sort()
    return values[order], places


def decode_sparse(values: Tensor, latents: Tensor, W_dec: Tensor) -> Tensor:
    """Sum of the chosen decoder rows, weighted: values and latents [B, k] -> [B, d_in]."""
    return F.embedding_bag(latents, W_dec, per_sample_weights=values, mode="sum")


def decode_tiers(values: Tensor, places: Tensor, W_dec: Tensor, rows: int, widths: Sequence[int]) -> Tensor:
    """What each nested prefix of the dictionary adds up to: [rows, len(widths), d_in].

    `values` and `places` as top_k_of_batch gives them. One gather serves all prefixes: a row's chosen latents,
    in their order, fall into one bag for each tier, and prefixes are running sums of tiers.
    """
    d_sae = len(W_dec)
    starts = torch.tensor([0, *widths[:-1]], device=places.device)
    firsts = (torch.arange(rows, device=places.device)[:, None] * d_sae + starts).flatten()
    offsets = torch.searchsorted(places, firsts)
    tiers = F.embedding_bag(places % d_sae, W_dec, offsets, per_sample_weights=values, mode="sum")
    return tiers.view(rows, len(widths), -1).cumsum(1)


def aux_k(acts: Tensor, residual: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    """AuxK: error of the dead latents' own guess at what is left over; at most d_in / 2 of them a row.

    Only the dead columns are touched: masking all of d_sae and decoding densely costs as much as another SAE.
    """
    among = acts.index_select(1, dead)  # [B, n]
    k = min(len(dead), residual.shape[1] // 2)
    if k < len(dead):
        values, chosen = top_k(among, k)
        guess = decode_sparse(values, dead[chosen], W_dec)
    else:
        guess = among @ W_dec.index_select(0, dead)
    return (residual.detach() - guess).square().sum(1).mean()


def fired(values: Tensor, latents: Tensor, d_sae: int) -> Tensor:
    """Which latents have a positive value; bool [d_sae]. Without a wait for the GPU."""
    total = torch.zeros(d_sae, device=values.device, dtype=values.dtype)
    return total.scatter_add_(0, latents.flatten(), values.detach().flatten()) > 0
