"""The encoder of a published autoencoder, which a box runs as its experiment.py; nothing imports it.

Its artefact was written by forms.py: float32 tensors, and in the file's metadata the architecture and its options.
"""

import json
from typing import Any

import torch
from safetensors import safe_open


class SAE:
    """encode(x) gives the latents, which W_dec decodes; the latents of a row depend on that row alone."""

    def __init__(self, tensors: dict[str, torch.Tensor], form: dict[str, Any]) -> None:
        self.tensors, self.form = tensors, form

    @classmethod
    def load(cls, path: str) -> "SAE":
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(tensors, json.loads(file.metadata()["form"]))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The latents [B, d_sae] of rows x [B, d_in], computed as in the library that published the autoencoder."""
        t = self.tensors
        acts = (x - t["b_dec"] if self.form["subtracts_b_dec"] else x) @ t["W_enc"]
        if self.form["architecture"] == "gated":
            strength = (acts * t["r_mag"].exp() + t["b_mag"]).relu()
            return strength * (acts + t["b_gate"] > 0)
        acts = acts + t["b_enc"]
        if self.form["architecture"] == "jumprelu":
            return acts.relu() * (acts > t["threshold"])
        if self.form["architecture"] == "topk":
            return self._largest(acts)
        return acts.relu()

    def _largest(self, acts: torch.Tensor) -> torch.Tensor:
        """The k largest latents of a row; with `by_decoder_norm`, the largest after scaling by decoder rows' norms."""
        norms = self.tensors["W_dec"].norm(dim=1) if self.form["by_decoder_norm"] else 1.0
        chosen = (acts * norms).topk(self.form["k"], dim=1, sorted=False).indices
        return torch.zeros_like(acts).scatter_(1, chosen, acts.gather(1, chosen).relu())
