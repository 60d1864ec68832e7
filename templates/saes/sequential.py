"""Batches of rows that a source yields in blocks: shards on disk, or a language model that runs beside the training.

The place in the data is a number of rows, so a training can continue from any of them. For a GPU, a thread cuts and
pins batches while earlier ones are trained on.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

AHEAD = 4  # pinned batches that wait for a GPU
READ_BYTES = 64 << 20  # bytes of a shard that are read at a time
Source = Callable[[int], Iterator[Tensor]]  # number of a row -> blocks [n, d_in] from this row on


class SequentialBatches:
    """Batches in the order of their source, divided by `scale`; the place can be saved and restored."""

    def __init__(self, source: Source, batch: int, steps: int, device: str, scale: float | Tensor) -> None:
        self._source, self._batch, self._steps, self._device, self._scale = source, batch, steps, device, scale
        self._given = 0
        self._waiting: Iterator[Tensor] | None = None

    def __iter__(self) -> SequentialBatches:
        return self

    def __next__(self) -> Tensor:
        if self._given == self._steps:
            raise StopIteration
        if self._waiting is None:
            cut = self._cut(self._given)
            self._waiting = _ahead(cut) if self._device.startswith("cuda") else cut
        rows = next(self._waiting, None)
        if rows is None:
            raise ValueError(f"the rows end after {self._given * self._batch}; {self._steps * self._batch} are wanted")
        self._given += 1
        return rows.to(self._device, torch.float32, non_blocking=True) / self._scale

    def state(self) -> dict[str, Any]:
        return {"given": self._given}

    def restore(self, state: dict[str, Any]) -> None:
        self._given, self._waiting = state["given"], None

    def _cut(self, done: int) -> Iterator[Tensor]:
        """Batches on the CPU after the first `done`; the rest of a block forms a batch with the next block."""
        rest: Tensor | None = None
        for block in self._source(done * self._batch):
            some = block if rest is None else torch.cat([rest, block])
            whole = len(some) // self._batch * self._batch
            if whole:
                yield from some[:whole].split(self._batch)
            rest = some[whole:] if whole < len(some) else None


def _ahead(batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """The same batches in pinned memory; a thread prepares up to AHEAD of them in advance."""
    ready: queue.Queue[Tensor | Exception | None] = queue.Queue(AHEAD)

    def work() -> None:
        try:
            for batch in batches:
                ready.put(batch.pin_memory())
            ready.put(None)
        except Exception as error:
            ready.put(error)

    threading.Thread(target=work, daemon=True).start()
    while (batch := ready.get()) is not None:
        if isinstance(batch, Exception):
            raise batch
        yield batch


class ShardRows:
    """The shards of one hook, read from beginning to end, in memory that does not grow with them.

    The rows are already in random order over all shards. So the first epoch reads each shard as it is, in an order of
    the shards that depends on the seed. Later epochs use a new order of the shards, and shuffle each part of
    READ_BYTES. Batches are divided by `scale`, so that rows have deviation one in a dimension on average, and one
    learning rate suits all models and hooks. Pairs of two activations (transcode.py) have a scale for each entry, which
    is the same for all entries of one activation.
    """

    def __init__(self, folder: Path, device: str, seed: int = 0) -> None:
        about = json.loads((folder / "about.json").read_text())
        self._shards = [np.load(folder / name, mmap_mode="r") for name in about["shards"]]
        self._bfloat16 = about["dtype"] == "bfloat16"  # kept as int16
        self._device, self._seed = device, seed
        self.scale: float | Tensor = about["deviation"] / about["d_in"] ** 0.5
        if "d_out" in about:
            written = about["deviation_out"] / about["d_out"] ** 0.5
            parts = [torch.full((about["d_in"],), self.scale), torch.full((about["d_out"],), written)]
            self.scale = torch.cat(parts).to(device)

    def first(self, count: int) -> Tensor:
        return self._tensor(self._shards[0][:count]).to(self._device).float() / self.scale

    def batches(self, batch: int, steps: int) -> SequentialBatches:
        return SequentialBatches(self.from_row, batch, steps, self._device, self.scale)

    def from_row(self, start: int) -> Iterator[Tensor]:
        """Blocks of rows from number `start` on, counted over all epochs; without an end."""
        rows = sum(map(len, self._shards))
        epoch, skipped = divmod(start, rows)
        while True:
            draw = np.random.default_rng([self._seed, epoch])
            for number in draw.permutation(len(self._shards)):
                for block in self._read(self._shards[number], draw if epoch else None):
                    if skipped < len(block):
                        yield self._tensor(block[skipped:])
                    skipped = max(0, skipped - len(block))
            epoch += 1

    def _read(self, shard: np.ndarray, draw: np.random.Generator | None) -> Iterator[np.ndarray]:
        size = max(1, READ_BYTES // shard[:1].nbytes)
        for start in range(0, len(shard), size):
            block = shard[start : start + size]
            yield block if draw is None else block[draw.permutation(len(block))]

    def _tensor(self, stored: np.ndarray) -> Tensor:
        rows = torch.from_numpy(np.array(stored))
        return rows.view(torch.bfloat16) if self._bfloat16 else rows
