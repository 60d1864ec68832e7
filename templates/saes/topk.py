"""TopK, BatchTopK and Matryoshka: architectures that keep the largest latents of a row or of the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from saes.base import EncoderBias, Loss, Step, squared_error
from saes.sparse import (
    Chosen,
    aux_k_of,
    decode_rows,
    fired,
    pre_acts,
    tiers_of_chosen,
    top_k,
    top_k_of_batch,
    variance,
)

AUX_SCALE = 1 / 32  # weight of AuxK (saes.sparse.aux_k), as published
THRESHOLD_RATE = 0.01  # weight of the newest batch in the moving average of the smallest kept value


class TopKSAE(EncoderBias):
    """Each row keeps its l0 largest latents (arXiv 2406.04093). AuxK gives dead latents the residual to explain."""

    architecture = "topk"

    def __init__(self, d_in: int, d_sae: int, l0: float, aux_scale: float = AUX_SCALE) -> None:
        super().__init__(d_in, d_sae, l0)
        self.aux_scale = aux_scale
        self.k = int(l0)

    @classmethod
    def from_task(cls, task: dict[str, Any]) -> TopKSAE:
        return cls(task["d_in"], task["d_sae"], task["l0"], aux_scale=task.get("aux_scale", AUX_SCALE))

    def encode(self, x: Tensor) -> Tensor:
        acts = self.pre_acts(x).relu_()
        values, latents = top_k(acts, self.k)
        return torch.zeros_like(acts).scatter_(1, latents, values)

    def loss(self, x: Tensor, step: Step) -> Loss:
        centred, acts = self.look(x)
        chosen = Chosen.of_rows(top_k(acts, self.k)[1], len(self.W_dec))
        values = self.picked(acts, centred, chosen).relu()
        residual = centred - decode_rows(values, chosen, self.W_dec, len(x))
        error = squared_error(residual)
        total = error + self.auxiliary(x, acts, residual, step)
        return Loss(total, error, fired(values, chosen.latents, len(self.W_dec)), (values > 0).sum() / len(x))

    def auxiliary(self, x: Tensor, acts: Tensor, residual: Tensor, step: Step) -> Tensor | float:
        """AuxK times its weight; 0.0 if no latent is dead. `residual`: x less its reconstruction, [B, d_in]."""
        dead = step.dead
        if dead is None or not self.aux_scale:
            return 0.0
        if acts.requires_grad:
            among = acts.index_select(1, dead)
        else:
            among = pre_acts(x, self.W_enc.index_select(1, dead), self.b_enc[dead], self.b_dec)
        return self.aux_scale * aux_k_of(among.relu(), residual, dead, self.W_dec, variance(x))


class BatchTopKSAE(TopKSAE):
    """The batch keeps l0 latents a row on average (arXiv 2412.06410); `after_step` moves the stored threshold.

    At inference each row is encoded alone: a latent is active if it passes the threshold, which is a moving average of
    the smallest value that batches kept.
    """

    architecture = "batchtopk"

    def __init__(self, d_in: int, d_sae: int, l0: float, aux_scale: float = AUX_SCALE) -> None:
        super().__init__(d_in, d_sae, l0, aux_scale)
        self.register_buffer("threshold", torch.tensor(0.0))
        self.cut: Tensor | None = None  # the last batch's smallest kept value

    def encode(self, x: Tensor) -> Tensor:
        acts = self.pre_acts(x)
        return acts * (acts > self.threshold.clamp_min(0.0))

    def loss(self, x: Tensor, step: Step) -> Loss:
        centred, acts = self.look(x)
        chosen = Chosen.of_places(top_k_of_batch(acts, float(self.k_now(step)))[1], len(self.W_dec))
        values = self.picked(acts, centred, chosen).relu()
        residual = centred[:, None] - tiers_of_chosen(values, chosen, self.W_dec, len(x), self.tiers())
        mean_of_tiers = squared_error(residual) / residual.shape[1]
        total = mean_of_tiers + self.auxiliary_of_tiers(x, acts, residual, step)
        self.cut = values.detach().min()
        on = fired(values, chosen.latents, len(self.W_dec))
        return Loss(total, squared_error(residual.detach()[:, -1]), on, (values > 0).sum() / len(x))

    def auxiliary_of_tiers(self, x: Tensor, acts: Tensor, residual: Tensor, step: Step) -> Tensor | float:
        """Mean of AuxK over the tiers (nested prefixes); `residual`: what each prefix leaves of x, [B, tiers, d_in].

        The residual of a prefix is guessed by the dead latents that it has and the prefix before it has not.
        """
        if step.dead is None:
            return 0.0
        ends = torch.tensor(self.tiers(), device=step.dead.device)
        bounds = [0, *torch.searchsorted(step.dead, ends).tolist()]
        own = [step.dead[start:end] for start, end in pairwise(bounds)]
        levels = [
            self.auxiliary(x, acts, residual[:, tier], replace(step, dead=dead))
            for tier, dead in enumerate(own)
            if len(dead)
        ]
        return sum(levels, 0.0) / len(own)

    def k_now(self, step: Step) -> float:
        """How many latents a row the batch keeps; override it to anneal."""
        return self.k

    def tiers(self) -> Sequence[int]:
        """Widths of the nested prefixes that must each reconstruct the row."""
        return (len(self.W_dec),)

    @torch.no_grad()
    def after_step(self, found: Loss, step: Step) -> None:
        super().after_step(found, step)
        self.threshold.lerp_(self.cut, 1.0 if step.progress == 0 else THRESHOLD_RATE)

    def report(self) -> dict[str, float]:
        return {"threshold": self.threshold.item()}


class MatryoshkaSAE(BatchTopKSAE):
    """BatchTopK whose nested prefixes must each reconstruct the row (arXiv 2503.17547).

    The loss is the mean of their errors. Each prefix has an auxiliary loss of its own, as in sae_lens.
    """

    architecture = "matryoshka"
    shares: tuple[float, ...] = (1 / 32, 1 / 8, 1 / 2, 1.0)  # of d_sae

    def tiers(self) -> Sequence[int]:
        return [max(1, round(share * len(self.W_dec))) for share in self.shares]
