"""Transcoders: one activation is read, another is written (arXiv 2406.11944).

Rows are pairs, x [d_in] and y [d_out] side by side. A loss is given y, which it is to reconstruct; wherever it asks for
the pre-activations of that y, those of its x are computed. So every loss that gets its pre-activations from `pre_acts`
or `look` trains from x to y as it stands. The encoder reads x as it is: b_dec belongs to y.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from saes.base import SAE, EncoderBias, Loss, Step


def make_transcoder(sae: SAE, d_in: int) -> None:
    """An untrained autoencoder of y reads rows of width d_in from now on.

    Raises:
        ValueError: its pre-activations are not those of EncoderBias, so that it would go on reading y.
    """
    if not isinstance(sae, EncoderBias) or type(sae).pre_acts is not EncoderBias.pre_acts:
        raise ValueError(f"{type(sae).__name__} has an encoder of its own, which cannot read another activation")
    sae.d_read = d_in
    sae.W_enc = torch.nn.Parameter(F.normalize(torch.randn(d_in, len(sae.W_dec)), dim=0))


@torch.no_grad()
def start(sae: SAE, rows: Tensor) -> None:
    """Look at some rows before the first step: those of y set the bias, those of x are centred by the encoder's."""
    if not sae.d_read:
        return sae.start(rows)
    x, y = rows[:, : sae.d_read], rows[:, sae.d_read :]
    sae.start(y)
    sae.b_enc.copy_(-(x.mean(0) @ sae.W_enc))  # type: ignore[operator]


def loss(sae: SAE, rows: Tensor, step: Step) -> Loss:
    """The autoencoder's own loss on a batch, of pairs if it is a transcoder."""
    if not sae.d_read:
        return sae.loss(rows, step)
    y = rows[:, sae.d_read :].contiguous()
    sae.pair = rows[:, : sae.d_read], y
    try:
        return sae.loss(y, step)
    finally:
        sae.pair = None
