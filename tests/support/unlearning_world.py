"""An instruct model that knows answers, and data sets for unlearning, made here: nothing is downloaded.

The model was not trained, its weights were written: a first layer tells each word the letter of the choice that it is
in; the second looks from the end of the question for a word that it knows to be right, and says its letter. It knows
words of biology by one direction and all others by another, so that whoever clamps the first alone unlearns biology.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from agent.core.saebench import FORGET_CORPUS

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
# Directions, each a coordinate: the letter of a choice, the same as a word in it is told, the same as it is said.
LETTER, TOLD, SAID = range(0, 4), range(4, 8), range(8, 12)
BIO, OTHER, ASKED = 12, 13, 14
SURE = 60.0  # a score that no distance outweighs


def tokenizer():
    """One token a word, as byte-level vocabularies write them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(NAMES)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL[4:],
    )


def instruct_model(folder: Path, models, knows: bool = True) -> Path:
    """Saved as templates/lm_sae saves one; `models` is its lm/models.py."""
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
    tokenizer().save_pretrained(folder)
    return folder


def _attend(layer, head: int, keys, reads, writes):
    """A head that copies coordinates from where one of the keys is; heads differ in how much nearness counts."""
    layer.W_K[head, list(keys), 0] = 1.0
    for place in range(4):
        layer.W_V[head, reads[place], place] = layer.W_O[head, place, writes[place]] = 1.0
    return layer


class Autoencoder:
    """A latent for each direction of the first layer; or one for both kinds of knowledge, which cannot tell them."""

    def __init__(self, *, tells: bool) -> None:
        rows = np.eye(D_IN)[[*LETTER, *TOLD, ASKED, BIO, OTHER]]
        self.decoder = rows if tells else np.vstack([rows[:-2], (rows[-2] + rows[-1]) / np.sqrt(2)])
        self.bias = np.zeros(D_IN)

    def encode(self, rows: np.ndarray) -> sparse.csr_matrix:
        acts = rows @ self.decoder.T
        return sparse.csr_matrix(np.where(acts > 0.1, acts, 0.0))


def data_sets(folder: Path) -> Path:
    """Those that unlearning reads, under their names."""
    draw = np.random.default_rng(2)
    _write(folder / FORGET_CORPUS, [{"text": t} for t in _texts(draw, [*BIOLOGY, *WRONG], 40)])
    _published(folder / "wikitext", {"wikitext-2-raw-v1": [{"text": t} for t in _texts(draw, [*OTHERS, *WRONG], 40)]})
    _published(folder / "cais/wmdp", {"wmdp-bio": _questions(draw, BIOLOGY, {})})
    _published(folder / "cais/mmlu", {name: _questions(draw, OTHERS, {"subject": name}) for name in SUBJECTS})
    return folder


def activations(model, data: Path) -> np.ndarray:
    """Rows that an autoencoder can be trained on: of the choices of all questions, and of both corpora."""
    files = [*sorted(data.glob("cais/*/*/test.jsonl")), data / FORGET_CORPUS, *data.glob("wikitext/*/test.jsonl")]
    rows = []
    for entry in (json.loads(line) for file in files for line in file.read_text().splitlines()):
        choices = zip("ABCD", entry.get("choices", ()), strict=False)
        text = entry.get("text") or "".join(f"\n{letter}. {choice}" for letter, choice in choices)
        _, cache = model.run_with_cache(model.to_tokens(text), names_filter=HOOK)
        rows.append(cache[HOOK][0])
    return torch.cat(rows).numpy()


def _texts(draw: np.random.Generator, words: list[str], count: int) -> list[str]:
    return [" " + " ".join(draw.choice(words, size=24)) for _ in range(count)]


def _questions(draw: np.random.Generator, right: list[str], more: dict[str, str]) -> list[dict]:
    """Two whose answer is A, two with B, C and D each."""
    asked = []
    for number, word in enumerate(right):
        choices = [str(choice) for choice in draw.choice(WRONG, size=4, replace=False)]
        choices[number % 4] = word
        asked.append({"question": "Which is it?", **more, "choices": choices, "answer": number % 4})
    return asked


def _published(folder: Path, configs: dict[str, list[dict]]) -> None:
    """As a repository on the hub names its configurations."""
    for name, rows in configs.items():
        _write(folder / name / "test.jsonl", rows)
    about = [{"config_name": name, "data_files": [{"split": "test", "path": f"{name}/test.jsonl"}]} for name in configs]
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(about)}\n---\n")


def _write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
