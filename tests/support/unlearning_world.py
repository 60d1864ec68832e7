"""An instruct model that knows answers, and data sets for unlearning, made here without a download.

The model's weights are written, not trained. The first layer copies the letter of a choice to each word in it. The
second looks from the end of the question for a word that the model knows to be right, and writes its letter. Words of
biology are known by one direction and all others by another, so clamping the first one unlearns biology alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from agent.core.saebench import FORGET_CORPUS
from tests.support.saebench_world import texts, tokenizer, write_lines

D_IN, HEADS = 48, 8
HOOK = "blocks.0.hook_resid_post"
SUBJECTS = ("high_school_us_history", "college_computer_science", "high_school_geography", "human_aging")
BIOLOGY = [f"cell{ending}" for ending in ("a", "e", "i", "o", "u", "an", "en", "in")]
OTHERS = [f"fact{ending}" for ending in ("a", "e", "i", "o", "u", "an", "en", "in")]
WRONG = [f"guess{ending}" for ending in ("a", "e", "i", "o", "u", "an", "en", "in")]
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
END = "\u0120("  # the last token of each question
NAMES = [
    *SPECIAL,
    *"ABCD",
    *(f"\u0120{letter}" for letter in "ABCD"),
    ".",
    ":",
    "\u010a",
    END,
    *(f"\u0120{word}" for word in (*BIOLOGY, *OTHERS, *WRONG)),
]
# Directions, each a coordinate: the letter of a choice, as it stands there, as copied to a word, as it is answered.
LETTER, TOLD, SAID = range(0, 4), range(4, 8), range(8, 12)
BIO, OTHER, ASKED = 12, 13, 14
SURE = 60.0  # an attention score that is larger than any penalty for distance


def instruct_model(folder: Path, models, knows: bool = True) -> Path:
    """Saves the model and its tokenizer into `folder` with `models`, the module lm/models.py of templates/lm_sae."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=2,
            d_model=D_IN,
            n_heads=HEADS,
            d_head=4,
            n_ctx=128,
            d_vocab=len(NAMES),
            attn_only=True,
            normalization_type=None,
            positional_embedding_type="alibi",
            attn_scale=1.0,
            use_attn_scale=False,
            seed=0,
            device="cpu",
        )
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for place, letter in enumerate("ABCD"):
            model.embed.W_E[NAMES.index(letter), LETTER[place]] = 1.0
            model.unembed.W_U[SAID[place], NAMES.index(f"\u0120{letter}")] = 10.0
        model.embed.W_E[NAMES.index(END), ASKED] = 1.0
        for words, direction in ((BIOLOGY, BIO), (OTHERS, OTHER)):
            model.embed.W_E[[NAMES.index(f"\u0120{word}") for word in words], direction] = 1.0 if knows else 0.0
        _attend(model.blocks[0].attn, 0, LETTER, LETTER, TOLD).b_Q[0, 0] = SURE  # the nearest letter before it
        _attend(model.blocks[1].attn, HEADS - 1, (BIO, OTHER), TOLD, SAID).W_Q[HEADS - 1, ASKED, 0] = SURE
    models.save(model, folder)
    tokenizer(NAMES, additional_special_tokens=SPECIAL[4:]).save_pretrained(folder)
    return folder


def _attend(layer, head: int, keys, reads, writes):
    """Makes a head copy the coordinates `reads` to `writes`, from the tokens that have one of the keys.

    Heads differ in how much they prefer near tokens.
    """
    layer.W_K[head, list(keys), 0] = 1.0
    for place in range(4):
        layer.W_V[head, reads[place], place] = layer.W_O[head, place, writes[place]] = 1.0
    return layer


class Autoencoder:
    """A latent for each direction of the first layer; without `tells`, one latent for both kinds of knowledge."""

    def __init__(self, *, tells: bool) -> None:
        rows = np.eye(D_IN)[[*LETTER, *TOLD, ASKED, BIO, OTHER]]
        self.decoder = rows if tells else np.vstack([rows[:-2], (rows[-2] + rows[-1]) / np.sqrt(2)])
        self.bias = np.zeros(D_IN)

    def encode(self, rows: np.ndarray) -> sparse.csr_matrix:
        acts = rows @ self.decoder.T
        return sparse.csr_matrix(np.where(acts > 0.1, acts, 0.0))


def data_sets(folder: Path) -> Path:
    """Writes the data sets that unlearning reads, under their names."""
    draw = np.random.default_rng(2)
    write_lines(folder / FORGET_CORPUS, [{"text": t} for t in texts(draw, [*BIOLOGY, *WRONG], 40)])
    _published(folder / "wikitext", {"wikitext-2-raw-v1": [{"text": t} for t in texts(draw, [*OTHERS, *WRONG], 40)]})
    _published(folder / "cais/wmdp", {"wmdp-bio": _questions(draw, BIOLOGY, {})})
    _published(folder / "cais/mmlu", {name: _questions(draw, OTHERS, {"subject": name}) for name in SUBJECTS})
    return folder


def activations(model, data: Path) -> np.ndarray:
    """Activations for training an autoencoder: of the choices of all questions, and of both corpora."""
    files = [*sorted(data.glob("cais/*/*/test.jsonl")), data / FORGET_CORPUS, *data.glob("wikitext/*/test.jsonl")]
    rows = []
    for entry in (json.loads(line) for file in files for line in file.read_text().splitlines()):
        choices = zip("ABCD", entry.get("choices", ()), strict=False)
        text = entry.get("text") or "".join(f"\n{letter}. {choice}" for letter, choice in choices)
        _, cache = model.run_with_cache(model.to_tokens(text), names_filter=HOOK)
        rows.append(cache[HOOK][0])
    return torch.cat(rows).numpy()


def _questions(draw: np.random.Generator, right: list[str], more: dict[str, str]) -> list[dict]:
    """Questions whose right answers are A, B, C and D in turn."""
    asked = []
    for number, word in enumerate(right):
        choices = [str(choice) for choice in draw.choice(WRONG, size=4, replace=False)]
        choices[number % 4] = word
        asked.append({"question": "Which is it?", **more, "choices": choices, "answer": number % 4})
    return asked


def _published(folder: Path, configs: dict[str, list[dict]]) -> None:
    """Writes configurations of a data set as a repository on the hub has them."""
    for name, rows in configs.items():
        write_lines(folder / name / "test.jsonl", rows)
    about = [{"config_name": name, "data_files": [{"split": "test", "path": f"{name}/test.jsonl"}]} for name in configs]
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(about)}\n---\n")
