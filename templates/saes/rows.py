"""The rows that experiments train on: one file, the shuffled shards of a language model's hook, or a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saes.sequential import ShardRows
from saes.stream import StreamRows


class Batches:
    """Shuffled batches [batch, d_in] of rows [N, d_in], epoch after epoch; its place can be saved and restored."""

    def __init__(self, rows: Tensor, batch: int, steps: int, device: str = "cpu") -> None:
        if batch > len(rows):
            raise ValueError(f"batch = {batch}: there are {len(rows)} rows")
        self._rows, self._batch, self._left, self._device = rows, batch, steps, device
        self._start, self._order, self._drawn_with = len(rows), rows.new_empty(0, dtype=torch.int64), None

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Tensor:
        if not self._left:
            raise StopIteration
        if self._start + self._batch > len(self._rows):
            self._shuffle()
        chosen = self._order[self._start : self._start + self._batch]
        self._start, self._left = self._start + self._batch, self._left - 1
        return self._rows.index_select(0, chosen).to(self._device, torch.float32, non_blocking=True)

    def _shuffle(self) -> None:
        self._drawn_with = _generator_state(self._rows.device)
        self._order, self._start = torch.randperm(len(self._rows), device=self._rows.device), 0

    def state(self) -> dict[str, Any]:
        """The place in the rows. It holds the generator's state instead of the epoch's order, so it is small."""
        return {"start": self._start, "left": self._left, "drawn_with": self._drawn_with}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a saved place. The random generator is then in the state after the epoch's shuffle."""
        if state["drawn_with"] is not None:
            _set_generator(self._rows.device, state["drawn_with"])
            self._shuffle()
        self._start, self._left = state["start"], state["left"]


def batches(rows: Tensor, batch: int, steps: int, device: str = "cpu") -> Batches:
    """Shuffled batches of rows [N, d_in], epoch after epoch, on the device. Rows may lie there or on the CPU."""
    return Batches(rows, batch, steps, device)


def _generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_generator(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


class FileRows:
    """The rows of activations.npy: on a GPU if they fit into half of its free memory, else read as needed."""

    scale = 1.0

    def __init__(self, path: Path, device: str) -> None:
        rows = np.load(path, mmap_mode="c")
        self._rows, self._device = torch.from_numpy(rows), device
        if device.startswith("cuda") and rows.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            self._rows = self._rows.to(device)

    def first(self, count: int) -> Tensor:
        return self._rows[:count].to(self._device).float()

    def batches(self, batch: int, steps: int) -> Batches:
        return batches(self._rows, batch, steps, self._device)


def open_rows(task: dict[str, Any]) -> FileRows | ShardRows:
    """The rows that the runner has put into the task's data folder, or that it streams.

    They have first(n), the first rows; batches(batch, steps); and scale, by which rows of a language model are divided.
    """
    data = Path(task["data"])
    if "feed" in task:
        return StreamRows(data / task.get("hook_name", ""), task["device"], Path(task["feed"]))
    if "hook_name" in task:
        return ShardRows(data / task["hook_name"], task["device"], task["seed"])
    return FileRows(data / "activations.npy", task["device"])
