"""Do single latents stand for concepts? k-sparse probing, and absorption of a concept by latents of its parts.

A labelling gives some rows a class (a token's topic, a word's first letter). Half of its rows choose and fit, the
other half is what counts. Nothing here looks at an autoencoder's decoder but `absorption`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

LEAST = 20  # rows of a class in each half; rarer classes are left out
SPLIT_GAIN = 0.03  # of F1: a latent that adds less is no split of the concept
MOST_SPLITS = 5
ALIGNED = 0.1  # cosine with the probe from which on a latent may absorb
ABSORBERS = 3  # latents that may share one absorption
ABSORBED = 0.4  # share of the row's distance along the probe that they must supply
RIDGE = 1e-3
FEW = 16  # weights up to which the second derivative is worth its price


@dataclass(frozen=True)
class Labelling:
    """Classes of some rows."""

    rows: np.ndarray  # int64 [M], into the evaluation's rows
    classes: np.ndarray  # int64 [M]
    fits: np.ndarray  # bool [M]: the half that chooses and fits

    def tasks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each class with rows enough, and which rows have it."""
        for number in np.unique(self.classes):
            has = self.classes == number
            if min((has & self.fits).sum(), (has & ~self.fits).sum(), (~has & self.fits).sum()) >= LEAST:
                yield int(number), has


def sparse_probing(z: sparse.csr_matrix, labellings: Mapping[str, Labelling], k: int) -> float:
    """Balanced accuracy of a logistic probe on the k latents that tell a class best; mean over all classes."""
    scores = []
    for labelling in labellings.values():
        acts = z[labelling.rows].tocsc()
        for _, has in labelling.tasks():
            best = _ranked(acts, has, labelling.fits)[:k]
            says = _probe(acts[:, best], has, labelling.fits)[~labelling.fits] > 0
            truth = has[~labelling.fits]
            scores.append((says[truth].mean() + (~says[~truth]).mean()) / 2)
    return float(np.mean(scores))


@dataclass(frozen=True)
class Probes:
    """Dense probes on the activations themselves, one for each class: what "has the concept" means for a row."""

    weights: np.ndarray  # float64 [classes, d_in]
    biases: np.ndarray  # float64 [classes]


def dense_probes(x: np.ndarray, labelling: Labelling) -> Probes:
    """One logistic probe for each class; rows of zeros for classes that are too rare."""
    fitted = x[labelling.rows[labelling.fits]].astype(np.float64)
    mean, scale = fitted.mean(axis=0), max(float(fitted.std()), 1e-12)
    weights = np.zeros((int(labelling.classes.max()) + 1, x.shape[1]))
    biases = np.full(len(weights), -1.0)
    for number, has in labelling.tasks():
        found = _logistic((fitted - mean) / scale, has[labelling.fits])
        weights[number] = found[:-1] / scale
        biases[number] = found[-1] - mean @ weights[number]
    return Probes(weights, biases)


def absorption(x: np.ndarray, z: sparse.csr_matrix, decoder: np.ndarray, labelling: Labelling, probes: Probes) -> float:
    """Share of rows whose concept is carried by latents that do not stand for it; mean over classes.

    A row of the half that counts, whose dense probe sees its class, is absorbed if none of the class's own latents
    is active, and the at most three latents most along the probe (cosine at least 0.1) supply at least 0.4 of what
    the row is ahead of the other classes' mean along the probe. A class's own latents: the one that tells it best,
    and those that each add 0.03 to the F1 of a probe on them (arXiv 2409.14507).
    """
    acts = z[labelling.rows].tocsc()
    shares = []
    for number, has in labelling.tasks():
        direction = probes.weights[number] / max(np.linalg.norm(probes.weights[number]), 1e-12)
        points = x[labelling.rows].astype(np.float64)
        sees = points @ probes.weights[number] + probes.biases[number] > 0
        counted = np.flatnonzero(has & ~labelling.fits & sees)
        if not len(counted):
            continue
        own = _own_latents(acts, has, labelling.fits)
        ahead = (points[counted] - points[~has].mean(axis=0)) @ direction
        along = decoder @ direction
        along[along < ALIGNED] = 0.0
        along[own] = 0.0
        rows = acts[counted].tocsr()
        supplied = _largest(rows.multiply(along[None, :]).tocsr(), ABSORBERS)
        silent = np.asarray((rows[:, own] != 0).sum(axis=1)).ravel() == 0
        shares.append((silent & (supplied >= ABSORBED * ahead) & (ahead > 0)).mean())
    return float(np.mean(shares)) if shares else 0.0


def _own_latents(acts: sparse.csc_matrix, has: np.ndarray, fits: np.ndarray) -> np.ndarray:
    ranked = _ranked(acts, has, fits)[:MOST_SPLITS]
    best = 0.0
    for count in range(1, len(ranked) + 1):
        says = _probe(acts[:, ranked[:count]], has, fits)[fits] > 0
        f1 = 2 * (says & has[fits]).sum() / max((says.sum() + has[fits].sum()), 1)
        if count > 1 and f1 < best + SPLIT_GAIN:
            return ranked[: count - 1]
        best = f1
    return ranked


def _ranked(acts: sparse.csc_matrix, has: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """Latents by the difference of their means inside and outside the class."""
    inside, outside = (np.asarray(acts[rows].mean(axis=0)).ravel() for rows in (has & fits, ~has & fits))
    return np.argsort(-np.abs(inside - outside), kind="stable")


def _probe(columns: sparse.csc_matrix, has: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """Logits of every row, from a probe fitted to half of them."""
    values = columns.toarray()
    values = values / np.maximum(values[fits].std(axis=0), 1e-12)
    found = _logistic(values[fits], has[fits])
    return values @ found[:-1] + found[-1]


def _logistic(values: np.ndarray, has: np.ndarray) -> np.ndarray:
    """Weights and bias of a ridge logistic regression in which both classes weigh the same."""
    signs = np.where(has, 1.0, -1.0)
    share = np.where(has, 0.5 / max(has.sum(), 1), 0.5 / max((~has).sum(), 1))
    columns = np.column_stack([values, np.ones(len(values))])
    ridge = np.append(np.full(values.shape[1], RIDGE), 0.0)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (columns @ w)
        slope = -share * signs * expit(-margin)
        return share @ np.logaddexp(0, -margin) + (ridge * w) @ w / 2, slope @ columns + ridge * w

    def curvature(w: np.ndarray) -> np.ndarray:
        on = expit(columns @ w)
        return (columns * (share * on * (1 - on))[:, None]).T @ columns + np.diag(ridge)

    start = np.zeros(columns.shape[1])
    if len(start) <= FEW:
        return minimize(loss, start, jac=True, hess=curvature, method="trust-exact").x
    return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x


def _largest(rows: sparse.csr_matrix, count: int) -> np.ndarray:
    """Sum of each row's largest entries."""
    total = np.zeros(rows.shape[0])
    for i, (start, stop) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
        total[i] = np.sort(rows.data[start:stop])[::-1][:count].clip(min=0).sum()
    return total


def halves(count: int, draw: np.random.Generator) -> np.ndarray:
    """bool [count], half of them true."""
    return draw.permutation(count) < count // 2


def labelling_of(rows: np.ndarray, classes: np.ndarray, most: int, draw: np.random.Generator) -> Labelling:
    """At most so many of these rows, drawn at random."""
    chosen = np.sort(draw.permutation(len(classes))[:most])
    return Labelling(
        np.asarray(rows, np.int64)[chosen], np.asarray(classes, np.int64)[chosen], halves(len(chosen), draw)
    )
