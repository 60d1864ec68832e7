"""An autoencoder with sae-bench's interface, whose latents the runner computes. Imports torch and numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

ROWS = 8192  # asked for at a time


class ProxySAE(torch.nn.Module):
    """`encode` asks the runner; `decode` is linear, with unit rows in W_dec and the latents scaled for them.

    The encoder is not known here: W_enc is W_dec transposed, and metrics that read W_enc are not reported.
    """

    def __init__(self, decoder: np.ndarray, bias: np.ndarray, cfg: Any, channel: Any, device: str) -> None:
        super().__init__()
        W_dec = torch.from_numpy(decoder).float()
        self.W_dec = torch.nn.Parameter(W_dec.clone(), requires_grad=False)
        self.W_enc = torch.nn.Parameter(W_dec.T.contiguous(), requires_grad=False)
        self.b_dec = torch.nn.Parameter(torch.from_numpy(bias).float(), requires_grad=False)
        self.b_enc = torch.nn.Parameter(torch.zeros(len(decoder)), requires_grad=False)
        self.cfg, self._channel = cfg, channel
        self.to(torch.device(device))

    @property
    def device(self) -> torch.device:
        return self.W_dec.device

    @property
    def dtype(self) -> torch.dtype:
        return self.W_dec.dtype

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The latents [..., d_sae] of x [..., d_in]. Rows of zeros, by which sae-bench masks tokens, are asked once."""
        rows = x.detach().reshape(-1, x.shape[-1]).float().cpu().numpy()
        latents = torch.zeros(len(rows), self.W_dec.shape[0], dtype=self.dtype, device=self.device)
        masked = np.flatnonzero(~rows.any(axis=1))
        asked = np.union1d(np.flatnonzero(rows.any(axis=1)), masked[:1])
        for start in range(0, len(asked), ROWS):
            some = asked[start : start + ROWS]
            counts, columns, values = self._channel.encode(rows[some])
            where = torch.from_numpy(np.repeat(some, counts)).to(self.device)
            latents[where, torch.from_numpy(columns.astype(np.int64)).to(self.device)] = torch.from_numpy(
                values.copy()
            ).to(self.device, self.dtype)
        if len(masked) > 1:
            latents[torch.from_numpy(masked[1:]).to(self.device)] = latents[int(masked[0])].clone()
        return latents.reshape(*x.shape[:-1], -1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents.to(self.dtype) @ self.W_dec + self.b_dec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))
