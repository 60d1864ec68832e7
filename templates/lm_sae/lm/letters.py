"""The first-letter task for models of text: rows for words of the vocabulary, labelled by what they begin with.

As in the literature on absorption (arXiv 2409.14507): a few spelled examples, then the word; the row is taken at the
word's own token, where the model has reason to think of its first letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

EXAMPLES = (("house", "H"), ("river", "R"), ("stone", "S"), ("apple", "A"))
SPACES = ("\u0120", "\u2581")  # how byte-pair and sentence-piece vocabularies write one
FORM = "{word} has the first letter: {letter}\n"


def words(model: HookedTransformer) -> list[tuple[int, str]]:
    """Tokens that are a whole lower-case word behind a space, with the word."""
    pieces = model.tokenizer.convert_ids_to_tokens(range(min(len(model.tokenizer), model.cfg.d_vocab)))
    found = []
    for token, piece in enumerate(pieces):
        word = (piece or "")[1:]
        if piece and piece[0] in SPACES and len(word) > 2 and word.isascii() and word.isalpha() and word.islower():
            found.append((token, word))
    return found


def sequences(model: HookedTransformer, most: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """int32 [N, length] that each end with a word, and its letter 0..25; no rows for a tokenizer without words."""
    chosen = words(model)
    chosen = [chosen[i] for i in sorted(draw.permutation(len(chosen))[:most])]
    shown = "".join(FORM.format(word=word, letter=letter) for word, letter in EXAMPLES)
    head = [model.tokenizer.bos_token_id, *model.tokenizer.encode(shown, add_special_tokens=False)]
    tokens = np.array([[*head, token] for token, _ in chosen], np.int32).reshape(len(chosen), len(head) + 1)
    return tokens, np.array([ord(word[0]) - ord("a") for _, word in chosen], np.int64)
