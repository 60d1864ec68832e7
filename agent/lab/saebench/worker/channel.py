"""Messages to and from the runner: lines of JSON, with arrays as plain bytes behind them. Needs numpy only."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, BinaryIO

import numpy as np


class Channel:
    """The messages: one request comes in; rows go out and latents come back; results go out."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        self._reads, self._writes = reads, writes
        self._turn = threading.Lock()

    @classmethod
    def of_standard_streams(cls) -> Channel:
        """A channel on standard input and output, from which everything else is redirected to standard error."""
        reads, writes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        return cls(reads, writes)

    def request(self) -> dict[str, Any]:
        return self._line()

    def send(self, message: dict[str, Any], data: bytes = b"") -> None:
        """Send a message, with bytes behind it."""
        self._writes.write(json.dumps(message).encode() + b"\n" + data)
        self._writes.flush()

    def encode(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The non-zero latents of float32 rows [n, d_in]: how many each row has, their columns, and their values."""
        rows = np.ascontiguousarray(rows, dtype="<f4")
        self.send({"encode": len(rows)}, rows.tobytes())
        stored = int(self._line()["latents"])
        return (
            np.frombuffer(self._bytes(4 * len(rows)), "<u4"),
            np.frombuffer(self._bytes(4 * stored), "<u4"),
            np.frombuffer(self._bytes(4 * stored), "<f4"),
        )

    def judge(self, messages: list[dict[str, str]]) -> str:
        """A language model's answer; sae-bench asks from several threads."""
        with self._turn:
            self.send({"judge": messages})
            return self._line()["reply"]

    def _line(self) -> dict[str, Any]:
        line = self._reads.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the runner is gone")
        return json.loads(line)

    def _bytes(self, size: int) -> bytes:
        data = self._reads.read(size)
        if len(data) < size:
            raise EOFError("the runner is gone")
        return data
