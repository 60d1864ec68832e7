"""TopK, BatchTopK and Matryoshka: sparsity by choosing the largest latents, of a row or of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saes.base import EncoderBias, Loss, Step
from saes.sparse import aux_k, decode_sparse, decode_tiers, fired, top_k, top_k_of_batch

AUX_SCALE = 1 / 32  # weight of AuxK
THRESHOLD_RATE = 0.01  # of the moving average of a batch's smallest kept value


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
        acts = self.pre_acts(x).relu_()
        values, latents = top_k(acts, self.k)
        residual = x - decode_sparse(values, latents, self.W_dec) - self.b_dec
        error = residual.square().sum(1).mean()
        total = error + self.auxiliary(acts, residual, step)
        return Loss(total, error, fired(values, latents, acts.shape[1]), (values > 0).sum() / len(x))

    def auxiliary(self, acts: Tensor, residual: Tensor, step: Step) -> Tensor | float:
        if step.dead is None or not self.aux_scale:
            return 0.0
        return self.aux_scale * aux_k(acts, residual, step.dead, self.W_dec)


class BatchTopKSAE(TopKSAE):
    """The batch keeps l0 latents a row on average (arXiv 2412.06410).

    At inference a row stands alone: a latent is on where it passes the threshold, a moving average of the cut.
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
        acts = self.pre_acts(x).relu_()
        values, places = top_k_of_batch(acts, float(self.k_now(step)))
        residual = x[:, None] - decode_tiers(values, places, self.W_dec, len(x), self.tiers()) - self.b_dec
        errors = residual.square().sum(2).mean(0)  # of each tier
        total = errors.mean() + self.auxiliary(acts, residual[:, -1], step)
        self.cut = values.detach().min()
        on = fired(values, places % acts.shape[1], acts.shape[1])
        return Loss(total, errors[-1], on, (values > 0).sum() / len(x))

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
    """BatchTopK whose nested prefixes must each reconstruct the row (arXiv 2503.17547); the mean of their errors."""

    architecture = "matryoshka"
    shares: tuple[float, ...] = (1 / 32, 1 / 8, 1 / 2, 1.0)  # of d_sae

    def tiers(self) -> Sequence[int]:
        return [max(1, round(share * len(self.W_dec))) for share in self.shares]
