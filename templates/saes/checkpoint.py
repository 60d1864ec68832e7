"""Saves a training while it runs, so that it continues with the same bits after a kill or a restart of the machine.

task.json says where a checkpoint is saved. The runner takes it from there, and gives it back only to the same training.
A checkpoint holds everything that decides the rest of the training: the autoencoder with all of its attributes, the
optimizer, counters, the place in the data, the log, and the state of every random generator. Variables of an
experiment's module are not saved: keep what changes during training in attributes of the SAE.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

EVERY_S = 120.0  # seconds between two checkpoints, unless the setting `checkpoint_s` says otherwise
PAUSE = 20.0  # the pause after a checkpoint is at least this many times as long as it took to write


class Checkpoint:
    """Saves one training, and loads what an earlier process of it has saved."""

    def __init__(self, save: Path, load: Path | None, most_bytes: int, every_s: float = EVERY_S) -> None:
        self._save, self._load, self._most, self._every = save, load, most_bytes, every_s
        self._next = time.monotonic() + every_s

    @classmethod
    def of(cls, task: dict[str, Any]) -> Checkpoint | None:
        """The checkpoint that task.json describes; None if it describes none."""
        if (told := task.get("checkpoint")) is None:
            return None
        load = Path(told["load"]) if told["load"] else None
        return cls(Path(told["save"]), load, told["most_bytes"], task.get("checkpoint_s", EVERY_S))

    def loaded(self) -> dict[str, Any] | None:
        """What an earlier process saved; None at the beginning of a training. `go_on` sets the random generators."""
        return torch.load(self._load, weights_only=False) if self._load else None

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() >= self._next

    def save(self, state: dict[str, Any]) -> None:
        """Writes a temporary file and renames it. If that fails, says so once; the training continues without."""
        began, beside = time.monotonic(), self._save.with_name(f"{self._save.name}.part")
        bounded = _Bounded(beside, self._most)
        try:
            with bounded:
                torch.save({**state, "generators": _generators()}, bounded)
            os.replace(beside, self._save)
        except Exception as problem:  # pickle alone raises four kinds of exceptions
            beside.unlink(missing_ok=True)
            print(f"no checkpoints: this training cannot be saved: {bounded.full or problem}", file=sys.stderr)
            self._next = float("inf")
            return
        took = time.monotonic() - began
        self._next = time.monotonic() + max(self._every, PAUSE * took)


def become(module: torch.nn.Module, saved: torch.nn.Module) -> None:
    """Replaces a module's parameters, buffers and attributes by those of another one."""
    vars(module).clear()
    vars(module).update(vars(saved))


def go_on(generators: dict[str, Any]) -> None:
    """Sets every random generator to the state that it had when the checkpoint was saved."""
    random.setstate(generators["python"])
    np.random.set_state(generators["numpy"])
    torch.set_rng_state(generators["torch"])
    if generators["cuda"]:
        torch.cuda.set_rng_state_all(generators["cuda"])


def _generators() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


class _Bounded:
    """A file that refuses to grow past a bound, because the sandbox's limit would end the whole process."""

    def __init__(self, path: Path, most: int) -> None:
        self._file, self._left = path.open("wb"), most
        self.full = ""  # why the file was refused, once it was

    def write(self, data: Any) -> int:
        self._left -= memoryview(data).nbytes
        if self._left < 0:
            self.full = "it is larger than the limits of its template allow (file_mb, and a quarter of disk_mb)"
            raise ValueError(self.full)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def __enter__(self) -> _Bounded:
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the file when it is on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
