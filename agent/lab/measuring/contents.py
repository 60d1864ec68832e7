"""What an artefact's file holds: how much, how like another seed's, and whether any of it is training data.

Not here: whether that is believed (integrity/weights.py), and the decoder that is measured (artefact.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.lab.integrity import weights
from agent.lab.measuring.artefact import LARGEST, BadArtefact, check_header, tensor
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.measuring.verdict import Stopped
from agent.sandbox.harvest import one_line

if TYPE_CHECKING:
    import numpy as np

DECODER = "W_dec"
MOST_ROWS = 1024  # of a tensor that are looked up among the data
MOST_DATA = 65_536  # training rows they are looked up in


def facts(bench: Bench, saved: Path) -> dict[str, float]:
    """Numbers and bytes of the file, and its likeness to other seeds' artefacts of this job that exist by now.

    Of two trainings that run side by side, the later to be harvested sees the earlier one. A file that cannot be read
    has no facts: reading it for the measurement says why.
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
    """A dictionary's artefact holds parameters, not the rows that it was trained on.

    Looked at is every tensor but the decoder: its rows, its columns, and its numbers in rows of d_in. A sample of them
    is looked up in a sample of the training rows. In a tensor of the decoder's own size, which may have started at
    rows of data, more than half must be found.

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
    """A sample of the rows of length d_in that a tensor may be made of."""
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
    """A sample of the rows that the training had, from the first .npy file of such rows."""
    import numpy as np

    for path in sorted(Path(bench.job.train_data).rglob("*.npy")):
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if rows.ndim != 2 or rows.shape[1] % d_in:  # a transcoder's row holds two activations of this width
            continue
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), min(len(rows), MOST_DATA), replace=False))
        taken = np.asarray(rows[chosen])
        if taken.dtype == np.int16:  # bfloat16, which numpy lacks
            taken = (taken.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return _finite(taken.reshape(-1, d_in))
    return None


def _siblings(bench: Bench) -> Iterator[Path]:
    """Artefacts of this job's other seeds under the same condition."""
    for seed in bench.job.seeds:
        path = TrainingPaths.of(bench.job, seed, bench.condition.name).kept / bench.manifest.artefact
        if seed != bench.seed and path.is_file():
            yield path


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """By name; nothing of a file that is not safetensors, or not yet written to its end."""
    from safetensors import SafetensorError, safe_open

    try:
        check_header(path)
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (BadArtefact, SafetensorError, OSError, ValueError, TypeError):
        return {}


def _load(path: Path, name: str) -> np.ndarray | None:
    """One tensor as it was saved; None of a type that numpy lacks."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return tensor(path, file, name)
    except (BadArtefact, SafetensorError, OSError, ValueError, TypeError):
        return None


def _finite(values: np.ndarray) -> np.ndarray:
    import numpy as np

    with np.errstate(invalid="ignore"):  # bytes that were never numbers may be read as such
        bounded = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    return np.where(np.abs(bounded) < LARGEST, bounded, 0.0)
