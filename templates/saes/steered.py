"""Standard (L1), gated and JumpReLU: architectures whose sparsity comes from a penalty.

The weight of the penalty is steered during training, so that l0 (active latents per row) reaches its target: methods
are compared at equal l0, and a fixed weight that reaches it on one data set misses it on the next.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from saes.base import SAE, EncoderBias, Loss, Step, squared_error
from saes.sparse import Chosen, above, decode_rows, picked, product

WEIGHT_START = 0.02  # first weight, as a share of a typical latent's size; low, so that directions form first
TRAVEL = 10.0  # the weight changes at most by a factor of exp(10) in a whole training
GAIN = 5.0  # the weight changes at full pace if l0 is a fifth or more off its target
MEMORY = 0.05  # weight of the newest batch in the moving average of l0
PAST = 20.0  # l0's trend is taken against its moving average over a twentieth of the training
WIDTH = 0.05  # width of JumpReLU's kernel, unless the setting `bandwidth` says otherwise
FEW = 1 / 16  # share of active latents below which sums over them alone take less time on a CPU


class SteeredSAE(SAE):
    """An SAE whose penalty's weight is steered to the target l0.

    Once few latents are active, a step on a CPU computes with these alone (`loss_of_few`).
    """

    has_few: ClassVar[bool] = False
    trend: ClassVar[float] = 0.0  # how much the change of log l0 counts beside its distance from the target

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.register_buffer("weight", torch.tensor(0.0), persistent=False)
        self.register_buffer("mean_l0", torch.tensor(float(d_sae)), persistent=False)
        self.register_buffer("past", torch.tensor(0.0), persistent=False)  # of log l0
        self.size = 1.0  # size of a typical latent

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Also sets `size`: l0 latents of this size, along orthogonal directions, are as long as a typical row."""
        super().start(x)
        self.size = ((x - self.b_dec).square().sum(1).mean() / self.l0).sqrt().item()
        self.weight.fill_(self.weight_at_start())

    def weight_at_start(self) -> float:
        return WEIGHT_START * self.size

    @torch.no_grad()
    def after_step(self, found: Loss, step: Step) -> None:
        super().after_step(found, step)
        self.mean_l0.lerp_(found.l0, MEMORY)
        off = self.mean_l0 / self.l0 - 1
        if self.trend:
            now = self.mean_l0.clamp_min(torch.finfo(torch.float32).tiny).log()
            self.past.lerp_(now, min(1.0, PAST * step.share) if step.progress else 1.0)
            off += self.trend * (now - self.past)
        self.weight.mul_((TRAVEL * step.share * (GAIN * off).clamp_(-1, 1)).exp_())

    def __init_subclass__(cls, **kwargs) -> None:
        """Switches `loss_of_few` off for a subclass that changes its latents or loss and does not define its own."""
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
        """The loss with dense products over all latents."""
        raise NotImplementedError

    def floor(self) -> Tensor | float:
        """The pre-activation up to which a latent has no part in the loss."""
        return 0.0

    def loss_of_few(self, centred: Tensor, acts: Tensor, chosen: Chosen) -> Loss:
        """The same loss, computed over the chosen latents alone: those whose pre-activations are above the floor."""
        raise NotImplementedError

    def report(self) -> dict[str, float]:
        return {"l0_in_training": self.mean_l0.item(), "penalty_weight": self.weight.item()}


class StandardSAE(SteeredSAE, EncoderBias):
    """A ReLU encoder with an L1 penalty on the latents; decoder rows have length one."""

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
    """A gate decides which latents are active, a rescaled copy of it how strongly (arXiv 2404.16014).

    The L1 penalty is on the gate alone, so that it does not shrink the latents. The gate learns from a reconstruction
    of its own, whose loss does not change the decoder.
    """

    architecture = "gated"

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.b_gate = torch.nn.Parameter(torch.zeros(d_sae))
        self.b_mag = torch.nn.Parameter(torch.zeros(d_sae))
        self.r_mag = torch.nn.Parameter(torch.zeros(d_sae))

    def paths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations of the gate, and latents, both [B, d_sae], from one product with W_enc."""
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
        """x - b_dec, and the gate's pre-activations, as `EncoderBias.look` returns those of its encoder."""
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
    """Latents (acts that pass the threshold, else 0) and their count (1 or 0), with the gradients of arXiv 2407.14435.

    acts get the gradient of the active latents, and none from the count. The threshold gets one where acts lie within a
    rectangular kernel around it: -threshold / width from a latent, -1 / width from the count. The threshold has the
    shape of acts, or one entry for each column.
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
    """A latent is active if it passes its own threshold; the penalty is on the number of active latents.

    Thresholds learn through a smoothed step, from the reconstruction and from the count; the count has no gradient for
    other parameters (arXiv 2407.14435). The kernel's width (its bandwidth) and the first threshold are shares of a
    typical latent's size.
    """

    architecture = "jumprelu"
    first_threshold = 0.1
    trend = 1.5  # without it l0 falls past its target, since thresholds move slowly, and does not come back

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
        return WEIGHT_START * self.size**2  # the error grows with the square of the scale, the count does not grow

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
    """Which latents of z [B, d_sae] are positive in any row, bool [d_sae], and the mean number of them per row."""
    counts = z.new_ones(1, len(z)) @ z.detach().sign()  # sums of bools take five times as long on a CPU
    return counts[0] > 0, counts.sum() / len(z)


def active_of(on: Tensor, chosen: Chosen, rows: int) -> tuple[Tensor, Tensor]:
    """The same from the chosen entries: `on` is 1 for an active one, else 0."""
    return chosen.per_latent(on) > 0, on.sum() / rows
