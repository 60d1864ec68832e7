"""A language model, an autoencoder and data sets on which sae-bench can run, made here without a download.

The model's embedding has a direction for each first letter, so that probes find them; its other weights are random.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from agent.core.options import Models, Options
from agent.lab.saebench.environment import found
from tests.support import ROOT, TEMPLATE

HERE = found(ROOT / "workspace" / ".cache")  # the environment of sae-bench, or None if it is not set up
OPTIONS = Options(
    template=str(TEMPLATE),
    profile="tiny",
    baselines=("topk",),
    slots=1,
    device="cpu",
    models=Models(planner="a/b", editor="a/b", writer="a/b", reviewer="a/b"),
)
D_IN, D_SAE, L0 = 48, 64, 4
HOOK = "blocks.0.hook_resid_post"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ENDINGS = (
    "an",
    "ebo",
    "idu",
    "olum",
    "unka",
    "yra",
    "ost",
    "illo",
    "etra",
    "ovi",
    "ulk",
    "amto",
    "iru",
    "epsa",
    "owny",
    "udge",
    "anty",
    "ilph",
    "orm",
    "esk",
)
WORDS = [letter + ending for letter in LETTERS for ending in ENDINGS]
FORM = ["has", "the", "first", "letter"]
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", ":", "\u010a"]
NAMES = [*SPECIAL, *(f"\u0120{word}" for word in (*FORM, *WORDS, *LETTERS.upper()))]


def tokenizer(names: list[str], **special: list[str]):
    """A tokenizer with one token for each word, written as byte-level vocabularies write them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>", **special
    )


def language_model(folder: Path, models) -> Path:
    """Saves the model and its tokenizer into `folder` with `models`, the module lm/models.py of templates/lm_sae."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    torch.manual_seed(0)
    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=2,
            d_model=D_IN,
            n_heads=2,
            d_head=8,
            d_mlp=32,
            n_ctx=1024,
            d_vocab=len(NAMES),
            act_fn="gelu",
            normalization_type="LN",
            seed=0,
            device="cpu",
        )
    )
    directions = torch.linalg.qr(torch.randn(D_IN, D_IN))[0]
    with torch.no_grad():
        model.embed.W_E.copy_(0.03 * torch.randn(len(NAMES), D_IN))
        for row, name in enumerate(NAMES[len(SPECIAL) :], len(SPECIAL)):
            model.embed.W_E[row] += directions[LETTERS.index(name[1].lower())]
    models.save(model, folder)
    tokenizer(NAMES).save_pretrained(folder)
    return folder


class Autoencoder:
    """A TopK SAE with random unit directions."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        W = draw.normal(size=(D_SAE, D_IN))
        self.decoder = W / np.linalg.norm(W, axis=1, keepdims=True)
        self.bias = draw.normal(size=D_IN) * 0.01

    def encode(self, rows: np.ndarray) -> sparse.csr_matrix:
        acts = np.maximum((rows - self.bias) @ self.decoder.T, 0.0)
        cut = np.partition(acts, -L0, axis=1)[:, -L0][:, None]
        return sparse.csr_matrix(np.where(acts >= cut, acts, 0.0))


def texts(draw: np.random.Generator, words: list[str], count: int) -> list[str]:
    return [" " + " ".join(draw.choice(words, size=24)) for _ in range(count)]


def data_sets(folder: Path) -> Path:
    """Writes three of the data sets that sae-bench reads, under their names."""
    draw = np.random.default_rng(1)
    write_lines(folder / "Skylion007/openwebtext/train.jsonl", [{"text": t} for t in texts(draw, WORDS, 400)])
    rows = [{"text": t.replace(" ", ": ")} for t in texts(draw, WORDS, 200)]  # under 5 letters a token
    write_lines(folder / "monology/pile-uncopyrighted/train.jsonl", rows)
    for split, count in (("train", 200), ("test", 100)):
        rows = [
            {"text": text, "label": label}
            for label in range(4)
            for text in texts(draw, WORDS[130 * label : 130 * label + 130], count // 2)
        ]
        write_lines(folder / f"fancyzhx/ag_news/{split}.jsonl", rows)
    return folder


def write_lines(path: Path, rows: list[dict]) -> None:
    """Writes one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
