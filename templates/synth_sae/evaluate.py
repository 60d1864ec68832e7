"""Metrics of SynthSAEBench (arXiv 2602.14687) against the world's true features. Runs in the runner.

Not here: encoding (done in a sandbox) and statistics over seeds (done by the runner).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Truth:
    """Held-out rows and what made them."""

    x: np.ndarray  # float32 [N, d_in]
    fires: sparse.csc_matrix  # bool [N, num_features]: does the true feature fire in this row?
    directions: np.ndarray  # float64 [num_features, d_in], unit rows


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    """Read what prepare.py wrote."""
    directions = np.load(truth_dir / "directions.npy", allow_pickle=False).astype(np.float64)
    acts = sparse.load_npz(truth_dir / "feature_acts.npz")
    return Truth(
        x=np.load(truth_dir / "x.npy", allow_pickle=False),
        fires=sparse.csc_matrix(acts > 0),
        directions=unit_rows(directions),
    )


def evaluate(
    x: np.ndarray, z: sparse.csr_matrix, x_hat: np.ndarray, decoder: np.ndarray, truth: Truth
) -> dict[str, float]:
    """All metrics of one artefact. Shapes: x, x_hat [N, d_in]; z [N, d_sae]; decoder [d_sae, d_in].

    A latent counts as active where it is not exactly zero.
    """
    active = sparse.csc_matrix(z != 0)
    similarity = np.abs(unit_rows(decoder.astype(np.float64)) @ truth.directions.T)  # [d_sae, num_features]
    nearest = similarity.argmax(axis=1)
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return {
        "f1": float(f1_per_latent(active, truth.fires, nearest).mean()),
        "mcc": float(similarity[rows, columns].mean()),
        "uniqueness": len(np.unique(nearest)) / len(nearest),
        "explained_variance": explained_variance(x, x_hat),
        "l0": active.nnz / x.shape[0],
        "dead_latents": float((active.getnnz(axis=0) == 0).mean()),
    }


def f1_per_latent(active: sparse.csc_matrix, fires: sparse.csc_matrix, nearest: np.ndarray) -> np.ndarray:
    """F1 of each latent as a detector of the true feature its decoder row is nearest to; [d_sae]."""
    predicted = active.getnnz(axis=0).astype(np.float64)
    actual = fires.getnnz(axis=0).astype(np.float64)[nearest]
    both = np.asarray(active.multiply(fires[:, nearest]).sum(axis=0), dtype=np.float64).ravel()
    total = predicted + actual
    return np.divide(2 * both, total, out=np.zeros_like(total), where=total > 0)


def explained_variance(x: np.ndarray, x_hat: np.ndarray) -> float:
    """1 - residual / variance about the mean, summed over dimensions, in double precision."""
    x = x.astype(np.float64)
    residual = np.square(x - x_hat).sum()
    return float(1.0 - residual / np.square(x - x.mean(axis=0)).sum())


def unit_rows(a: np.ndarray) -> np.ndarray:
    """Rows scaled to length one; a zero row stays zero."""
    return a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
