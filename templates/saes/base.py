"""What all architectures share: parameters, decoding, unit decoder rows, and the file format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from saes import sparse


@dataclass(frozen=True)
class Step:
    """Where training stands, for losses that depend on it."""

    progress: float = 0.0  # share of the steps that is done, 0..1
    share: float = 0.0  # of the training that this step is: 1 / steps
    dead: Tensor | None = None  # int64 [n], ascending: latents that have not fired for long; None where there are none


class Loss(NamedTuple):
    """What `SAE.loss` gives."""

    total: Tensor  # what is minimised
    error: Tensor  # squared error of the reconstruction alone, mean over rows; for the log
    fired: Tensor  # bool [d_sae]
    l0: Tensor  # mean number of active latents a row


class SAE(torch.nn.Module):
    """x ~ encode(x) @ W_dec + b_dec. Not an architecture itself: `encode` and `loss` are the subclass's."""

    architecture: ClassVar[str] = ""
    halves: bool = (
        False  # multiply by W_enc in bfloat16 while training; sums, parameters and what is saved stay float32
    )
    d_read: int = 0  # of a transcoder: the width of what it reads; an autoencoder reads what it writes
    pair: tuple[Tensor, Tensor] | None = None  # of a transcoder while its loss is computed: what is read, and written
    W_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        """
        Raises:
            ValueError: l0 is not above 0, or there are fewer than l0 latents.
        """
        super().__init__()
        if not 0 < l0 <= d_sae:
            raise ValueError(f"l0 = {l0:g}: a row has more than none and at most d_sae = {d_sae} active latents")
        W_dec = F.normalize(torch.randn(d_sae, d_in), dim=1)
        self.W_dec = torch.nn.Parameter(W_dec)
        self.W_enc = torch.nn.Parameter(W_dec.T.clone(memory_format=torch.contiguous_format))
        self.b_dec = torch.nn.Parameter(torch.zeros(d_in))
        self.register_buffer("l0", torch.tensor(float(l0)))

    @classmethod
    def from_task(cls, task: dict[str, Any]) -> SAE:
        """Built from the runner's settings; subclasses read what else they need."""
        return cls(task["d_in"], task["d_sae"], task["l0"])

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Look at some rows before the first step: the bias starts at their mean."""
        self.b_dec.copy_(x.mean(0))

    def encode(self, x: Tensor) -> Tensor:
        """[B, d_in] -> [B, d_sae], the inference form."""
        raise NotImplementedError

    @property
    def halved(self) -> bool:
        """Whether products are in bfloat16 now: an artefact is always encoded in float32."""
        return self.halves and torch.is_grad_enabled()

    def look_with(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """x - b_dec, and its product with W_enc plus a bias [d_sae].

        The product has no gradient, which flows through `sparse.picked`. Where x itself has one, autograd keeps all.
        """
        centred = x - self.b_dec
        if x.requires_grad and torch.is_grad_enabled():
            return centred, sparse.pre_acts(x, self.W_enc, bias, self.b_dec, self.halved)
        halved = self.halved
        with torch.no_grad():
            acts = sparse.affine(centred, self.W_enc, bias, halved)
        return centred, sparse.looked(acts, centred)

    def decode(self, z: Tensor) -> Tensor:
        """[B, d_sae] -> [B, d_in]."""
        return z @ self.W_dec + self.b_dec

    def loss(self, x: Tensor, step: Step) -> Loss:
        raise NotImplementedError

    @torch.no_grad()
    def before_step(self) -> None:
        """Take from the decoder's gradient what would only change the rows' lengths: Adam would scale it up."""
        grad = self.W_dec.grad
        if grad is not None:
            grad.addcmul_(self.W_dec, (grad * self.W_dec).sum(1, keepdim=True), value=-1)

    @torch.no_grad()
    def after_step(self, found: Loss, step: Step) -> None:
        """Unit decoder rows again."""
        self.W_dec.div_(self.W_dec.norm(dim=1, keepdim=True).clamp_min_(1e-8))

    @torch.no_grad()
    def rescale(self, scale: float | Tensor) -> None:
        """Trained on x / scale, become an SAE of x: what is called b_... or threshold grows by it, also a subclass's.

        All is homogeneous, so that nothing else has to change.

        A transcoder gets the scale of each entry of its pairs, and its latents grow with what it writes.
        """
        if isinstance(scale, Tensor):
            read, scale = scale[0].item(), scale[-1].item()
            self.W_enc.mul_(scale / read)
        for name, value in [*self.named_parameters(), *self.named_buffers()]:
            if name.startswith("b_") or name == "threshold":
                value.mul_(scale)

    def report(self) -> dict[str, float]:
        """Numbers for log.jsonl beside the loss."""
        return {}

    def save(self, path: str | Path) -> None:
        """A safetensors file that names its architecture."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        reads = {"reads": "another activation"} if self.d_read else {}
        save_file(tensors, path, metadata={"architecture": self.architecture, **reads})

    @classmethod
    def load(cls, path: str | Path) -> SAE:
        """What save wrote."""
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            transcodes = "reads" in (file.metadata() or {})
        d_sae, width = state["W_dec"].shape
        sae = cls(width, d_sae, float(state["l0"]))
        if transcodes:
            sae.d_read, sae.W_enc = len(state["W_enc"]), torch.nn.Parameter(torch.empty_like(state["W_enc"]))
        sae.load_state_dict(state)
        return sae


def squared_error(residual: Tensor) -> Tensor:
    """Summed over dimensions, mean over rows: [B, ...] -> a number."""
    flat = residual.flatten()
    return flat.dot(flat) / len(residual)


class EncoderBias(SAE):
    """Architectures with one affine encoder."""

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        super().__init__(d_in, d_sae, l0)
        self.b_enc = torch.nn.Parameter(torch.zeros(d_sae))

    def pre_acts(self, x: Tensor) -> Tensor:
        """[B, d_in] -> [B, d_sae], before any choice of latents."""
        if self.d_read:
            read = self.pair[0] if self.pair is not None and x is self.pair[1] else x
            return sparse.pre_acts(read, self.W_enc, self.b_enc, read.new_zeros(self.d_read), self.halved)
        return sparse.pre_acts(x, self.W_enc, self.b_enc, self.b_dec, self.halved)

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x - b_dec, and all pre-activations to choose from: without gradients, which flow through `picked`.

        A subclass with pre-activations of its own keeps theirs, and a transcoder's have gradients.
        """
        if type(self).pre_acts is EncoderBias.pre_acts and not self.d_read:
            return self.look_with(x, self.b_enc)
        return x - self.b_dec, self.pre_acts(x)

    def picked(self, acts: Tensor, centred: Tensor, chosen: sparse.Chosen) -> Tensor:
        """The chosen entries [n] of what `look` gave; their gradients cost what they hold.

        Raises:
            ValueError: acts or centred are not what `look` gave, and gradients are asked for.
        """
        return sparse.picked(acts, centred, self.W_enc, self.b_enc, self.b_dec, chosen)
