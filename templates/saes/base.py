"""The base class of all architectures: parameters, decoding, unit decoder rows, and the file format."""

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
    """The state of the training at one step, for losses that depend on it."""

    progress: float = 0.0  # share of the steps that are done, 0..1
    share: float = 0.0  # share of the training that this step makes up: 1 / steps
    dead: Tensor | None = None  # int64 [n], ascending: latents that have not fired for long; None if there are none


class Loss(NamedTuple):
    """What `SAE.loss` returns."""

    total: Tensor  # what is minimised
    error: Tensor  # squared error of the reconstruction alone, mean over rows; for the log
    fired: Tensor  # bool [d_sae]
    l0: Tensor  # mean number of active latents a row


class SAE(torch.nn.Module):
    """x ~ encode(x) @ W_dec + b_dec. Not an architecture itself: a subclass defines `encode` and `loss`."""

    architecture: ClassVar[str] = ""
    # Whether training multiplies by W_enc in bfloat16; sums, parameters and the saved file stay float32.
    halves: bool = False
    d_read: int = 0  # width of the activation that a transcoder reads; 0 for an autoencoder, which reads what it writes
    pair: tuple[Tensor, Tensor] | None = None  # what a transcoder reads and writes, while its loss is computed
    W_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor

    def __init__(self, d_in: int, d_sae: int, l0: float) -> None:
        """A dictionary of d_sae latents for rows of width d_in, with random directions. `l0`: active latents per row.

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
        """Built from the settings in task.json; a subclass may read more of them."""
        return cls(task["d_in"], task["d_sae"], task["l0"])

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Sets b_dec to the mean of some rows [n, d_in], before the first step."""
        self.b_dec.copy_(x.mean(0))

    def encode(self, x: Tensor) -> Tensor:
        """[B, d_in] -> [B, d_sae], the inference form."""
        raise NotImplementedError

    @property
    def halved(self) -> bool:
        """Whether products are in bfloat16 now; never without gradients, so artefacts are encoded in float32."""
        return self.halves and torch.is_grad_enabled()

    def look_with(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """x - b_dec, and its product with W_enc plus a bias [d_sae].

        The product carries no gradient; `sparse.picked` gives the chosen entries theirs. If x itself requires a
        gradient, autograd computes all of them.
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
        """The loss on a batch [B, d_in]."""
        raise NotImplementedError

    @torch.no_grad()
    def before_step(self) -> None:
        """Removes from the decoder's gradient what would only change the lengths of rows; Adam would scale it up."""
        grad = self.W_dec.grad
        if grad is not None:
            grad.addcmul_(self.W_dec, (grad * self.W_dec).sum(1, keepdim=True), value=-1)

    @torch.no_grad()
    def after_step(self, found: Loss, step: Step) -> None:
        """Scales decoder rows to length one again."""
        self.W_dec.div_(self.W_dec.norm(dim=1, keepdim=True).clamp_min_(1e-8))

    @torch.no_grad()
    def rescale(self, scale: float | Tensor) -> None:
        """Turns an SAE that was trained on x / scale into one of x: multiplies all b_... and threshold by the scale.

        Nothing else has to change, because latents and reconstructions grow by the same factor. That holds for the
        parameters of a subclass too, if they are named so. A transcoder gets the scale of each entry of its pairs; its
        latents grow with what it writes.
        """
        if isinstance(scale, Tensor):
            read, scale = scale[0].item(), scale[-1].item()
            self.W_enc.mul_(scale / read)
        for name, value in [*self.named_parameters(), *self.named_buffers()]:
            if name.startswith("b_") or name == "threshold":
                value.mul_(scale)

    def report(self) -> dict[str, float]:
        """Numbers that log.jsonl and diagnostics.json get beside the loss."""
        return {}

    def save(self, path: str | Path) -> None:
        """Saves the parameters as a safetensors file that names the architecture."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        reads = {"reads": "another activation"} if self.d_read else {}
        save_file(tensors, path, metadata={"architecture": self.architecture, **reads})

    @classmethod
    def load(cls, path: str | Path) -> SAE:
        """The SAE that `save` wrote to a file."""
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
    """The square of a residual [B, ...], summed over dimensions; mean over rows."""
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
        """x - b_dec, and all pre-activations to choose from, without gradients; `picked` gives the chosen ones theirs.

        For a transcoder, and a subclass with its own `pre_acts`, the pre-activations have gradients.
        """
        if type(self).pre_acts is EncoderBias.pre_acts and not self.d_read:
            return self.look_with(x, self.b_enc)
        return x - self.b_dec, self.pre_acts(x)

    def picked(self, acts: Tensor, centred: Tensor, chosen: sparse.Chosen) -> Tensor:
        """The chosen entries [n] of what `look` returned, with gradients that are computed for these entries alone.

        Raises:
            ValueError: gradients are needed, and acts or centred are not the unchanged tensors that `look` returned.
        """
        return sparse.picked(acts, centred, self.W_enc, self.b_enc, self.b_dec, chosen)
