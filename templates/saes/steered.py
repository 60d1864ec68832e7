"""Standard (L1), gated and JumpReLU: sparsity by a penalty, whose weight is steered to the wanted l0.

A fixed weight that suits one data set misses the sparsity in the next, and methods are compared at equal l0.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from saes.base import SAE, EncoderBias, Loss, Step, squared_error
from saes.sparse import Chosen, above, decode_rows, picked, product

WEIGHT_START = 0.02  # of a typical latent's size; low, so that directions form first
TRAVEL = 10.0  # the weight changes by a factor of exp(10) in a whole training, at most
GAIN = 5.0  # the full pace from a fifth off the target on
MEMORY = 0.05  # rate of the moving average of l0
WIDTH = 0.2  # of JumpReLU's kernel, unless the setting `bandwidth` says otherwise
FEW = 1 / 16  # share of the latents below which sums over the active ones alone take less time on a CPU


class SteeredSAE(SAE):
    """An SAE whose penalty finds its weight.

    In the course of training few latents stay active; from then on a step on a CPU touches these alone.
    """

    has_few: ClassVar[bool] = False

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

    def __init_subclass__(cls, **kwargs) -> None:
        """A subclass that changes what its latents are trains over all of them, unless it says how else."""
        super().__init_subclass__(**kwargs)
        if "loss_of_few" in vars(cls):
            cls.has_few = True
        elif vars(cls).keys() & {"encode", "decode", "loss_of_all", "paths"}:
            cls.has_few = False

    def loss(self, x: Tensor, step: Step) -> Loss:
        if self.has_few and x.device.type == "cpu" and self.mean_l0 < FEW * len(self.W_dec):
            centred, acts = self.look(x)
            places = above(acts, self.floor())
            if len(places) < FEW * acts.numel():
                return self.loss_of_few(centred, acts, Chosen.of_places(places, len(self.W_dec)))
        return self.loss_of_all(x)

    def loss_of_all(self, x: Tensor) -> Loss:
        """Over all latents, with dense products."""
        raise NotImplementedError

    def floor(self) -> Tensor | float:
        """Where acts of `look` begin to have a part in the loss."""
        return 0.0

    def loss_of_few(self, centred: Tensor, acts: Tensor, chosen: Chosen) -> Loss:
        """The same number over the latents above the floor alone."""
        raise NotImplementedError

    def report(self) -> dict[str, float]:
        return {"l0_in_training": self.mean_l0.item(), "penalty_weight": self.weight.item()}


class StandardSAE(SteeredSAE, EncoderBias):
    """relu, and an L1 penalty on latents of unit decoder rows."""

    architecture = "standard"

    def encode(self, x: Tensor) -> Tensor:
        return self.pre_acts(x).relu_()

    def loss_of_all(self, x: Tensor) -> Loss:
        z = self.encode(x)
        error = squared_error(x - self.decode(z))
        return Loss(error + self.weight * z.sum() / len(x), error, *active(z))

    def loss_of_few(self, centred: Tensor, acts: Tensor, chosen: Chosen) -> Loss:
        z = self.picked(acts, centred, chosen)
        error = squared_error(centred - decode_rows(z, chosen, self.W_dec, len(centred)))
        on = torch.ones_like(z)
        return Loss(error + self.weight * z.sum() / len(centred), error, *active_of(on, chosen, len(centred)))


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
        shared = product(x - self.b_dec, self.W_enc, self.halved)
        gate = shared + self.b_gate
        return gate, (gate > 0) * torch.addcmul(self.b_mag, shared, self.r_mag.exp()).relu()

    def encode(self, x: Tensor) -> Tensor:
        return self.paths(x)[1]

    def loss_of_all(self, x: Tensor) -> Loss:
        gate, z = self.paths(x)
        gate = gate.relu()
        error = squared_error(x - self.decode(z))
        own = squared_error(x - gate @ self.W_dec.detach() - self.b_dec.detach())
        return Loss(error + own + self.weight * gate.sum() / len(x), error, *active(z))

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x - b_dec, and the gates; as EncoderBias has it."""
        return self.look_with(x, self.b_gate)

    def loss_of_few(self, centred: Tensor, acts: Tensor, chosen: Chosen) -> Loss:
        rows, latents = len(centred), chosen.latents
        gate = picked(acts, centred, self.W_enc, self.b_gate, self.b_dec, chosen)
        parts = self.b_gate, self.b_mag, self.r_mag.exp()
        b_gate, b_mag, strength = (part.index_select(0, latents) for part in parts)
        z = torch.addcmul(b_mag, gate - b_gate, strength).relu()
        error = squared_error(centred - decode_rows(z, chosen, self.W_dec, rows))
        own = squared_error(centred.detach() - decode_rows(gate, chosen, self.W_dec.detach(), rows))
        return Loss(error + own + self.weight * gate.sum() / rows, error, *active_of(z.sign(), chosen, rows))


class _Jump(torch.autograd.Function):
    """acts where they pass the threshold, else 0; and 1 where they do. Both have the gradients of arXiv 2407.14435.

    acts get that of the latents that are on, and none of the count. The threshold gets those of a rectangular kernel
    of some width around it: -threshold / width of the latents, -1 / width of the count. acts and threshold are of one
    shape, or there is a threshold for each column.
    """

    @staticmethod
    def forward(ctx, acts, threshold, width):
        on = (acts > threshold).to(acts.dtype)
        ctx.save_for_backward(acts, threshold, on)
        ctx.width = width
        return acts * on, on

    @staticmethod
    @once_differentiable
    def backward(ctx, to_latents, to_count):
        acts, threshold, on = ctx.saved_tensors
        near = ((acts - threshold).abs() < ctx.width / 2) * (threshold * to_latents + to_count) / -ctx.width
        return to_latents * on, near if threshold.shape == acts.shape else near.sum(0), None


class JumpReLUSAE(SteeredSAE, EncoderBias):
    """A latent is on where it passes a threshold of its own; the penalty is on the number of latents that are on.

    The threshold learns through a smoothed step, from the reconstruction and from the count; the count moves nothing
    but thresholds (arXiv 2407.14435). The kernel's width (its bandwidth) and the first threshold are shares of a
    typical latent's size.
    """

    architecture = "jumprelu"
    first_threshold = 0.1

    def __init__(self, d_in: int, d_sae: int, l0: float, width: float = WIDTH) -> None:
        super().__init__(d_in, d_sae, l0)
        self.width = width
        self.threshold = torch.nn.Parameter(torch.zeros(d_sae))

    @classmethod
    def from_task(cls, task: dict[str, Any]) -> JumpReLUSAE:
        return cls(task["d_in"], task["d_sae"], task["l0"], width=task.get("bandwidth", WIDTH))

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        super().start(x)
        self.threshold.fill_(self.first_threshold * self.size)

    def weight_at_start(self) -> float:
        return WEIGHT_START * self.size**2  # the error grows with the square, the count does not grow

    def encode(self, x: Tensor) -> Tensor:
        acts = self.pre_acts(x)
        return acts * (acts > self.threshold.clamp_min(0.0))

    def loss_of_all(self, x: Tensor) -> Loss:
        acts = self.pre_acts(x)
        z, on = _Jump.apply(acts, self.threshold.clamp_min(0.0), self.width * self.size)
        error = squared_error(x - self.decode(z))
        return Loss(error + self.weight * on.sum() / len(x), error, *active(on))

    def floor(self) -> Tensor:
        return self.threshold.clamp_min(0.0) - self.width * self.size / 2

    def loss_of_few(self, centred: Tensor, acts: Tensor, chosen: Chosen) -> Loss:
        rows, near = len(centred), self.picked(acts, centred, chosen)
        threshold = self.threshold.clamp_min(0.0).index_select(0, chosen.latents)
        z, on = _Jump.apply(near, threshold, self.width * self.size)
        error = squared_error(centred - decode_rows(z, chosen, self.W_dec, rows))
        return Loss(error + self.weight * on.sum() / rows, error, *active_of(on.detach(), chosen, rows))


def active(z: Tensor) -> tuple[Tensor, Tensor]:
    """Which latents are positive in any row, and how many are in a row."""
    counts = z.new_ones(1, len(z)) @ z.detach().sign()  # a product: bool sums take five times as long on a CPU
    return counts[0] > 0, counts.sum() / len(z)


def active_of(on: Tensor, chosen: Chosen, rows: int) -> tuple[Tensor, Tensor]:
    """The same from the chosen ones, 1 or 0 each."""
    return chosen.per_latent(on) > 0, on.sum() / rows
