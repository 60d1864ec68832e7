"""The common form into which every published autoencoder is read: an architecture, its tensors, and what is known.

Runs inside the sandbox that reads a stranger's files (layouts.py). The four architectures are those at inference, where
a BatchTopK or Matryoshka autoencoder is a JumpReLU with one threshold for all latents.
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
    """The files are no autoencoder that can be measured here; the text says in one line why, and what helps."""


@dataclass
class Read:
    """One autoencoder as its files describe it."""

    layout: str  # the library whose files these are
    architecture: str
    tensors: dict[str, np.ndarray]
    subtracts_b_dec: bool = True  # b_dec is subtracted from a row before it is encoded
    k: int = 0  # active latents of a row, for topk
    by_decoder_norm: bool = False  # topk compares latents after scaling them by the norms of their decoder rows
    known: dict[str, str] = field(default_factory=dict)  # model, hook_name, trained_on, as far as the files say them
    remarks: list[str] = field(default_factory=list)  # lines for a person


def write(read: Read, folder: Path) -> None:
    """Write the artefact, and about.json with what is known about it.

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
    """The tensors that the architecture needs, float32 and contiguous. Missing biases become zero.

    Raises:
        Unreadable: as in `write`.
    """
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
    """A string from a configuration, or "" for any other value."""
    return value if isinstance(value, str) else ""


def whole_of(value: Any) -> int:
    """A whole number from a configuration, or 0 for any other value."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def known(**said: str) -> dict[str, str]:
    """The arguments that are not empty, by name."""
    return {name: value for name, value in said.items() if value}
