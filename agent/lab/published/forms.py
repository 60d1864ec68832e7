"""What every published autoencoder is read into: one of four architectures, its tensors, and what is known of it.

Works inside the sandbox that reads a stranger's files (layouts.py). The architectures are the inference forms: a
BatchTopK or Matryoshka autoencoder is a JumpReLU with one threshold for all latents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ARTEFACT, ABOUT, PROBLEM = "sae.safetensors", "about.json", "problem.txt"
OF_ARCHITECTURE = {
    "standard": ("b_enc",),
    "topk": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "gated": ("b_gate", "r_mag", "b_mag"),
}


class Unreadable(Exception):
    """The files are no autoencoder that can be measured here; one line says why and what helps."""


@dataclass
class Read:
    """One autoencoder as its files describe it."""

    layout: str  # whose form the files have, in words
    architecture: str
    tensors: dict[str, np.ndarray]
    subtracts_b_dec: bool = True  # from a row, before the encoder
    k: int = 0  # of topk
    by_decoder_norm: bool = False  # topk chooses by latents times the length of their decoder rows
    known: dict[str, str] = field(default_factory=dict)  # model, hook_name, trained_on: where the files say them
    remarks: list[str] = field(default_factory=list)  # a line each, for the person


def write(read: Read, folder: Path) -> None:
    """The artefact and what is known of it.

    Raises:
        Unreadable: a tensor is missing, or of another shape, or holds a value that is no number.
    """
    from safetensors.numpy import save_file

    tensors = _checked(read)
    d_in, d_sae = tensors["W_enc"].shape
    if read.architecture == "topk" and not 0 < read.k <= d_sae:
        raise Unreadable(f"k = {read.k}: a TopK autoencoder of {d_sae} latents needs a k from 1 to {d_sae}")
    form = {
        "architecture": read.architecture,
        "subtracts_b_dec": read.subtracts_b_dec,
        "k": read.k,
        "by_decoder_norm": read.by_decoder_norm,
    }
    save_file(tensors, folder / ARTEFACT, metadata={"form": json.dumps(form)})
    about = {"layout": read.layout, "d_in": d_in, "d_sae": d_sae, **form, "known": read.known, "remarks": read.remarks}
    (folder / ABOUT).write_text(json.dumps(about))


def _checked(read: Read) -> dict[str, np.ndarray]:
    """The tensors of the architecture, float32 and contiguous; biases that a file leaves out are zero."""
    import numpy as np

    if read.architecture not in OF_ARCHITECTURE:
        known = ", ".join(OF_ARCHITECTURE)
        raise Unreadable(f"architecture {read.architecture!r}: only {known} can be measured")
    given = read.tensors
    for name in ("W_enc", "W_dec"):
        if name not in given or given[name].ndim != 2:
            raise Unreadable(f"no matrix {name} among its tensors ({', '.join(sorted(given)[:12]) or 'none'})")
    d_in, d_sae = given["W_enc"].shape
    shapes = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    shapes |= dict.fromkeys(OF_ARCHITECTURE[read.architecture], (d_sae,))
    ready = {}
    for name, shape in shapes.items():
        value = given.get(name, np.zeros(shape) if name in ("b_dec", "b_enc") else None)
        if value is None:
            raise Unreadable(f"no tensor {name}, which architecture {read.architecture} needs")
        if name == "threshold" and value.shape in ((), (1,)):
            value = np.full(shape, value)
        if value.shape != shape:
            raise Unreadable(f"{name} has shape {list(value.shape)}; {list(shape)} was expected")
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise Unreadable(f"{name} is of type {value.dtype}, or holds NaN or infinite values")
        ready[name] = np.ascontiguousarray(value, dtype=np.float32)
    return ready


def text_of(value: Any) -> str:
    """A name from a configuration, or "" for what is none."""
    return value if isinstance(value, str) else ""


def whole_of(value: Any) -> int:
    """A whole number from a configuration, or 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def known(**said: str) -> dict[str, str]:
    """What is known: names without a value are left out."""
    return {name: value for name, value in said.items() if value}
