"""The first-letter task for models of text: words of the vocabulary, labelled by their first letter.

As in the literature on absorption (arXiv 2409.14507), a prompt shows a few examples, then the word. The activation is
taken at the word's own token, where the model can already represent the first letter that it will be asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

EXAMPLES = (("house", "H"), ("river", "R"), ("stone", "S"), ("apple", "A"))
SPACES = ("\u0120", "\u2581")  # how byte-pair and sentence-piece vocabularies write a space
FORM = "{word} has the first letter: {letter}\n"


def words(model: HookedTransformer) -> list[tuple[int, str]]:
    """The tokens that are a space and a whole lower-case word of at least three letters, each with its word."""
    pieces = model.tokenizer.convert_ids_to_tokens(range(min(len(model.tokenizer), model.cfg.d_vocab)))
    found = []
    for token, piece in enumerate(pieces):
        word = (piece or "")[1:]
        if piece and piece[0] in SPACES and len(word) > 2 and word.isascii() and word.isalpha() and word.islower():
            found.append((token, word))
    return found


def sequences(model: HookedTransformer, most: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Prompts int32 [N, length] that each end with a word, and the word's first letter [N] as 0..25.

    At most `most` words are drawn; N is 0 if the tokenizer has no whole words.
    """
    chosen = words(model)
    chosen = [chosen[i] for i in sorted(draw.permutation(len(chosen))[:most])]
    shown = "".join(FORM.format(word=word, letter=letter) for word, letter in EXAMPLES)
    head = [model.tokenizer.bos_token_id, *model.tokenizer.encode(shown, add_special_tokens=False)]
    tokens = np.array([[*head, token] for token, _ in chosen], np.int32).reshape(len(chosen), len(head) + 1)
    return tokens, np.array([ord(word[0]) - ord("a") for _, word in chosen], np.int64)
