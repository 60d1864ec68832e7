"""Reads the files of a published autoencoder, in any layout that is known, inside a sandbox: they may be hostile.

Called as `python -m agent.lab.published.layouts GIVEN OUT WHERE`. GIVEN holds copies of the files under their own
names. WHERE is the path that the person typed; in some layouts only this path names the layer. OUT gets the artefact
and what is known about it, or a line that says why there is none. Nothing but tensors is unpickled.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.lab.measuring.artefact import INFERENCE
from agent.lab.published.files import json_object, safetensors, said, unpickled
from agent.lab.published.forms import PROBLEM, Read, Unreadable, known, text_of, whole_of, write
from agent.sandbox.harvest import one_line

if TYPE_CHECKING:
    import numpy as np

ABOVE = "above.json"  # a copy of config.json of the folder above, in which sparsify names model and data
EXAMPLE = '{"architecture": "jumprelu", "apply_b_dec_to_input": true}'
Tensors = Mapping[str, "np.ndarray"]


def read(folder: Path, where: str) -> Read:
    """Read the autoencoder in the folder, in whichever layout it is.

    Raises:
        Unreadable: the layout is not known, or a file of it is missing or malformed.
    """
    names = {path.name for path in folder.iterdir()}
    if "params.npz" in names or any(name.endswith(".npz") for name in names):
        return gemma_scope(folder / next(name for name in sorted(names) if name.endswith(".npz")), where)
    if pickles := [name for name in sorted(names) if name.endswith(".pt")]:
        return dictionary_learning(folder, folder / pickles[0])
    weights = folder / next(name for name in sorted(names) if name.endswith(".safetensors"))
    tensors, declared = safetensors(weights)
    config = _config(folder, weights, names)
    if config and "encoder.weight" in tensors and ("num_latents" in config or "expansion_factor" in config):
        return sparsify(config, tensors, json_object(folder / ABOVE) if ABOVE in names else {}, where)
    if config is not None:
        runner = json_object(folder / "runner_cfg.json") if "runner_cfg.json" in names else {}
        return sae_lens(config, tensors, runner)
    if declared:
        return own_library(declared, tensors)
    raise Unreadable(f"no configuration beside {weights.name}; put a cfg.json there, such as {EXAMPLE}")


# ---------------------------------------------------------------- layouts


def sae_lens(config: dict[str, Any], tensors: Tensors, runner: dict[str, Any]) -> Read:
    """SAELens: cfg.json and sae_weights.safetensors, of version 6 and earlier ones, by the rules of sae_lens itself."""
    import numpy as np

    about = config["metadata"] if isinstance(config.get("metadata"), dict) else config
    architecture = text_of(config.get("architecture")) or "standard"
    activation = config.get("activation_fn") or config.get("activation_fn_str") or "relu"
    options = config.get("activation_fn_kwargs")
    k = config.get("k") or (options.get("k") if isinstance(options, dict) else 0)
    if activation == "topk" and k:
        architecture = "topk"
    elif activation != "relu":
        raise Unreadable(f"activation function {one_line(str(activation), 60)!r}; only relu and topk can be measured")
    if architecture in ("batchtopk", "matryoshka_batchtopk"):
        raise Unreadable(f"a {architecture} in its form for training; save it with sae_lens's save_inference_model")
    remarks = _normalised(config.get("normalize_activations"))
    values = dict(tensors)
    if "log_threshold" in values:
        values["threshold"] = np.exp(values.pop("log_threshold"))
    _check_scaling(values)
    return Read(
        layout="SAELens",
        architecture=architecture,
        tensors=values,
        subtracts_b_dec=config.get("apply_b_dec_to_input", True) is not False,
        k=whole_of(k),
        by_decoder_norm=config.get("rescale_acts_by_decoder_norm") is True,
        known=known(
            model=text_of(about.get("model_name")),
            hook_name=text_of(about.get("hook_name") or about.get("hook_point")),
            trained_on=_tokens(runner.get("training_tokens") or about.get("training_samples")),
        ),
        remarks=remarks,
    )


def gemma_scope(path: Path, where: str) -> Read:
    """Gemma Scope: params.npz, a JumpReLU that does not subtract b_dec. Only the path names model and layer."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            tensors = {f"W_{name[2:]}" if name.startswith("w_") else name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, MemoryError, AttributeError) as error:
        raise Unreadable(f"{path.name} is not a readable npz file of numbers: {said(error)}") from None
    except Exception as error:  # zipfile and zlib raise other kinds
        raise Unreadable(f"{path.name} is not a readable npz file: {said(error)}") from None
    named = re.search(r"gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att)", where)
    layer = re.search(r"layer_(\d{1,3})(?!\d)", where)
    model = f"gemma-2-{named[1]}{'-it' if named[2] == 'it' else ''}" if named else ""
    place = {"res": "hook_resid_post", "mlp": "hook_mlp_out", "att": "attn.hook_z"}.get(named[3] if named else "", "")
    hook = f"blocks.{int(layer[1])}.{place}" if layer and place else ""
    return Read("Gemma Scope", "jumprelu", tensors, subtracts_b_dec=False, known=known(model=model, hook_name=hook))


def dictionary_learning(folder: Path, path: Path) -> Read:
    """dictionary_learning: ae.pt, and config.json, which names the class."""
    if not (folder / "config.json").is_file():
        raise Unreadable(f"no config.json beside {path.name}, which names its class (trainer.dict_class)")
    config = json_object(folder / "config.json")
    trainer, buffer = (config[part] if isinstance(config.get(part), dict) else {} for part in ("trainer", "buffer"))
    kind = text_of(trainer.get("dict_class"))
    if kind not in _OF_CLASS:
        raise Unreadable(f"trainer.dict_class = {one_line(kind, 60)!r}; known are {', '.join(_OF_CLASS)}")
    architecture, subtracts = _OF_CLASS[kind]
    saved = unpickled(path)
    tensors = {_NAMES.get(name, name): value for name, value in saved.items()}
    tensors |= {ours: saved[name].T for name, ours in _TRANSPOSED.items() if name in saved}
    seen = whole_of(trainer.get("steps")) * whole_of(buffer.get("out_batch_size"))
    place = text_of(trainer.get("submodule_name"))
    layer = trainer.get("layer")
    residual = isinstance(layer, int) and (not place or place.startswith("resid_post"))
    return Read(
        layout="dictionary_learning",
        architecture=architecture,
        tensors=tensors,
        subtracts_b_dec=subtracts,
        k=whole_of(trainer.get("k")) or _number(tensors.get("k")),
        known=known(
            model=text_of(trainer.get("lm_name")).rpartition("/")[2],
            hook_name=f"blocks.{layer}.hook_resid_post" if residual else "",
            trained_on=_tokens(seen),
        ),
    )


def sparsify(config: dict[str, Any], tensors: Tensors, above: dict[str, Any], where: str) -> Read:
    """sparsify: cfg.json and sae.safetensors, a TopK that subtracts b_dec."""
    if (activation := config.get("activation", "topk")) != "topk" or config.get("signed"):
        raise Unreadable(f"activation {one_line(str(activation), 40)!r}, signed = {bool(config.get('signed'))}: only "
                         "topk of positive latents can be measured")  # fmt: skip
    if config.get("transcode") or config.get("skip_connection"):
        raise Unreadable("a transcoder (transcode or skip_connection), which does not reconstruct its own input")
    values = {_NAMES.get(name, name): value for name, value in tensors.items()}
    values |= {ours: tensors[name].T for name, ours in _TRANSPOSED.items() if name in tensors}
    layer = re.search(r"layers[._](\d{1,3})/?$", where)
    model = text_of(above.get("model")).rpartition("/")[2]
    hook = f"blocks.{int(layer[1])}.hook_resid_post" if layer else ""
    return Read("sparsify", "topk", values, k=whole_of(config.get("k")), known=known(model=model, hook_name=hook))


def own_library(declared: str, tensors: Tensors) -> Read:
    """The project's own library (templates/saes): a safetensors file whose metadata name the architecture."""
    values = dict(tensors)
    architecture = INFERENCE.get(declared, declared)
    if architecture == "jumprelu" and "threshold" in values:
        values["threshold"] = values["threshold"].clip(min=0)
    return Read("safetensors", architecture, values, k=_number(values.get("l0")))


# Each class of dictionary_learning: its architecture at inference, and whether it subtracts b_dec from a row.
_OF_CLASS = {
    "AutoEncoder": ("standard", True),
    "AutoEncoderNew": ("standard", False),
    "AutoEncoderTopK": ("topk", True),
    "GatedAutoEncoder": ("gated", True),
    "JumpReluAutoEncoder": ("jumprelu", False),
    "BatchTopKSAE": ("jumprelu", True),
    "MatryoshkaBatchTopKSAE": ("jumprelu", True),
}
_TRANSPOSED = {"encoder.weight": "W_enc", "decoder.weight": "W_dec"}
_NAMES = {
    "encoder.bias": "b_enc",
    "decoder.bias": "b_dec",
    "bias": "b_dec",
    "decoder_bias": "b_dec",
    "gate_bias": "b_gate",
    "mag_bias": "b_mag",
}


# ---------------------------------------------------------------- parts


def _normalised(how: Any) -> list[str]:
    """Remarks about how rows are normalised before they are encoded.

    Raises:
        Unreadable: each row is scaled by itself, so that the decoder is not linear.
    """
    if how in ("constant_norm_rescale", "layer_norm", "covariance_whitening"):
        raise Unreadable(
            f"normalize_activations = {how}: each row is changed before it is encoded and back after it is decoded, so "
            "the decoder is not linear, which measuring here needs; fold it into the weights"
        )
    if how == "expected_average_only_in" or how is True:
        return [f"normalize_activations = {how}: as sae_lens does for files on a disk, nothing is scaled"]
    return []


def _check_scaling(values: dict[str, np.ndarray]) -> None:
    scale = values.pop("scaling_factor", values.pop("finetuning_scaling_factor", None))
    if scale is not None and not (abs(scale - 1) < 1e-6).all():
        raise Unreadable("its latents are scaled once more (scaling_factor), which cannot be measured here")


def _number(value: np.ndarray | None) -> int:
    """The value of a tensor of one whole number, or 0 for any other."""
    return int(value.item()) if value is not None and value.size == 1 and float(value.item()).is_integer() else 0


def _tokens(count: Any) -> str:
    return f"{count:,} tokens" if whole_of(count) > 0 else ""


def _config(folder: Path, weights: Path, names: set[str]) -> dict[str, Any] | None:
    """The configuration beside a weights file: cfg.json, config.json, or NAME.json; None if there is none."""
    for name in ("cfg.json", "config.json", f"{weights.stem}.json"):
        if name in names:
            return json_object(folder / name)
    return None


def main(given: str, out: str, where: str) -> None:
    try:
        write(read(Path(given), where), Path(out))
    except Unreadable as problem:
        (Path(out) / PROBLEM).write_text(json.dumps(one_line(str(problem), 600)))


if __name__ == "__main__":
    main(*sys.argv[1:])
