"""Rows that a language model makes while a training runs; they come through standard input in the form of a shard.

The data folder holds a sample of them, which sets bias and scale as it does for cached rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from saes.sequential import ShardRows

ROWS = 4096  # read at a time


class StreamRows(ShardRows):
    """As ShardRows, without an end and without a second epoch: every row comes once."""

    def __init__(self, folder: Path, device: str, ask: Path) -> None:
        super().__init__(folder, device)
        self._ask, self._asked = ask, False

    def from_row(self, start: int) -> Iterator[Tensor]:
        """Ask for the rows from this one on, and read them as they come."""
        if self._asked:
            raise RuntimeError("rows that a model makes come once: take all batches from one call of `batches`")
        self._asked = True
        beside = self._ask.with_name(f"{self._ask.name}.part")
        beside.write_text(json.dumps({"row": start}))
        os.replace(beside, self._ask)
        sample = self._shards[0]
        with os.fdopen(os.dup(0), "rb") as pipe:
            while len(read := pipe.read(ROWS * sample[:1].nbytes)) >= sample[:1].nbytes:
                whole = len(read) // sample[:1].nbytes
                rows = np.frombuffer(read, sample.dtype, whole * sample.shape[1])
                yield self._tensor(rows.reshape(whole, -1))
