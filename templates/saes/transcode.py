"""Transcoders, which read one activation and reconstruct another (arXiv 2406.11944).

Rows are pairs: x [d_in] and y [d_out] side by side. The loss of an autoencoder is called with y; where it asks for the
pre-activations of this y, those of its x are computed instead. So every loss that gets pre-activations from `pre_acts`
or `look` trains a transcoder without a change. x is encoded without a bias subtracted, because b_dec belongs to y.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from saes.base import SAE, EncoderBias, Loss, Step


def make_transcoder(sae: SAE, d_in: int) -> None:
    """Makes an untrained autoencoder of y a transcoder that reads rows of width d_in.

    Raises:
        ValueError: its pre-activations are not those of EncoderBias, so it would read y.
    """
    if not isinstance(sae, EncoderBias) or type(sae).pre_acts is not EncoderBias.pre_acts:
        raise ValueError(f"{type(sae).__name__} has an encoder of its own, which cannot read another activation")
    sae.d_read = d_in
    sae.W_enc = torch.nn.Parameter(F.normalize(torch.randn(d_in, len(sae.W_dec)), dim=0))


@torch.no_grad()
def start(sae: SAE, rows: Tensor) -> None:
    """Calls `sae.start` with some rows before the first step; for a transcoder the rows of y, and b_enc centres x."""
    if not sae.d_read:
        return sae.start(rows)
    x, y = rows[:, : sae.d_read], rows[:, sae.d_read :]
    sae.start(y)
    sae.b_enc.copy_(-(x.mean(0) @ sae.W_enc))  # type: ignore[operator]


def loss(sae: SAE, rows: Tensor, step: Step) -> Loss:
    """The autoencoder's own loss on a batch; the rows of a transcoder are pairs."""
    if not sae.d_read:
        return sae.loss(rows, step)
    y = rows[:, sae.d_read :].contiguous()
    sae.pair = rows[:, : sae.d_read], y
    try:
        return sae.loss(y, step)
    finally:
        sae.pair = None
