"""Metrics of a reconstruction: its error, the latents' activity, and the language model's loss with it patched in.

Rows are all tokens of the held-out sequences except BOS, in order. Where the reconstruction is patched in, BOS keeps
its own activation. Sums are taken in float64 and softmaxes in float32, whatever the model computes in: sums in bfloat16
lose the second digit. The formulas are those of sae_lens.evals; a test compares the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from transformer_lens import HookedTransformer

CHUNK = 8192  # rows that are converted to float64 at a time
DENSE = 0.1  # a latent that is active in more than this share of the rows is dense
Hook = Callable[[torch.Tensor, object], torch.Tensor]


def reconstruction(x: np.ndarray, x_hat: np.ndarray) -> dict[str, float]:
    """Means over rows of x and x_hat [N, d_in]; mse sums the squared error over the dimensions of a row.

    explained_variance is 1 - (summed squared error) / (summed squared distance from the mean of x).
    """
    mean = x.mean(axis=0, dtype=np.float64)
    error = spread = cosine = norms = 0.0
    for start in range(0, len(x), CHUNK):
        a, b = (part[start : start + CHUNK].astype(np.float64) for part in (x, x_hat))
        error += np.square(a - b).sum()
        spread += np.square(a - mean).sum()
        long, short = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
        norms += (short / np.maximum(long, 1e-12)).sum()
        cosine += ((a * b).sum(axis=1) / np.maximum(long * short, 1e-12)).sum()
    return {
        "explained_variance": float(1 - error / spread),
        "mse": float(error / len(x)),
        "cosine": float(cosine / len(x)),
        "relative_norm": float(norms / len(x)),
    }


def activity(z: csr_matrix) -> dict[str, float]:
    """l0: non-zero latents per row of z [N, d_sae]; the shares of latents that are never active, and often."""
    rate = z.getnnz(axis=0) / z.shape[0]
    return {
        "l0": z.nnz / z.shape[0],
        "dead_latents": float((rate == 0).mean()),
        "dense_latents": float((rate > DENSE).mean()),
    }


def behaviour(
    model: HookedTransformer, tokens: np.ndarray, hook_name: str, x_hat: np.ndarray, ce_zero: float, batch: int
) -> dict[str, float]:
    """What changes if the reconstruction x_hat [N, d_in] replaces the activation at a hook.

    Args:
        tokens: the held-out sequences, int32 [sequences, context].
        ce_zero: cross-entropy with zeros at the hook, in nats per token.
        batch: sequences in one forward pass.

    Returns:
        delta_ce: cross-entropy that is lost, in nats per token; kl: divergence of the predictions from those of the
        unchanged model, in nats per token; ce_loss_score: 1 if no cross-entropy is lost, 0 if as much as with zeros.
    """
    clean = patched = divergence = 0.0
    width = tokens.shape[1]
    for start, some in batched(tokens, model, batch):
        rows = x_hat[start * (width - 1) : (start + len(some)) * (width - 1)]
        rows = torch.from_numpy(rows.astype(np.float32)).view(len(some), width - 1, -1)
        before = _log_probs(model(some))
        after = _log_probs(model.run_with_hooks(some, fwd_hooks=[(hook_name, _replace(rows))]))
        clean += _cross_entropy(before, some)
        patched += _cross_entropy(after, some)
        divergence += _kl(before, after)
    counted, all_rows = len(tokens) * (width - 2), len(tokens) * (width - 1)
    ce_clean, ce_patched = clean / counted, patched / counted
    return {
        "delta_ce": ce_patched - ce_clean,
        "ce_loss_score": (ce_zero - ce_patched) / (ce_zero - ce_clean),
        "kl": divergence / all_rows,
    }


def cross_entropy(model: HookedTransformer, tokens: np.ndarray, batch: int, zeros_at: str = "") -> float:
    """Cross-entropy in nats per token, of the tokens that follow one other than BOS; `zeros_at`: a hook set to zero."""
    total = 0.0
    for _, some in batched(tokens, model, batch):
        hooks = [(zeros_at, lambda act, hook: torch.zeros_like(act))] if zeros_at else []
        total += _cross_entropy(_log_probs(model.run_with_hooks(some, fwd_hooks=hooks)), some)
    return total / (len(tokens) * (tokens.shape[1] - 2))


def batched(tokens: np.ndarray, model: HookedTransformer, batch: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Batches of sequences on the model's device, each with the number of its first; gradients are off meanwhile."""
    for start in range(0, len(tokens), batch):
        with torch.no_grad():
            yield start, torch.from_numpy(tokens[start : start + batch].astype(np.int64)).to(model.cfg.device)


def activations(model: HookedTransformer, tokens: torch.Tensor, hook_names: list[str]) -> dict[str, torch.Tensor]:
    """The activations [B, context, d_in] of each hook; those of several heads stand side by side."""
    last = max((int(name.split(".")[1]) for name in hook_names if name.startswith("blocks.")), default=None)
    with torch.no_grad():
        _, cache = model.run_with_cache(
            tokens, names_filter=hook_names, stop_at_layer=None if last is None else last + 1
        )
    return {name: cache[name].flatten(2) for name in hook_names}


def _replace(rows: torch.Tensor) -> Hook:
    """A hook that replaces all activations except BOS's by rows [B, context - 1, d_in], split into heads if need be."""

    def hook(activation: torch.Tensor, hook: object) -> torch.Tensor:
        new = activation.flatten(2).clone()
        new[:, 1:] = rows.to(new.device, new.dtype)
        return new.view(activation.shape)

    return hook


def _log_probs(logits: torch.Tensor) -> torch.Tensor:
    return logits.float().log_softmax(-1)


def _cross_entropy(log_probs: torch.Tensor, tokens: torch.Tensor) -> float:
    """Summed over the tokens that follow one other than BOS."""
    return -log_probs[:, 1:-1].gather(-1, tokens[:, 2:, None]).double().sum().item()


def _kl(before: torch.Tensor, after: torch.Tensor) -> float:
    """KL(before || after), summed over all tokens except BOS."""
    before, after = before[:, 1:], after[:, 1:]
    return (before.exp() * (before - after)).sum(-1).double().sum().item()
