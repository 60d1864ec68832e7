"""What a page of features shows beside the latents: tokens as text, and the effect of a direction on the logits.

The runner uses it if a person asks for such a page (`evaluate --features`). None of it is a metric.
"""

from __future__ import annotations

import numpy as np

from .evaluate import Truth


def tokens(truth: Truth) -> np.ndarray:
    """The held-out sequences, int32 [sequences, context]; measured rows are all tokens but the first of each."""
    return truth.tokens


def word(truth: Truth, token: int) -> str:
    """A token as text. Words of the grammar have no text, so they are named by their number."""
    tokenizer = truth.model.tokenizer
    return f"w{token}" if tokenizer is None else tokenizer.decode([token])


def logits(truth: Truth, directions: np.ndarray) -> np.ndarray | None:
    """How a unit step along each direction [n, d_in] changes the logits, [n, d_vocab], less their mean.

    This is the direct path to the output, with the weights of the last normalisation but without its division. None if
    the directions do not lie in the residual stream.
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
