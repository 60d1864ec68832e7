"""What a page of features shows of the held-out sequences: their tokens as text, and what a direction does to logits.

Read by the runner where a person asks for such a page; nothing here is measured.
"""

from __future__ import annotations

import numpy as np

from .evaluate import Truth


def tokens(truth: Truth) -> np.ndarray:
    """int32 [sequences, context]; the rows of a measurement are all but the first of each."""
    return truth.tokens


def word(truth: Truth, token: int) -> str:
    """A token as text; the words of the grammar have numbers alone."""
    tokenizer = truth.model.tokenizer
    return f"w{token}" if tokenizer is None else tokenizer.decode([token])


def logits(truth: Truth, directions: np.ndarray) -> np.ndarray | None:
    """How a unit step along each direction [n, d_in] moves the logits of the vocabulary, less their mean: [n, d_vocab].

    Straight to the output, through the last normalisation's weights without its division; None where the directions do
    not lie in the residual stream.
    """
    import torch

    model = truth.model
    if directions.shape[1] != model.cfg.d_model or truth.hook_name.endswith("hook_z"):
        return None
    with torch.no_grad():
        steps = torch.from_numpy(directions).to(model.W_U.device, torch.float32)
        weight = getattr(getattr(model, "ln_final", None), "w", None)
        moved = (steps if weight is None else steps * weight.float()) @ model.W_U.float()
        return (moved - moved.mean(dim=1, keepdim=True)).cpu().numpy()
