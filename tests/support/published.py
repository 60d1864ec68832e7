"""Autoencoders in each file layout in which others publish them, each with the encoder of the publishing library.

Each function writes the files into a folder and returns the encoder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support import TEMPLATE

D_IN, D_SAE, K = 8, 12, 3
Encode = Callable[[Tensor], Tensor]


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


W_ENC, W_DEC = drawn(D_IN, D_SAE, seed=1), drawn(D_SAE, D_IN, seed=2)
B_ENC, B_DEC = 0.3 * drawn(D_SAE, seed=3), 0.5 * drawn(D_IN, seed=4)
THRESHOLD = drawn(D_SAE, seed=5).abs()
R_MAG, B_MAG = 0.2 * drawn(D_SAE, seed=6), 0.3 * drawn(D_SAE, seed=7)
LINEAR = {"encoder.weight": W_ENC.T, "decoder.weight": W_DEC.T}


def rows(count: int = 64) -> Tensor:
    return drawn(count, D_IN, seed=9)


def largest(acts: Tensor) -> Tensor:
    """acts with all but the K largest of each row set to zero."""
    values, places = acts.topk(K, dim=1)
    return torch.zeros_like(acts).scatter_(1, places, values)


def acts(x: Tensor) -> Tensor:
    return (x - B_DEC) @ W_ENC + B_ENC


def gated(x: Tensor) -> Tensor:
    shared = (x - B_DEC) @ W_ENC
    return (shared + B_ENC > 0) * (R_MAG.exp() * shared + B_MAG).relu()


def jumped(x: Tensor) -> Tensor:
    pre = x @ W_ENC + B_ENC
    return (pre * (pre > THRESHOLD)).relu()


def gemma_scope(folder: Path) -> Encode:
    folder = folder / "gemma-scope-2b-pt-res" / "layer_12" / "width_16k" / "average_l0_82"
    folder.mkdir(parents=True)
    arrays = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THRESHOLD}
    np.savez(folder / "params.npz", **{name: value.numpy() for name, value in arrays.items()})
    return jumped


def sparsify(folder: Path) -> Encode:
    (folder / "layers.5").mkdir()
    (folder / "config.json").write_text(json.dumps({"model": "EleutherAI/pythia-70m-deduped"}))
    config = {"d_in": D_IN, "k": K, "expansion_factor": 32, "num_latents": D_SAE, "activation": "topk"}
    (folder / "layers.5" / "cfg.json").write_text(json.dumps(config))
    tensors = {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC}
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "layers.5" / "sae.safetensors")
    return lambda x: largest(acts(x).relu())


def dictionary_learning(kind: str, tensors: dict[str, Tensor], encode: Encode) -> Callable[[Path], Encode]:
    def make(folder: Path) -> Encode:
        trainer = {"dict_class": kind, "layer": 3, "lm_name": "EleutherAI/pythia-70m-deduped", "steps": 1000, "k": K}
        config = {"trainer": trainer, "buffer": {"ctx_len": 128, "out_batch_size": 2048}}
        (folder / "config.json").write_text(json.dumps(config))
        torch.save({name: value.clone() for name, value in tensors.items()}, folder / "ae.pt")
        return encode

    return make


def old_sae_lens(folder: Path) -> Encode:
    """A configuration from before version 6, in which the activation function says that it is a TopK SAE."""
    config = {"d_in": D_IN, "d_sae": D_SAE, "hook_point": "blocks.1.hook_resid_post", "model_name": "gpt2"}
    config |= {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}, "normalize_activations": False}
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file({"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}, folder / "sae_weights.safetensors")
    return lambda x: largest(acts(x)).relu()


def bare(folder: Path) -> Encode:
    """A file of weights in bfloat16, and a configuration of its own name beside it."""
    tensors = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}
    save_file({name: value.bfloat16() for name, value in tensors.items()}, folder / "mine.safetensors")
    (folder / "mine.json").write_text(json.dumps({"architecture": "standard", "apply_b_dec_to_input": False}))
    W, b = W_ENC.bfloat16().float(), B_ENC.bfloat16().float()
    return lambda x: (x @ W + b).relu()


SHARED = {**LINEAR, "encoder.bias": B_ENC}
CUT = torch.tensor(0.8)
LAYOUTS: dict[str, Callable[[Path], Encode]] = {
    "gemma-scope": gemma_scope,
    "sparsify": sparsify,
    "old-sae-lens": old_sae_lens,
    "bare": bare,
    "AutoEncoder": dictionary_learning("AutoEncoder", {**SHARED, "bias": B_DEC}, lambda x: acts(x).relu()),
    "AutoEncoderNew": dictionary_learning(
        "AutoEncoderNew", {**SHARED, "decoder.bias": B_DEC}, lambda x: (x @ W_ENC + B_ENC).relu()
    ),
    "AutoEncoderTopK": dictionary_learning(
        "AutoEncoderTopK",
        {**SHARED, "b_dec": B_DEC, "k": torch.tensor(K), "threshold": CUT},
        lambda x: largest(acts(x).relu()),
    ),
    "BatchTopKSAE": dictionary_learning(
        "BatchTopKSAE",
        {**SHARED, "b_dec": B_DEC, "k": torch.tensor(K), "threshold": CUT},
        lambda x: acts(x).relu() * (acts(x).relu() > CUT),
    ),
    "GatedAutoEncoder": dictionary_learning(
        "GatedAutoEncoder",
        {**LINEAR, "decoder_bias": B_DEC, "gate_bias": B_ENC, "r_mag": R_MAG, "mag_bias": B_MAG},
        gated,
    ),
    "JumpReluAutoEncoder": dictionary_learning(
        "JumpReluAutoEncoder",
        {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THRESHOLD},
        jumped,
    ),
}
KNOWN = {  # what the files of each layout say about the model and hook
    "gemma-scope": {"model": "gemma-2-2b", "hook_name": "blocks.12.hook_resid_post"},
    "sparsify": {"model": "pythia-70m-deduped", "hook_name": "blocks.5.hook_resid_post"},
    "old-sae-lens": {"model": "gpt2", "hook_name": "blocks.1.hook_resid_post"},
    "bare": {},
}
OF_DICTIONARY_LEARNING = {
    "model": "pythia-70m-deduped",
    "hook_name": "blocks.3.hook_resid_post",
    "trained_on": "2,048,000 tokens",
}


def place(folder: Path, layout: str) -> Path:
    """The path that a person types for an autoencoder of this layout."""
    if layout == "gemma-scope":
        return next(folder.rglob("params.npz"))
    return folder / "layers.5" if layout == "sparsify" else folder


def in_form_of_sae_lens(folder: Path, d_in: int, d_sae: int, bias: float = -8.0) -> None:
    """Writes an autoencoder with random weights in the form of SAELens."""
    folder.mkdir()
    config = {"architecture": "standard", "d_in": d_in, "d_sae": d_sae, "dtype": "float32", "device": "cpu"}
    config |= {"apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none"}
    config |= {"metadata": {"sae_lens_version": "6.0.0"}}
    (folder / "cfg.json").write_text(json.dumps(config))
    tensors = {"W_enc": drawn(d_in, d_sae, seed=1), "W_dec": drawn(d_sae, d_in, seed=2)}
    tensors |= {"b_enc": torch.full((d_sae,), bias), "b_dec": torch.zeros(d_in)}
    save_file(tensors, folder / "sae_weights.safetensors")


ENTRY = """
[[baselines]]
name  = "hub"
label = "Hub SAE"
pretrained = "hub_sae"
trained_on = "4 billion tokens"
about = "An autoencoder from a hub."

[profiles.tiny]"""


def with_hub(folder: Path) -> Path:
    """Copies the tiny template, with one more baseline, `hub`, which others have trained; returns the folder."""
    shutil.copytree(TEMPLATE, folder)
    in_form_of_sae_lens(folder / "hub_sae", 8, 12, bias=-1.0)
    text = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(text.replace("\n[profiles.tiny]", ENTRY, 1))
    return folder
