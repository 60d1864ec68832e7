"""What an artefact's file holds: its size, its likeness to other seeds' artefacts, and whether it holds training data.

Not here: whether a run with these facts is believed (integrity/weights.py), and reading the decoder (artefact.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.lab.integrity import weights
from agent.lab.measuring.artefact import LARGEST, BadArtefact, check_header, from_bfloat16, tensor
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.measuring.verdict import Stopped
from agent.sandbox.harvest import one_line

if TYPE_CHECKING:
    import numpy as np

DECODER = "W_dec"
MOST_ROWS = 1024  # rows of a tensor that are looked up among the training rows
MOST_DATA = 65_536  # training rows among which they are looked up


def facts(bench: Bench, saved: Path) -> dict[str, float]:
    """Facts about an artefact (`Training.artefact_facts`), compared with this job's other seeds harvested so far.

    `numbers` and `bytes` are its size; `aligned` and `matched` are the largest likeness to another seed (see
    integrity/weights.py), `compared` the count of numbers behind it. A file that cannot be read has no facts; reading
    it for the measurement reports why.
    """
    import numpy as np

    shapes = _shapes(saved)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    if not sizes:
        return {}
    found = {"numbers": float(sum(sizes.values())), "bytes": float(saved.stat().st_size)}
    name = DECODER if DECODER in sizes else max(sizes, key=lambda key: sizes[key])
    alike = [path for path in _siblings(bench) if _shapes(path).get(name) == shapes[name]]
    mine, others = _load(saved, name), [t for path in alike if (t := _load(path, name)) is not None]
    if mine is None or not others or mine.size < 2 or not np.issubdtype(mine.dtype, np.floating):
        return found
    mine, others = _finite(mine), [_finite(t) for t in others]
    found |= {"compared": float(mine.size), "aligned": max(weights.aligned(mine, t) for t in others)}
    if name == DECODER and mine.ndim == 2:
        found["matched"] = max(weights.matched(mine, t) for t in others)
    return found


def check_no_data(bench: Bench, saved: Path) -> None:
    """Check that a dictionary's artefact holds parameters and not the rows that it was trained on.

    For every tensor but the decoder, a sample of its rows, of its columns and of its numbers cut into rows of d_in is
    looked up in a sample of the training rows. A tensor of the decoder's size may have been initialised with rows of
    data, so there more than half must be found.

    Raises:
        Stopped: some tensor is made of training rows.
    """
    shapes = _shapes(saved)
    if len(shapes.get(DECODER, ())) != 2:
        return
    usual, d_in = math.prod(shapes[DECODER]), shapes[DECODER][1]
    suspects = [name for name, shape in shapes.items() if name != DECODER and math.prod(shape) > weights.FEW * d_in]
    data = _data(bench, d_in) if suspects else None
    if data is None:
        return
    for name in suspects:
        values = _load(saved, name)
        for rows in _layouts(values, d_in) if values is not None else ():
            hits = weights.rows_of_data(rows, data)
            if hits >= weights.FEW and (math.prod(shapes[name]) != usual or hits > len(rows) // 2):
                raise Stopped(
                    "refused",
                    "artefact-holds-data",
                    f"{one_line(name, 60)} holds rows of the training data: {hits} of {len(rows)} that were looked up "
                    f"among {len(data)} of them. An artefact holds parameters; remove the data from it.",
                )


def _layouts(values: np.ndarray, d_in: int) -> Iterator[np.ndarray]:
    """Samples of the rows of length d_in that a tensor may be made of, one for each way to cut it into rows."""
    import numpy as np

    if values.dtype.itemsize == 1 and values.size % 4 == 0:
        values = np.ascontiguousarray(values).reshape(-1).view(np.float32)
    shapes = [values.reshape(-1, d_in)] if values.size % d_in == 0 else []
    if values.ndim == 2 and values.shape[0] == d_in:
        shapes.append(values.T)
    draw = np.random.default_rng(0)
    for rows in shapes:
        chosen = draw.choice(len(rows), MOST_ROWS, replace=False) if len(rows) > MOST_ROWS else slice(None)
        yield _finite(rows[chosen])


def _data(bench: Bench, d_in: int) -> np.ndarray | None:
    """A sample of the training rows, from the first .npy file with rows of this width; None if there is none."""
    import numpy as np

    for path in sorted(Path(bench.job.train_data).rglob("*.npy")):
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # an array of Python objects
            continue
        if rows.ndim != 2 or rows.shape[1] % d_in:  # (a transcoder's row holds two activations of this width)
            continue
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), min(len(rows), MOST_DATA), replace=False))
        taken = np.asarray(rows[chosen])
        if taken.dtype == np.int16:  # bfloat16, which numpy lacks
            taken = from_bfloat16(taken.view(np.uint16))
        return _finite(taken.reshape(-1, d_in))
    return None


def _siblings(bench: Bench) -> Iterator[Path]:
    """Artefacts of this job's other seeds under the same condition."""
    for seed in bench.job.seeds:
        path = TrainingPaths.of(bench.job, seed, bench.condition.name).kept / bench.manifest.artefact
        if seed != bench.seed and path.is_file():
            yield path


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor by name; empty for a file that is not safetensors, or not yet completely written."""
    from safetensors import SafetensorError, safe_open

    try:
        check_header(path)
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (BadArtefact, SafetensorError, OSError, ValueError, TypeError):
        return {}


def _load(path: Path, name: str) -> np.ndarray | None:
    """One tensor as it was saved; None if it cannot be read or has a type that numpy lacks."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return tensor(path, file, name)
    except (BadArtefact, SafetensorError, OSError, ValueError, TypeError):
        return None


def _finite(values: np.ndarray) -> np.ndarray:
    """The values as float64, with those that are not finite or beyond LARGEST set to zero."""
    import numpy as np

    with np.errstate(invalid="ignore"):  # bytes that were never numbers may be read as such
        bounded = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    return np.where(np.abs(bounded) < LARGEST, bounded, 0.0)
