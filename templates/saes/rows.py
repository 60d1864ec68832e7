"""The rows that experiments train on: one file of them, or the shuffled shards of a language model's hook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def batches(rows: Tensor, batch: int, steps: int, device: str = "cpu") -> Iterator[Tensor]:
    """Shuffled batches, epoch after epoch. Rows on the device are drawn there, others are carried over."""
    done = 0
    while done < steps:
        order = torch.randperm(len(rows), device=rows.device)
        for start in range(0, len(rows) - batch + 1, batch):
            if done == steps:
                return
            yield rows.index_select(0, order[start : start + batch]).to(device, torch.float32, non_blocking=True)
            done += 1


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

    def batches(self, batch: int, steps: int) -> Iterator[Tensor]:
        return batches(self._rows, batch, steps, self._device)


class ShardRows:
    """The shards of one hook, mapped one at a time, so that memory does not grow with them.

    The rows lie in random order over all shards; every epoch takes shards and the rows in them in a new order. What
    comes out is divided by `scale`: deviation one in a dimension on average, so that one learning rate serves all
    models and places.
    """

    def __init__(self, folder: Path, device: str) -> None:
        about = json.loads((folder / "about.json").read_text())
        self._shards = [folder / name for name in about["shards"]]
        self._bfloat16 = about["dtype"] == "bfloat16"  # kept as int16
        self._device = device
        self.scale: float = about["deviation"] / about["d_in"] ** 0.5

    def first(self, count: int) -> Tensor:
        return self._shard(self._shards[0])[:count].to(self._device).float() / self.scale

    def batches(self, batch: int, steps: int) -> Iterator[Tensor]:
        """A batch that a shard ends in is filled from the next, so that none is lost."""
        rest, done = None, 0
        while done < steps:
            for number in torch.randperm(len(self._shards)).tolist():
                rows = self._shard(self._shards[number])
                for chosen in torch.randperm(len(rows)).split(batch):
                    some = rows[chosen] if rest is None else torch.cat([rest, rows[chosen]])
                    rest = None if len(some) == batch else some[batch:] if len(some) > batch else some
                    if len(some) < batch:
                        continue
                    if done == steps:
                        return
                    yield some[:batch].to(self._device, torch.float32, non_blocking=True) / self.scale
                    done += 1

    def _shard(self, path: Path) -> Tensor:
        rows = torch.from_numpy(np.load(path, mmap_mode="c"))
        return rows.view(torch.bfloat16) if self._bfloat16 else rows


def open_rows(task: dict[str, Any]) -> FileRows | ShardRows:
    """Whatever the runner put into the task's data folder."""
    data = Path(task["data"])
    if "hook_name" in task:
        return ShardRows(data / task["hook_name"], task["device"])
    return FileRows(data / "activations.npy", task["device"])
