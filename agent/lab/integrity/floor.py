"""What an untrained dictionary scores on a world: random unit rows, the k largest products of a row as latents.

Measured by the runner alone, once for each world and shape, and kept beside the data. Not here: the run that is
compared with it (measure.py hands over its metrics).
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

DRAWS = 8
CHANCE = 0.01  # that an untrained dictionary seems better than the floor in any of its metrics
CHUNK = 2048  # rows
Metrics = Mapping[str, float]


def untrained(
    evaluate_py: Path, evaluation: Any, truth: Any, data: Path, d_sae: int, k: int, settings: Mapping[str, Any]
) -> list[Metrics]:
    """Metrics of some random dictionaries with k latents a row; `data` is the world's folder, `settings` are those
    of the condition, for the truth may hang on them (a layer)."""
    asked = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()
    kept = data / "floor" / f"{file_sha256(evaluate_py)[:16]}-{asked[:8]}-{d_sae}-{k}.json"
    if not kept.is_file():
        kept.parent.mkdir(exist_ok=True)
        write_text(kept, json.dumps([_draw(evaluation, truth, d_sae, k, draw) for draw in range(DRAWS)]))
    return json.loads(kept.read_text())


def at_floor(
    metrics: Metrics, floor: Sequence[Metrics], specs: Mapping[str, MetricSpec], constants: Sequence[Metrics] = ()
) -> str:
    """Says so if no metric of `specs` is better than chance explains; "" otherwise.

    Better means beyond the one-sided prediction bound of one more draw, shared out over the metrics: with many of
    them, one is always a little ahead by luck. `constants` have no spread of their own and must be beaten too. Metrics
    that have a target say nothing of training. Not seen: an initialisation better than random.
    """
    from scipy.special import stdtrit  # the same as scipy.stats's t.ppf, whose import takes half a second

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
    other = getattr(truth, "reconstructed", None)  # what a transcoder writes has a width of its own
    y = x if other is None else np.asarray(other)
    decoder = draw.normal(size=(d_sae, y.shape[1]))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    encoder = decoder if x.shape == y.shape else draw.normal(size=(d_sae, x.shape[1])) / x.shape[1] ** 0.5
    bias = y.mean(axis=0, dtype=np.float64)
    z = _largest(x - x.mean(axis=0, dtype=np.float64), encoder, min(k, d_sae))
    return {name: float(v) for name, v in evaluation.evaluate(x, z, z @ decoder + bias, decoder, truth).items()}


def _largest(x: np.ndarray, decoder: np.ndarray, k: int) -> csr_matrix:
    import numpy as np
    from scipy import sparse

    pieces = []
    for start in range(0, len(x), CHUNK):
        acts = np.maximum(x[start : start + CHUNK] @ decoder.T, 0.0)
        cut = np.partition(acts, -k, axis=1)[:, -k][:, None]
        pieces.append(sparse.csr_matrix(np.where(acts >= cut, acts, 0.0)))
    return sparse.vstack(pieces, format="csr")
