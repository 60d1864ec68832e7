"""Metrics of a sparse autoencoder on a language model's activations. Only the runner runs it, outside the sandbox.

Not here: encoding (done in a sandbox) and statistics over seeds (done by the runner). lm/core.py has the metrics of the
reconstruction, lm/probing.py those of the concepts that latents represent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .lm import core, models, probing, shards

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from transformer_lens import HookedTransformer


@dataclass(frozen=True)
class Truth:
    """Held-out rows of one hook, the model they come from, and their labels."""

    x: np.ndarray  # float32 [N, d_in]: all tokens of the held-out sequences except BOS, then rows that only have labels
    tokens: np.ndarray  # int32 [sequences, context]
    hook_name: str  # hook of the activation that is reconstructed
    model: HookedTransformer
    ce_zero: float  # cross-entropy with zeros at the hook, in nats per token
    labellings: dict[str, probing.Labelling]
    absorbed: str  # name of the labelling for which absorption is measured
    probes: probing.Probes
    batch: int  # sequences in one forward pass
    reconstructed: np.ndarray | None = None  # [N, d_out]: what a transcoder has to write; None: x itself

    @property
    def held(self) -> int:
        """How many of the rows are tokens of the held-out sequences."""
        return self.tokens.shape[0] * (self.tokens.shape[1] - 1)


def load_truth(truth_dir: Path, settings: dict[str, Any]) -> Truth:
    """Reads what prepare.py wrote, and loads the language model that was used for it."""
    read = str(settings["hook_name"])
    hook_name = str(settings.get("hook_name_out", read))
    place, dtype = truth_dir / hook_name, str(settings["dtype"])
    reference = json.loads((place / "reference.json").read_text())
    model = models.of_world(truth_dir, settings)
    labels = {path.stem.removeprefix("label-"): np.load(path) for path in sorted(truth_dir.glob("label-*.npz"))}
    probes = np.load(place / "probes.npz")
    target = shards.from_stored(np.load(place / "x.npy"), dtype)
    return Truth(
        x=target if hook_name == read else shards.from_stored(np.load(truth_dir / read / "x.npy"), dtype),
        tokens=np.load(truth_dir / "tokens.npy"),
        hook_name=hook_name,
        model=model,
        ce_zero=reference["ce_zero"],
        absorbed=reference["absorbed"],
        labellings={name: probing.Labelling(a["rows"], a["classes"], a["fits"]) for name, a in labels.items()},
        probes=probing.Probes(probes["weights"], probes["biases"]),
        batch=int(settings["lm_eval_batch"]),
        reconstructed=None if hook_name == read else target,
    )


def evaluate(x: np.ndarray, z: csr_matrix, x_hat: np.ndarray, decoder: np.ndarray, truth: Truth) -> dict[str, float]:
    """All metrics of one artefact. Shapes: x [N, d_in]; z [N, d_sae]; x_hat [N, d_out]; decoder [d_sae, d_out].

    Rows of the decoder have length one. d_out is d_in, except for a transcoder, which has to give truth.reconstructed.
    """
    y = x if truth.reconstructed is None else truth.reconstructed
    held, asked = truth.held, truth.labellings[truth.absorbed]
    return {
        **core.reconstruction(y[:held], x_hat[:held]),
        **core.activity(z[:held]),
        **core.behaviour(truth.model, truth.tokens, truth.hook_name, x_hat[:held], truth.ce_zero, truth.batch),
        "sparse_probing_1": probing.sparse_probing(z, truth.labellings, 1),
        "sparse_probing_5": probing.sparse_probing(z, truth.labellings, 5),
        "absorption": probing.absorption(y, z, decoder, asked, truth.probes),
    }
