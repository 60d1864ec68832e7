"""Standard (L1), gated and JumpReLU: sparsity by a penalty, whose weight is steered to the wanted l0.

A fixed weight that suits one data set misses the sparsity in the next, and methods are compared at equal l0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saes.base import SAE, EncoderBias, Loss, Step

WEIGHT_START = 0.02  # of a typical latent's size; low, so that directions form first
TRAVEL = 10.0  # the weight changes by a factor of exp(10) in a whole training, at most
GAIN = 5.0  # the full pace from a fifth off the target on
MEMORY = 0.05  # rate of the moving average of l0


class SteeredSAE(SAE):
    """An SAE whose penalty finds its weight."""

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.register_buffer("weight", torch.tensor(0.0), persistent=False)
        self.register_buffer("mean_l0", torch.tensor(float(d_sae)), persistent=False)
        self.size = 1.0  # of a typical latent

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """The data's scale: l0 latents of this size, at right angles, are as long as a row is."""
        super().start(x)
        self.size = ((x - self.b_dec).square().sum(1).mean() / self.l0).sqrt().item()
        self.weight.fill_(self.weight_at_start())

    def weight_at_start(self) -> float:
        return WEIGHT_START * self.size

    @torch.no_grad()
    def after_step(self, found: Loss, step: Step) -> None:
        super().after_step(found, step)
        self.mean_l0.lerp_(found.l0, MEMORY)
        self.weight.mul_((TRAVEL * step.share * (GAIN * (self.mean_l0 / self.l0 - 1)).clamp_(-1, 1)).exp_())

    def report(self) -> dict[str, float]:
        return {"l0_in_training": self.mean_l0.item(), "penalty_weight": self.weight.item()}


class StandardSAE(SteeredSAE, EncoderBias):
    """relu, and an L1 penalty on latents of unit decoder rows."""

    architecture = "standard"

    def encode(self, x: Tensor) -> Tensor:
        return self.pre_acts(x).relu_()

    def loss(self, x: Tensor, step: Step) -> Loss:
        z = self.encode(x)
        error = (x - self.decode(z)).square().sum(1).mean()
        on = z > 0
        return Loss(error + self.weight * z.sum(1).mean(), error, on.any(0), on.sum() / len(x))


class GatedSAE(SteeredSAE):
    """A gate says which latents are on, a rescaled copy of it how strongly (arXiv 2404.16014).

    The L1 penalty touches the gate alone, so the strengths do not shrink; the gate learns from a reconstruction of its
    own through a decoder that this loss does not change.
    """

    architecture = "gated"

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.b_gate = torch.nn.Parameter(torch.zeros(d_sae))
        self.b_mag = torch.nn.Parameter(torch.zeros(d_sae))
        self.r_mag = torch.nn.Parameter(torch.zeros(d_sae))

    def paths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gate and latents; one product with W_enc serves both."""
        shared = (x - self.b_dec) @ self.W_enc
        gate = shared + self.b_gate
        return gate, (gate > 0) * torch.addcmul(self.b_mag, shared, self.r_mag.exp()).relu()

    def encode(self, x: Tensor) -> Tensor:
        return self.paths(x)[1]

    def loss(self, x: Tensor, step: Step) -> Loss:
        gate, z = self.paths(x)
        gate = gate.relu()
        error = (x - self.decode(z)).square().sum(1).mean()
        own = (x - gate @ self.W_dec.detach() - self.b_dec.detach()).square().sum(1).mean()
        total = error + own + self.weight * gate.sum(1).mean()
        on = z > 0
        return Loss(total, error, on.any(0), on.sum() / len(x))


class _Step(torch.autograd.Function):
    """1 where acts pass the threshold; backwards a kernel of some width around it (arXiv 2407.14435)."""

    @staticmethod
    def forward(ctx, acts, threshold, width):
        ctx.save_for_backward(acts, threshold)
        ctx.width = width
        return (acts > threshold).to(acts.dtype)

    @staticmethod
    def backward(ctx, grad):
        acts, threshold = ctx.saved_tensors
        near = ((acts - threshold).abs() < ctx.width / 2) * grad / ctx.width
        return near, -near.sum(0), None


class JumpReLUSAE(SteeredSAE, EncoderBias):
    """A latent is on where it passes a threshold of its own; the penalty is on the number of latents that are on.

    Neither threshold nor count has a gradient; both get the one of a smoothed step. The kernel's width and the first
    threshold are shares of a typical latent's size.
    """

    architecture = "jumprelu"
    width = 0.2
    first_threshold = 0.1

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.threshold = torch.nn.Parameter(torch.zeros(d_sae))

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        super().start(x)
        self.threshold.fill_(self.first_threshold * self.size)

    def weight_at_start(self) -> float:
        return WEIGHT_START * self.size**2  # the error grows with the square, the count does not grow

    def encode(self, x: Tensor) -> Tensor:
        acts = self.pre_acts(x)
        return acts * (acts > self.threshold.clamp_min(0.0))

    def loss(self, x: Tensor, step: Step) -> Loss:
        acts = self.pre_acts(x)
        on = _Step.apply(acts, self.threshold.clamp_min(0.0), self.width * self.size)
        error = (x - self.decode(acts * on)).square().sum(1).mean()
        total = error + self.weight * on.sum(1).mean()
        on = on.detach()
        return Loss(total, error, on.any(0), on.sum() / len(x))
