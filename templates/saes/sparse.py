"""Chooses few latents of many, and computes products and gradients over the chosen ones alone.

A training step needs all latents only once, to choose among them; the rest of the step, forwards and backwards, is a
sum over the chosen ones. Tests compare the results with dense products (tests/support/dense_saes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class Chosen:
    """The chosen latents of a batch: n entries (row, latent), sorted by row."""

    def __init__(self, rows: Tensor, latents: Tensor, d_sae: int) -> None:
        self.rows, self.latents, self.d_sae = rows, latents, d_sae  # int64 [n] both

    @classmethod
    def of_rows(cls, latents: Tensor, d_sae: int) -> Chosen:
        """From the k latents of each row: latents [B, k]."""
        rows = torch.arange(len(latents), device=latents.device).repeat_interleave(latents.shape[1])
        return cls(rows, latents.flatten(), d_sae)

    @classmethod
    def of_places(cls, places: Tensor, d_sae: int) -> Chosen:
        """From ascending places [n] in the flattened batch [B * d_sae]."""
        rows = places.div(d_sae, rounding_mode="floor")
        return cls(rows, places - rows * d_sae, d_sae)

    @property
    def places(self) -> Tensor:
        """Places of the entries in the flattened batch, [n]."""
        return self.rows * self.d_sae + self.latents

    def per_latent(self, entries: Tensor) -> Tensor:
        """The sum of each latent's entries: [n] -> [d_sae]."""
        return entries.new_zeros(self.d_sae).index_add_(0, self.latents, entries)

    @cached_property
    def by_latent(self) -> tuple[Tensor, Tensor]:
        """The entries sorted by latent [n], and where each latent's begin [d_sae]; all gradients use this one sort."""
        ordered, order = self.latents.sort()
        return order, torch.searchsorted(ordered, torch.arange(self.d_sae, device=order.device))

    def sum_by_latent(self, weights: Tensor, source: Tensor, which: Tensor) -> Tensor:
        """For each latent the weighted sum of some rows of `source`: [d_sae, source's width].

        Entry i adds row which[i] of the source with weight weights[i] to the sum of its latent.
        """
        order, starts = self.by_latent
        return F.embedding_bag(which.take(order), source, starts, per_sample_weights=weights.take(order), mode="sum")


class _PreActs(torch.autograd.Function):
    """(x - b_dec) @ W_enc + b_enc. Autograd by itself would multiply by W_enc once more for the gradient of b_dec."""

    @staticmethod
    def forward(ctx, x, W_enc, b_enc, b_dec, halved):
        centred = x - b_dec
        ctx.save_for_backward(centred, W_enc)
        ctx.halved = halved
        return affine(centred, W_enc, b_enc, halved)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        centred, W_enc = ctx.saved_tensors
        to_bias = grad.sum(0)
        to_x = product(grad, W_enc.T, ctx.halved) if ctx.needs_input_grad[0] else None
        return to_x, product(centred.T, grad, ctx.halved), to_bias, -(W_enc @ to_bias), None


class _Picked(torch.autograd.Function):
    """Some entries of pre-activations that have no gradient; the gradient is a sum over these entries alone."""

    @staticmethod
    def forward(ctx, acts, centred, W_enc, b_enc, b_dec, chosen):
        ctx.save_for_backward(centred, W_enc)
        ctx.chosen = chosen
        return acts.take(chosen.places)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        centred, W_enc = ctx.saved_tensors
        chosen = ctx.chosen
        to_bias = chosen.per_latent(grad)
        to_W_enc = chosen.sum_by_latent(grad, centred, chosen.rows).T.contiguous()  # as the optimizer reads it
        return None, None, to_W_enc, to_bias, -(W_enc @ to_bias), None


class _ToDictionary(torch.autograd.Function):
    """Returns sums of decoder rows unchanged, and computes the decoder's gradient.

    embedding_bag's own gradient takes several times as long on a CPU.
    """

    @staticmethod
    def forward(ctx, sums, W_dec, values, bags, chosen):
        ctx.save_for_backward(values, bags)
        ctx.chosen = chosen
        ctx.mark_dirty(sums)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        values, bags = ctx.saved_tensors
        return grad, ctx.chosen.sum_by_latent(values, grad.contiguous(), bags), None, None, None


class _RunningSums(torch.autograd.Function):
    """cumsum over dim 1, in place. torch's own and the two flips of its gradient take ten times as long on a CPU."""

    @staticmethod
    def forward(ctx, tiers):
        for i in range(1, tiers.shape[1]):
            tiers[:, i].add_(tiers[:, i - 1])
        ctx.mark_dirty(tiers)
        return tiers

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        grad = grad.clone()
        for i in range(grad.shape[1] - 2, -1, -1):
            grad[:, i].add_(grad[:, i + 1])
        return grad


def product(one: Tensor, other: Tensor, halved: bool) -> Tensor:
    """A matrix product; `halved`: of factors in bfloat16, which the hardware sums in float32. The result is float32."""
    return (one.bfloat16() @ other.bfloat16()).float() if halved else one @ other


def affine(centred: Tensor, W_enc: Tensor, bias: Tensor, halved: bool = False) -> Tensor:
    """centred @ W_enc + bias."""
    return product(centred, W_enc, True).add_(bias) if halved else torch.addmm(bias, centred, W_enc)


def pre_acts(x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, halved: bool = False) -> Tensor:
    """All pre-activations, with gradients: [B, d_in] -> [B, d_sae]; `halved`: by products in bfloat16."""
    return _PreActs.apply(x, W_enc, b_enc, b_dec, halved)


def looked(acts: Tensor, centred: Tensor) -> Tensor:
    """acts, marked as the product of this very `centred`; tensors that are computed from it do not have the mark."""
    acts.looked = (centred, acts._version, centred._version)  # type: ignore[attr-defined]
    return acts


def picked(acts: Tensor, centred: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, chosen: Chosen) -> Tensor:
    """The chosen entries [n] of acts = centred @ W_enc + b_enc, where centred = x - b_dec; with gradients.

    Acts that carry gradients of their own keep them. Otherwise acts and centred must be the pair that `looked` marked,
    because only for this pair the gradient is known to be that of the product.

    Raises:
        ValueError: acts or centred are other tensors, or were changed, so that gradients would be lost.
    """
    if acts.requires_grad or not torch.is_grad_enabled():
        return acts.flatten().gather(0, chosen.places)
    mark = getattr(acts, "looked", (None,))
    if mark[0] is not centred or mark[1:] != (acts._version, centred._version):
        raise ValueError(
            "picked: acts and centred must be what look(x) gave, unchanged; pick first and compute from what was "
            "picked, or take self.pre_acts(x), whose gradients autograd keeps"
        )
    return _Picked.apply(acts.detach(), centred.detach(), W_enc, b_enc, b_dec, chosen)


def decode_chosen(values: Tensor, chosen: Chosen, W_dec: Tensor, bags: Tensor, starts: Tensor) -> Tensor:
    """Weighted decoder rows, summed by bag: [number of bags, d_in].

    Args:
        values: weight of each chosen entry, [n].
        bags: number of the bag of each entry, [n], ascending.
        starts: the first entry of each bag.
    """
    sums = F.embedding_bag(chosen.latents, W_dec.detach(), starts, per_sample_weights=values, mode="sum")
    return _ToDictionary.apply(sums, W_dec, values.detach(), bags, chosen) if W_dec.requires_grad else sums


def decode_rows(values: Tensor, chosen: Chosen, W_dec: Tensor, rows: int) -> Tensor:
    """Every row's chosen decoder rows, weighted and summed: values [n] -> [rows, d_in]."""
    starts = torch.searchsorted(chosen.rows, torch.arange(rows, device=values.device))
    return decode_chosen(values, chosen, W_dec, chosen.rows, starts)


def top_k(acts: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row: values and latents, both [B, k]."""
    return acts.topk(k, dim=1, sorted=False)


def top_k_of_batch(acts: Tensor, k: float) -> tuple[Tensor, Tensor]:
    """The k * B largest of the whole batch: values and places in the flattened batch, sorted by place."""
    flat, count = acts.flatten(), max(1, round(k * len(acts)))
    if acts.device.type == "cpu":  # torch.topk takes five times as long there
        found = np.argpartition(flat.detach().numpy(), len(flat) - count)[len(flat) - count :]
        found.sort()
        places = torch.from_numpy(found)
    else:
        places = flat.detach().topk(count, sorted=False).indices.sort().values
    return flat.gather(0, places), places


def above(acts: Tensor, threshold: Tensor | float) -> Tensor:
    """Ascending places in the flattened batch where acts pass the threshold."""
    passes = (acts.detach() > threshold).flatten()
    if passes.device.type == "cpu":  # torch's own nonzero is slower there
        return torch.from_numpy(np.flatnonzero(passes.numpy()))
    return passes.nonzero().flatten()


def decode_sparse(values: Tensor, latents: Tensor, W_dec: Tensor) -> Tensor:
    """Weighted sum of each row's chosen decoder rows: values and latents [B, k] -> [B, d_in]."""
    return decode_rows(values.flatten(), Chosen.of_rows(latents, len(W_dec)), W_dec, len(latents))


def decode_tiers(values: Tensor, places: Tensor, W_dec: Tensor, rows: int, widths: Sequence[int]) -> Tensor:
    """The sum of each nested prefix: [rows, len(widths), d_in]; places ascend, as top_k_of_batch returns them."""
    return tiers_of_chosen(values, Chosen.of_places(places, len(W_dec)), W_dec, rows, widths)


def tiers_of_chosen(values: Tensor, chosen: Chosen, W_dec: Tensor, rows: int, widths: Sequence[int]) -> Tensor:
    """The sum of each nested prefix of the dictionary: values [n] -> [rows, len(widths), d_in].

    The latents of a row are summed in one bag for each tier (the latents that a prefix has and the one before has not);
    the prefixes are the running sums of the tiers.
    """
    device, count = values.device, len(widths)
    ends = torch.tensor(widths, device=device)
    bags = chosen.rows * count + torch.searchsorted(ends, chosen.latents, right=True)
    starts = torch.searchsorted(bags, torch.arange(rows * count, device=device))
    tiers = decode_chosen(values, chosen, W_dec, bags, starts).view(rows, count, -1)
    return _RunningSums.apply(tiers) if count > 1 else tiers


def aux_k(acts: Tensor, residual: Tensor, dead: Tensor, W_dec: Tensor, spread: Tensor | None = None) -> Tensor:
    """AuxK as Gao et al. define it (2024, arXiv 2406.04093, and its code): the error of dead latents on the residual.

    In each row the largest dead latents, at most d_in / 2, reconstruct the residual, which itself gets no gradient. The
    squared error is divided by the variance of the residual, and multiplied by that of the rows (`spread`, from the
    function `variance`), because the error of a reconstruction is not divided by it here. By default the spread is
    d_in, as of rows with deviation one in each dimension, to which `open_rows` scales those of a language model.

    Only the dead columns are computed: masking all of d_sae and decoding densely costs as much as another SAE.
    """
    return aux_k_of(acts.index_select(1, dead), residual, dead, W_dec, spread)


def aux_k_of(among: Tensor, residual: Tensor, dead: Tensor, W_dec: Tensor, spread: Tensor | None = None) -> Tensor:
    """`aux_k` from the activations of the dead latents alone: [B, len(dead)]."""
    k = min(len(dead), residual.shape[1] // 2)
    if k < len(dead):
        values, chosen = top_k(among, k)
        guess = decode_sparse(values, dead[chosen], W_dec)
    else:
        guess = among @ W_dec.index_select(0, dead)
    left = residual.detach()
    share = (left.shape[1] if spread is None else spread) / variance(left)
    return share * (left - guess).square().sum(1).mean()


def variance(rows: Tensor) -> Tensor:
    """The variance of a batch [B, d_in], summed over dimensions; never zero, and without a gradient."""
    rows = rows.detach()
    return (rows - rows.mean(0)).square().sum(1).mean().clamp_min(torch.finfo(rows.dtype).tiny)


def fired(values: Tensor, latents: Tensor, d_sae: int) -> Tensor:
    """Which latents have a positive value, bool [d_sae]. It does not wait for the GPU."""
    total = torch.zeros(d_sae, device=values.device, dtype=values.dtype)
    return total.scatter_add_(0, latents.flatten(), values.detach().flatten()) > 0
