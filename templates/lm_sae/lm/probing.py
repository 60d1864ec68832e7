"""Whether single latents represent concepts: k-sparse probing, and absorption (arXiv 2409.14507).

A labelling gives some rows a class, such as a token's topic or a word's first letter. On half of these rows latents are
chosen and probes fitted; the other half is scored. Only `absorption` uses the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

LEAST = 20  # rows that a class needs in each half; rarer classes are left out
SPLIT_GAIN = 0.03  # F1 that a further latent has to add to count as one of the concept's own
MOST_SPLITS = 5  # latents of its own that a concept may have
ALIGNED = 0.1  # cosine with the probe above which a latent may absorb
ABSORBERS = 3  # latents that may absorb a row together
ABSORBED = 0.4  # share of the row's distance along the probe that they have to supply
RIDGE = 1e-3  # weight of the squared weights in a probe's loss
FEW = 16  # weights up to which Newton's method is faster than L-BFGS


@dataclass(frozen=True)
class Labelling:
    """The classes of some rows."""

    rows: np.ndarray  # int64 [M]: numbers of rows of the evaluation
    classes: np.ndarray  # int64 [M]
    fits: np.ndarray  # bool [M]: True for the half on which latents are chosen and probes fitted

    def tasks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each class that has enough rows, with the rows that belong to it as bool [M]."""
        for number in np.unique(self.classes):
            has = self.classes == number
            if min((has & self.fits).sum(), (has & ~self.fits).sum(), (~has & self.fits).sum()) >= LEAST:
                yield int(number), has


def sparse_probing(z: sparse.csr_matrix, labellings: Mapping[str, Labelling], k: int) -> float:
    """Mean over all classes of the balanced accuracy of a logistic probe on the k latents that differ most by class."""
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
    """Logistic probes on the activations themselves, one for each class; they decide whether a row has the concept."""

    weights: np.ndarray  # float64 [classes, d_in]
    biases: np.ndarray  # float64 [classes]


def dense_probes(x: np.ndarray, labelling: Labelling) -> Probes:
    """Fits one logistic probe for each class to x [N, d_in]; the weights of classes that are too rare are zero."""
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
    """Mean over classes of the share of rows whose concept is represented only by latents of other things.

    Scored are the rows of the second half in which the dense probe finds the class. Such a row is absorbed if none of
    the class's own latents is active, and up to three other latents (decoder rows with a cosine of at least 0.1 with
    the probe) supply at least 0.4 of the row's distance from the mean of the other classes along the probe. A class's
    own latents are the one that differs most by class, and further ones as long as each adds 0.03 to the F1 of a probe
    on them (arXiv 2409.14507).
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
    """The latents that represent a class, as `absorption` defines them."""
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
    """All latents, sorted by the difference of their means inside and outside the class, the largest first."""
    inside, outside = (np.asarray(acts[rows].mean(axis=0)).ravel() for rows in (has & fits, ~has & fits))
    return np.argsort(-np.abs(inside - outside), kind="stable")


def _probe(columns: sparse.csc_matrix, has: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """The logits of all rows, by a probe that is fitted to the rows in `fits`."""
    values = columns.toarray()
    values = values / np.maximum(values[fits].std(axis=0), 1e-12)
    found = _logistic(values[fits], has[fits])
    return values @ found[:-1] + found[-1]


def _logistic(values: np.ndarray, has: np.ndarray) -> np.ndarray:
    """Weights and bias (last) of a logistic regression with a ridge penalty; both classes weigh the same in sum."""
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
    """The sum of each row's largest `count` positive entries."""
    total = np.zeros(rows.shape[0])
    for i, (start, stop) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
        total[i] = np.sort(rows.data[start:stop])[::-1][:count].clip(min=0).sum()
    return total


def halves(count: int, draw: np.random.Generator) -> np.ndarray:
    """bool [count], of which a random half is True."""
    return draw.permutation(count) < count // 2


def labelling_of(rows: np.ndarray, classes: np.ndarray, most: int, draw: np.random.Generator) -> Labelling:
    """A labelling of at most `most` of these rows, drawn at random."""
    chosen = np.sort(draw.permutation(len(classes))[:most])
    return Labelling(
        np.asarray(rows, np.int64)[chosen], np.asarray(classes, np.int64)[chosen], halves(len(chosen), draw)
    )
