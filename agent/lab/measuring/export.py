"""Exports a measured SAE: in SAELens's format if that gives the measured latents, or else together with its class.

Only tensors are read; nothing that an agent wrote runs here. Not here: measuring.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.manifest import Condition
from agent.core.record import Job
from agent.core.template import load_template
from agent.lab.built import file_sha256
from agent.lab.measuring.artefact import INFERENCE, BadArtefact, tensor
from agent.lab.measuring.repeat import agree
from agent.lab.measuring.scratch import TrainingPaths
from agent.storage.atomic import write_text

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

WEIGHTS, CONFIG = "sae_weights.safetensors", "cfg.json"
ROWS = 4096  # held-out rows on which the latents are compared
CHUNK = 256  # rows at a time
FORMAT = "6.0.0"  # the first version of SAELens with this cfg.json
# SAELens's names for where in a language model an SAE belongs, with our settings that hold the values.
PLACES = {
    "model_name": "model",
    "hook_name": "hook_name",
    "hook_name_out": "hook_name_out",
    "context_size": "context",
    "dataset_path": "dataset",
}


@dataclass(frozen=True)
class Form:
    """An SAE in one of SAELens's architectures for inference."""

    architecture: str
    tensors: dict[str, np.ndarray]
    k: int = 0  # active latents of a row, for topk
    apply_b_dec_to_input: bool = True
    transcodes: bool = False  # W_dec and b_dec reconstruct another activation than the encoder reads

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The latents [B, d_sae] of rows x [B, d_in], in float32, as SAELens computes them."""
        import numpy as np

        t = self.tensors
        acts = (x - t["b_dec"] if self.apply_b_dec_to_input else x) @ t["W_enc"]
        if self.architecture == "gated":
            strength = acts * np.exp(t["r_mag"]) + t["b_mag"]
            return np.where(acts + t["b_gate"] > 0, np.maximum(strength, 0), 0)
        acts += t["b_enc"]
        if self.architecture == "jumprelu":
            return np.where(acts > t["threshold"], np.maximum(acts, 0), 0)
        if self.architecture == "topk":
            cut = np.partition(acts, -self.k, axis=1)[:, -self.k][:, None]
            return np.where(acts >= cut, np.maximum(acts, 0), 0)
        return np.maximum(acts, 0)

    @property
    def named(self) -> str:
        """SAELens's name of the architecture."""
        named = {"standard": "transcoder", "jumprelu": "jumprelu_transcoder"} if self.transcodes else {}
        return named.get(self.architecture, self.architecture)

    def config(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """The content of cfg.json."""
        d_in, d_sae = self.tensors["W_enc"].shape
        k = {"k": self.k, "rescale_acts_by_decoder_norm": False} if self.architecture == "topk" else {}
        return {
            "architecture": self.named,
            "d_in": d_in,
            "d_sae": d_sae,
            **({"d_out": self.tensors["W_dec"].shape[1]} if self.transcodes else {}),
            **k,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": self.apply_b_dec_to_input,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": metadata,
        }


def leave(job: Job, seed: int, condition: Condition, paths: TrainingPaths, x: np.ndarray, latents: csr_matrix) -> str:
    """Write a measured training's SAE to its export folder; returns in words how it can be loaded, for the record.

    `latents` [N, d_sae] are those that the artefact's own code gave for the rows x [N, d_in].

    Raises:
        InfrastructureError: the folder cannot be written, for example because the disk is full.
    """
    artefact = paths.kept / load_template(Path(job.template)).manifest.artefact
    origin = {
        "template": Path(job.template).name,
        "run": job.run,
        "seed": seed,
        "condition": condition.name,
        "artefact_sha256": file_sha256(artefact),
    }
    settings = {**job.settings, **condition.settings}
    try:
        return export(artefact, paths.encode_code, x, latents, settings, origin, paths.export)
    except OSError as error:
        raise InfrastructureError(f"{paths.export}: cannot be written: {error.strerror}") from None


def export(
    artefact: Path,
    code: Path,
    x: np.ndarray,
    latents: csr_matrix,
    settings: dict[str, Any],
    origin: dict[str, Any],
    folder: Path,
) -> str:
    """Write the folder of one SAE; see `leave`.

    Args:
        code: the folder of the code that loads the artefact.
        origin: what cfg.json says about the run that the SAE comes from.
        folder: is replaced if it is there.
    """
    form = recognised(artefact, x, latents, settings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if form is None:
        _with_class(artefact, code, folder)
        return "own class"
    from safetensors.numpy import save_file

    places = {name: settings[setting] for name, setting in PLACES.items() if setting in settings}
    places["sae_lens_version"] = FORMAT  # without it the file is read as an old one
    save_file(form.tensors, folder / WEIGHTS)
    write_text(folder / CONFIG, json.dumps(form.config({**places, **origin}), indent=1) + "\n")
    write_text(
        folder / "README.md",
        f"""SAELens reads this folder:

    from sae_lens import SAE
    sae = SAE.load_from_disk("{folder.name}")  # architecture {form.named}

Its latents were compared with those that were measured, on {min(ROWS, len(x))} held-out rows.
""",
    )
    return f"SAELens: {form.named}"


def recognised(artefact: Path, x: np.ndarray, latents: csr_matrix, settings: dict[str, Any]) -> Form | None:
    """The form of SAELens that gives these latents for these rows; None if none does."""
    tensors, declared = _tensors(artefact)
    rows, measured = x[:ROWS], latents[:ROWS]
    guesses = sorted(forms(tensors, settings), key=lambda form: form.architecture != declared)
    return next((form for form in guesses if agree(_encoded(form, rows), measured)), None)


def forms(tensors: dict[str, np.ndarray], settings: dict[str, Any]) -> Iterator[Form]:
    """The forms that the tensors could have, judged by their names and shapes; `recognised` compares the latents."""
    import numpy as np

    d_sae, d_in = tensors["W_dec"].shape
    transcodes = "hook_name_out" in settings  # SAELens has two forms of transcoders; neither subtracts b_dec from a row
    if transcodes:
        d_in = settings["d_in"]
    wide = {name: np.broadcast_to(t, (d_sae,)) for name, t in tensors.items() if t.shape in ((), (1,), (d_sae,))}
    if tensors.get("W_enc", np.zeros(0)).shape != (d_in, d_sae):
        return
    shared = {name: tensors[name] for name in ("W_enc", "W_dec", "b_dec")}
    form = partial(_form, transcodes=transcodes)
    for applied in (False,) if transcodes else (True, False):
        if {"b_gate", "r_mag", "b_mag"} <= wide.keys() and not transcodes:
            yield form("gated", {**shared, **{n: wide[n] for n in ("b_gate", "r_mag", "b_mag")}}, applied)
        affine = {**shared, "b_enc": wide.get("b_enc", np.zeros(d_sae))}
        if "threshold" in wide:
            yield form("jumprelu", {**affine, "threshold": wide["threshold"]}, applied)
        if "log_threshold" in wide:
            yield form("jumprelu", {**affine, "threshold": np.exp(wide["log_threshold"])}, applied)
        yield form("standard", affine, applied)
        if transcodes:
            continue
        for k in sorted({_whole(v) for v in (tensors.get("k"), tensors.get("l0"), settings.get("l0"))} - {0}):
            if k < d_sae:
                yield form("topk", affine, applied, k)


def _form(
    architecture: str, tensors: dict[str, np.ndarray], applied: bool, k: int = 0, transcodes: bool = False
) -> Form:
    import numpy as np

    ready = {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}
    return Form(architecture, ready, k, applied, transcodes)


def _whole(value: Any) -> int:
    """The value as an int if it is a positive whole number, or else 0."""
    try:
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError):
        return 0
    return int(number) if number > 0 and number.is_integer() else 0


def _tensors(artefact: Path) -> tuple[dict[str, np.ndarray], str]:
    """The tensors by name, and the architecture that the file declares, as it is at inference ("" for none)."""
    from safetensors import safe_open

    with safe_open(artefact, framework="numpy") as file:
        declared = (file.metadata() or {}).get("architecture", "")
        found = {}
        for name in file.keys():  # noqa: SIM118
            with suppress(BadArtefact):  # a type that numpy lacks, in a tensor that nothing measured needs
                found[name] = tensor(artefact, file, name)
        return found, INFERENCE.get(declared, declared)


def _encoded(form: Form, x: np.ndarray) -> csr_matrix:
    import numpy as np
    from scipy import sparse

    with np.errstate(over="ignore", invalid="ignore"):  # a wrong form may overflow, and then does not agree
        pieces = [form.encode(x[i : i + CHUNK].astype(np.float32)) for i in range(0, len(x), CHUNK)]
    return sparse.vstack([sparse.csr_matrix(np.nan_to_num(p)) for p in pieces], format="csr")


def _with_class(artefact: Path, code: Path, folder: Path) -> None:
    """Write the artefact together with the code that loads it."""
    for path in sorted(code.rglob("*.py")):
        target = folder / path.relative_to(code)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    try:
        os.link(artefact, folder / artefact.name)
    except OSError:
        shutil.copyfile(artefact, folder / artefact.name)
    write_text(
        folder / "README.md",
        f"""SAELens has no form that gives this SAE's latents; it lies here with its class.
The class is code that a model may have written: read it before you run it.

    from experiment import SAE
    sae = SAE.load("{artefact.name}")
""",
    )
