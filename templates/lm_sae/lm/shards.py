"""Writes activation rows to disk, shuffled over all shards; the memory that this takes does not grow with the rows.

A shard is a plain .npy file of float32, float16, or bfloat16 stored as int16 (numpy has no bfloat16).
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import torch

from agent import InfrastructureError

STORED = {"float32": np.float32, "float16": np.float16, "bfloat16": np.int16}
ABOUT = "about.json"


def bytes_needed(rows: int, d_in: int, dtype: str) -> int:
    """Bytes on disk of rows [rows, d_in]."""
    return rows * d_in * np.dtype(STORED[dtype]).itemsize


def check_disk(folder: Path, needed: int, what: str) -> str:
    """One line that says how much disk is needed and free.

    Raises:
        InfrastructureError: the disk has no room for it.
    """
    free = shutil.disk_usage(folder).free
    line = f"{what}: {needed / 1e9:.2f} GB on disk; {free / 1e9:.0f} GB are free in {folder}"
    if needed > free:
        raise InfrastructureError(f"{line}. Free some, choose a smaller profile, or another --workspace.")
    return line


class ShuffledShards:
    """Writes `rows` rows in a random order, all orders being equally likely.

    Each row goes to a shard that is drawn in proportion to the room that is left in it, and at the end each shard is
    put in random order. Together that is a uniform permutation; files are written and read sequentially, and at most
    one shard is in memory.
    """

    def __init__(
        self, folder: Path, rows: int, d_in: int, dtype: str, shard_rows: int, seed: int, d_out: int = 0
    ) -> None:
        """`d_out`: the width of a second activation, which follows the first in each row; 0 if there is none."""
        folder.mkdir(parents=True)
        self._folder, self._dtype, self._shape = folder, dtype, (rows, d_in + d_out)
        self._parts = [slice(0, d_in), *([slice(d_in, d_in + d_out)] if d_out else [])]
        count = math.ceil(rows / shard_rows)
        sizes = [rows // count + (i < rows % count) for i in range(count)]
        self._paths = [folder / f"{i:05d}.npy" for i in range(count)]
        self._room = np.array(sizes)  # rows that each shard still takes
        self._draw = np.random.default_rng(seed)
        self._squares, self._sum, self._seen = [0.0] * len(self._parts), np.zeros(d_in + d_out), 0
        for path, size in zip(self._paths, sizes, strict=True):
            self._header(path, size)

    @property
    def missing(self) -> int:
        """Rows that are still to be added."""
        return int(self._room.sum())

    def add(self, rows: torch.Tensor) -> None:
        """Adds rows [n, d_in + d_out]; those for which there is no room are left out."""
        rows = rows[: self.missing]
        self._look(rows)
        counts = self._draw.multivariate_hypergeometric(self._room, len(rows))
        order = self._draw.permutation(len(rows))
        stored = to_stored(rows, self._dtype)
        for path, chosen in zip(self._paths, np.split(order, counts.cumsum()[:-1]), strict=True):
            if len(chosen):
                with open(path, "ab") as file:
                    file.write(stored[chosen].tobytes())
        self._room -= counts

    def finish(self) -> None:
        """Puts each shard in random order, and writes what the folder holds into about.json.

        `deviation` is the root of the variance summed over dimensions, by which experiments scale the rows.
        """
        for path in self._paths:
            shard = np.load(path)
            self._draw.shuffle(shard)
            np.save(path, shard)
        means = [self._sum[part] / self._seen for part in self._parts]
        rms = [
            math.sqrt(squares / self._seen - float(mean @ mean))
            for squares, mean in zip(self._squares, means, strict=True)
        ]
        about = {
            "rows": self._shape[0],
            "d_in": len(means[0]),
            "dtype": self._dtype,
            "shards": [p.name for p in self._paths],
            "deviation": rms[0],
            **({"d_out": len(means[1]), "deviation_out": rms[1]} if len(means) > 1 else {}),
        }
        (self._folder / ABOUT).write_text(json.dumps(about, indent=1))

    def _look(self, rows: torch.Tensor) -> None:
        """Adds rows to the sums from which means and deviations are computed."""
        rows = rows.double()
        for index, part in enumerate(self._parts):
            self._squares[index] += rows[:, part].square().sum().item()
        self._sum += rows.sum(0).cpu().numpy()
        self._seen += len(rows)

    def _header(self, path: Path, size: int) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(STORED[self._dtype])),
            "fortran_order": False,
            "shape": (size, self._shape[1]),
        }
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)


def to_stored(rows: torch.Tensor, dtype: str) -> np.ndarray:
    """Rows as shards store them: bfloat16 as int16."""
    rows = rows.detach().to("cpu", getattr(torch, dtype)).contiguous()
    return rows.view(torch.int16).numpy() if dtype == "bfloat16" else rows.numpy()


def from_stored(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Stored rows as float32."""
    if dtype != "bfloat16":
        return stored.astype(np.float32)
    return torch.from_numpy(np.array(stored)).view(torch.bfloat16).float().numpy()
