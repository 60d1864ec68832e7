"""Rows that are drawn while a training runs, so that it sees none twice. Only the runner runs it, outside the sandbox.

Rows depend only on the world, the secret and the seed, so every method gets the same rows in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch

from .prepare import CHUNK_BYTES, NOTE, WORLD, fill_torch_generator, loaded


def rows(settings: dict, truth_dir: Path, seed: int, start: int) -> Iterator[np.ndarray]:
    """Blocks of float32 rows [n, d_in] from row number `start` on. The seed of a block contains its number."""
    torch.set_num_threads(int(settings["threads"]))
    world = loaded(str(truth_dir / WORLD), str(settings["device"]))
    secret = json.loads((truth_dir / NOTE).read_text())["stream"]
    chunk = max(1, CHUNK_BYTES // (4 * world.cfg.num_features))
    first, skipped = divmod(start, chunk)
    for number in count(first):
        drawn_by = np.random.SeedSequence([*secret, seed, number])
        fill_torch_generator(drawn_by)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(int(drawn_by.generate_state(1, np.uint64)[0]))
        yield world.sample(chunk)[skipped:].float().cpu().numpy()
        skipped = 0
