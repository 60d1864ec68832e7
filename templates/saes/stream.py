"""Reads rows that are made while a training runs. They arrive on standard input, in the form of a shard's rows.

The data folder holds a sample of such rows, which sets the bias and the scale as for cached rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from saes.sequential import ShardRows

ROWS = 4096  # rows that are read at a time


class StreamRows(ShardRows):
    """Like ShardRows, but without an end, and every row comes once."""

    def __init__(self, folder: Path, device: str, ask: Path) -> None:
        """`folder` holds the sample; `ask` is the file into which the first wanted row is written for the runner."""
        super().__init__(folder, device)
        self._ask, self._asked = ask, False

    def from_row(self, start: int) -> Iterator[Tensor]:
        """Asks for the rows from number `start` on, and yields them in blocks as they arrive.

        Raises:
            RuntimeError: it was called before.
        """
        if self._asked:
            raise RuntimeError("streamed rows come only once: take all batches from one call of `batches`")
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
