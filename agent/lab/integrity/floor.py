"""The untrained floor: what dictionaries with random unit rows score, and whether a run is better than that.

A random dictionary's latents are the k largest products of its rows with an input. The runner measures the floor
itself, once for each world and shape, and keeps it beside the data. Not here: measuring the run
(measuring/dictionary.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from agent.core.metrics import MetricSpec
from agent.lab.built import file_sha256
from agent.storage.atomic import write_text

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

DRAWS = 8  # random dictionaries
CHANCE = 0.01  # that an untrained dictionary is called better than the floor in any of its metrics
CHUNK = 2048  # rows at a time
Metrics = Mapping[str, float]


def untrained(
    evaluate_py: Path, evaluation: Any, truth: Any, data: Path, d_sae: int, k: int, settings: Mapping[str, Any]
) -> list[Metrics]:
    """The metrics of DRAWS random dictionaries with d_sae latents, of which k are active in a row.

    Args:
        evaluate_py: the template's evaluation file, whose hash names the kept result.
        evaluation, truth: its module, and what its load_truth returned.
        data: the world's folder, below which the result is kept.
        settings: of the condition; the truth may depend on them (on a layer, for example).
    """
    asked = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()
    kept = data / "floor" / f"{file_sha256(evaluate_py)[:16]}-{asked[:8]}-{d_sae}-{k}.json"
    if not kept.is_file():
        kept.parent.mkdir(exist_ok=True)
        write_text(kept, json.dumps([_draw(evaluation, truth, d_sae, k, draw) for draw in range(DRAWS)]))
    return json.loads(kept.read_text())


def at_floor(
    metrics: Metrics, floor: Sequence[Metrics], specs: Mapping[str, MetricSpec], constants: Sequence[Metrics] = ()
) -> str:
    """A sentence if no metric of `specs` is better than chance explains; "" otherwise.

    Better means beyond the one-sided prediction bound for one more draw (Student's t). The chance is divided by the
    number of metrics (Bonferroni), because with many of them one is always a little ahead by luck.

    Args:
        metrics: of the run.
        floor: of untrained models, with a spread.
        specs: the metrics to compare; those that have a target are left out, because they say nothing about training.
        constants: metrics without a spread that must be beaten too.

    An initialisation that is better than random is not seen.
    """
    from scipy.special import stdtrit  # equals scipy.stats.t.ppf, whose import takes half a second

    signs = {name: 1.0 if spec.better == "higher" else -1.0 for name, spec in specs.items() if spec.better != "target"}
    if not signs:
        return ""
    count = len(floor)
    width = stdtrit(count - 1, 1 - CHANCE / len(signs)) * (1 + 1 / count) ** 0.5 if floor else 0.0
    for name, sign in signs.items():
        drawn = [sign * one[name] for one in floor]
        spread = [fmean(drawn) + width * stdev(drawn)] if drawn else []
        bound = max(*drawn, *spread, *(sign * one[name] for one in constants), -inf)
        if sign * metrics[name] > bound:
            return ""
    return f"no metric is better than what {len(floor)} untrained random dictionaries of this shape reach"


def _draw(evaluation: Any, truth: Any, d_sae: int, k: int, seed: int) -> dict[str, float]:
    import numpy as np

    x, draw = np.asarray(truth.x), np.random.default_rng(10_000 + seed)
    other = getattr(truth, "reconstructed", None)  # a transcoder reconstructs another activation, of another width
    y = x if other is None else np.asarray(other)
    decoder = draw.normal(size=(d_sae, y.shape[1]))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    encoder = decoder if x.shape == y.shape else draw.normal(size=(d_sae, x.shape[1])) / x.shape[1] ** 0.5
    bias = y.mean(axis=0, dtype=np.float64)
    z = _largest(x - x.mean(axis=0, dtype=np.float64), encoder, min(k, d_sae))
    return {name: float(v) for name, v in evaluation.evaluate(x, z, z @ decoder + bias, decoder, truth).items()}


def _largest(x: np.ndarray, decoder: np.ndarray, k: int) -> csr_matrix:
    """The k largest positive products of each row of x [N, d_in] with the rows of decoder [d_sae, d_in]."""
    import numpy as np
    from scipy import sparse

    pieces = []
    for start in range(0, len(x), CHUNK):
        acts = np.maximum(x[start : start + CHUNK] @ decoder.T, 0.0)
        cut = np.partition(acts, -k, axis=1)[:, -k][:, None]
        pieces.append(sparse.csr_matrix(np.where(acts >= cut, acts, 0.0)))
    return sparse.vstack(pieces, format="csr")
