"""Gives sae-bench the language model and the data sets of the runner.

sae-bench itself would load a model by its published name, anew in each evaluation, and look for data on the hub.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

PUBLISHED = HookedTransformer.from_pretrained_no_processing
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def provide_model(source: str, name: str) -> None:
    """Let every evaluation from here on get this model, under this name.

    `source` is a folder or a name on the hub. The model is loaded once for each device and type.
    """

    @functools.lru_cache(maxsize=1)
    def loaded(device: str, dtype: torch.dtype) -> HookedTransformer:
        if (Path(source) / "model.json").is_file():
            model = from_folder(Path(source), dtype, device)
        else:
            model = PUBLISHED(source, device=device, dtype=dtype)
        if model.tokenizer is None:
            raise ValueError(f"model {source} has no tokenizer: sae-bench's evaluations are made of text")
        model.cfg.model_name = name  # it becomes a part of the paths under which probes are kept
        return model.eval()

    def instead(_: str, device: Any = "cpu", dtype: Any = torch.float32, **kwargs: Any) -> HookedTransformer:
        return loaded(str(device), DTYPES.get(dtype, dtype))

    # every evaluation loads its model with this function, and accepts no loaded model
    HookedTransformer.from_pretrained_no_processing = staticmethod(instead)  # type: ignore[assignment, method-assign]


def from_folder(folder: Path, dtype: torch.dtype, device: str) -> HookedTransformer:
    """A model as templates/lm_sae writes it: model.json, model.safetensors, and perhaps a tokenizer."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    config = json.loads((folder / "model.json").read_text())
    model = HookedTransformer(HookedTransformerConfig.from_dict({**config, "device": device, "dtype": dtype}))
    if (folder / "tokenizer.json").is_file():
        model.set_tokenizer(AutoTokenizer.from_pretrained(folder), default_padding_side="right")
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.to(device)


def link_data(folder: str) -> None:
    """Link the data sets of a folder, which have their names on the hub, so that they are found before the hub's."""
    for place in Path(folder).iterdir() if folder else ():
        Path(place.name).symlink_to(place)
