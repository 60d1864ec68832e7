"""The rows that experiments train on: one file of them, or the shuffled shards of a language model's hook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saes.sequential import ShardRows
from saes.stream import StreamRows


class Batches:
    """Shuffled batches of rows, epoch after epoch; it can say where it is, and go on from there."""

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
        self._drawn_with = generator_state(self._rows.device)
        self._order, self._start = torch.randperm(len(self._rows), device=self._rows.device), 0

    def state(self) -> dict[str, Any]:
        """Small: an epoch's order is drawn again from the state of the generator."""
        return {"start": self._start, "left": self._left, "drawn_with": self._drawn_with}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; the generator is where the epoch began afterwards."""
        if state["drawn_with"] is not None:
            set_generator(self._rows.device, state["drawn_with"])
            self._shuffle()
        self._start, self._left = state["start"], state["left"]


def batches(rows: Tensor, batch: int, steps: int, device: str = "cpu") -> Batches:
    """Shuffled batches, epoch after epoch. Rows on the device are drawn there, others are carried over."""
    return Batches(rows, batch, steps, device)


def generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_generator(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


class FileRows:
    """activations.npy; on a GPU if half of its free memory holds it, else read from the disk as needed."""

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
    """Whatever the runner put into the task's data folder."""
    data = Path(task["data"])
    if "feed" in task:
        return StreamRows(data / task.get("hook_name", ""), task["device"], Path(task["feed"]))
    if "hook_name" in task:
        return ShardRows(data / task["hook_name"], task["device"], task["seed"])
    return FileRows(data / "activations.npy", task["device"])
