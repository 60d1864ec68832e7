"""Metrics of SynthSAEBench (arXiv 2602.14687), which compare latents with the true features of the synthetic world.

Only the runner runs it, outside the sandbox.
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
    """Held-out rows and the true features that they were made of."""

    x: np.ndarray  # float32 [N, d_in]
    fires: sparse.csc_matrix  # bool [N, num_features]: whether the true feature fires in the row
    directions: np.ndarray  # float64 [num_features, d_in], unit rows
    parent: np.ndarray  # int64 [num_features]: the feature that fires whenever this one does; -1 for a root


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    """Reads what prepare.py wrote."""
    features = np.load(truth_dir / "features.npz", allow_pickle=False)
    acts = sparse.load_npz(truth_dir / "feature_acts.npz")
    return Truth(
        x=np.load(truth_dir / "x.npy", allow_pickle=False),
        fires=sparse.csc_matrix(acts > 0),
        directions=unit_rows(features["directions"].astype(np.float64)),
        parent=features["parent"],
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
    f1, precision, recall = detection(active, truth.fires, nearest)
    return {
        "f1": float(f1.mean()),
        "mcc": float(similarity[rows, columns].mean()),
        "uniqueness": len(np.unique(nearest)) / len(nearest),
        "explained_variance": explained_variance(x, x_hat),
        "l0": active.nnz / x.shape[0],
        "dead_latents": float((active.getnnz(axis=0) == 0).mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "absorption": absorption(active, truth, nearest),
        "shrinkage": shrinkage(x, x_hat),
        **f1_by_frequency(f1, nearest, truth.fires),
    }


def detection(
    active: sparse.csc_matrix, fires: sparse.csc_matrix, nearest: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F1, precision and recall of each latent as a detector of the true feature nearest to its decoder row.

    Each is [d_sae]; a latent or feature that never fires gives 0.
    """
    predicted = active.getnnz(axis=0).astype(np.float64)
    actual = fires.getnnz(axis=0).astype(np.float64)[nearest]
    both = np.asarray(active.multiply(fires[:, nearest]).sum(axis=0), dtype=np.float64).ravel()
    return share(2 * both, predicted + actual), share(both, predicted), share(both, actual)


def f1_by_frequency(f1: np.ndarray, nearest: np.ndarray, fires: sparse.csc_matrix) -> dict[str, float]:
    """Mean F1 over each third of the features, sorted by how often they fire.

    The F1 of a feature is the best F1 among the latents nearest to it, 0 if there is none.
    """
    best = np.zeros(fires.shape[1])
    np.maximum.at(best, nearest, f1)
    order = np.argsort(-fires.getnnz(axis=0), kind="stable")
    names = ("f1_frequent", "f1_middling", "f1_rare")
    return {name: float(best[third].mean()) for name, third in zip(names, np.array_split(order, 3), strict=True)}


def absorption(active: sparse.csc_matrix, truth: Truth, nearest: np.ndarray) -> float:
    """The share of rows in which a child feature fires and no latent of its parent is active.

    It is the mean over the parents that some latent is nearest to, 1 if there is none. After arXiv 2409.14507, with the
    true features in the place of probes.
    """
    count = truth.fires.shape[1]
    children = np.flatnonzero(truth.parent >= 0)
    of_parent = (np.ones(len(children)), (children, truth.parent[children]))
    child_fires = truth.fires.astype(np.float64) @ sparse.csc_matrix(of_parent, shape=(count, count)) > 0
    of_feature = (np.ones(len(nearest)), (np.arange(len(nearest)), nearest))
    detected = active.astype(np.float64) @ sparse.csc_matrix(of_feature, shape=(len(nearest), count)) > 0
    rows = child_fires.getnnz(axis=0).astype(np.float64)
    judged = np.intersect1d(nearest, np.flatnonzero(rows))
    seen = np.asarray(child_fires.multiply(detected).sum(axis=0), dtype=np.float64).ravel()
    return float(1.0 - share(seen, rows)[judged].mean()) if len(judged) else 1.0


def shrinkage(x: np.ndarray, x_hat: np.ndarray) -> float:
    """Mean of the reconstruction's length divided by the row's; rows shorter than 1e-8 are left out."""
    length = np.linalg.norm(x.astype(np.float64), axis=1)
    rows = length > 1e-8
    return float((np.linalg.norm(x_hat, axis=1)[rows] / length[rows]).mean())


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def explained_variance(x: np.ndarray, x_hat: np.ndarray) -> float:
    """1 - residual / variance about the mean, summed over dimensions, in double precision."""
    x = x.astype(np.float64)
    residual = np.square(x - x_hat).sum()
    return float(1.0 - residual / np.square(x - x.mean(axis=0)).sum())


def unit_rows(a: np.ndarray) -> np.ndarray:
    """Rows scaled to length one; a zero row stays zero."""
    return a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
