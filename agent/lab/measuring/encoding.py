"""Latents of held-out rows, computed by code nobody trusts: the runner's side of encode_worker.py.

Everything that comes back is checked before it is used. Not here: what a disagreement means (measure.py).
"""

from __future__ import annotations

import math
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from agent.core.protocols import Exit, SandboxProcess

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

REQUEST = struct.Struct("<4sII")
ANSWER = struct.Struct("<4sIIQ")
BATCH = 1024  # rows sent at a time
POLL_S = 0.02
PIPE_BYTES = 1 << 16
CLOSE = 1e-4  # of the row's largest latent: float32 sums in another order differ by some 1e-6
ODD_ROWS = 1e-3  # share of rows that may still differ: a near tie at a threshold flips a latent


class BadLatents(Exception):
    """The answers cannot be used. `reason` is a stable code, the text is for the agent."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Ended(Exception):
    """The process was gone before its last answer."""

    def __init__(self, end: Exit) -> None:
        super().__init__(f"the process ended: {end.reason}")
        self.end = end


def encode_rows(
    process: SandboxProcess,
    x: np.ndarray,
    order: np.ndarray,
    batches: Iterator[int],
    d_sae: int,
    max_l0: int,
    cancelled: Callable[[], bool],
) -> csr_matrix:
    """Send the rows of x in this order, in batches of these sizes; latents [N, d_sae] in the order of x.

    Raises:
        BadLatents: an answer is malformed, not finite or too dense.
        Ended: the process died, passed a limit or was cancelled.
    """
    import numpy as np
    from scipy import sparse

    channel = _Channel(process, cancelled)
    pieces, start = [], 0
    while start < len(order):
        rows = order[start : start + next(batches)]
        chunk = np.ascontiguousarray(x[rows], dtype=np.float32)
        channel.send(REQUEST.pack(b"ROWS", *chunk.shape) + chunk.tobytes())
        pieces.append(_answer(channel, len(rows), d_sae, max_l0))
        start += len(rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return sparse.vstack(pieces, format="csr")[back]


def disagreement(first: csr_matrix, second: csr_matrix) -> float:
    """Share of rows whose latents differ by more than float32 arithmetic explains."""
    import numpy as np

    scale = np.maximum(_row_max(first), _row_max(second))
    return float((_row_max(first - second) > CLOSE * scale).mean())


def agree(first: csr_matrix, second: csr_matrix) -> bool:
    return disagreement(first, second) <= ODD_ROWS


def varied_batches(draw: np.random.Generator) -> Iterator[int]:
    """Sizes spread evenly over the orders of magnitude; single rows among them."""
    yield 1
    while True:
        yield max(1, round(math.exp(draw.uniform(0, math.log(2 * BATCH)))))


def _row_max(z: csr_matrix) -> np.ndarray:
    return abs(z).max(axis=1).toarray().ravel()


def _answer(channel: _Channel, rows: int, d_sae: int, max_l0: int) -> csr_matrix:
    """Read one answer and believe nothing of it."""
    import numpy as np
    from scipy import sparse

    tag, got_rows, width, stored = ANSWER.unpack(channel.receive(ANSWER.size))
    if tag != b"LATS" or got_rows != rows:
        raise BadLatents("encode-malformed", "the answer is no frame of latents; does encode write to pipes?")
    if width != d_sae:
        raise BadLatents("encode-shape", f"SAE.encode gives {width} latents a row, W_dec has {d_sae} rows")
    if stored > rows * max_l0:
        raise BadLatents(
            "encode-dense", f"SAE.encode gives {stored / rows:.1f} non-zero latents a row; at most {max_l0} are allowed"
        )
    counts = np.frombuffer(channel.receive(4 * rows), dtype="<u4").astype(np.int64)
    columns = np.frombuffer(channel.receive(4 * stored), dtype="<u4").astype(np.int64)
    values = np.frombuffer(channel.receive(4 * stored), dtype="<f4").astype(np.float64)
    if counts.sum() != stored or (stored and columns.max() >= d_sae):
        raise BadLatents("encode-malformed", "the encoding process answered with latents that do not exist")
    if counts.max() > max_l0:
        raise BadLatents(
            "encode-dense", f"SAE.encode gives {counts.max()} non-zero latents in one row; at most {max_l0} are allowed"
        )
    if not np.isfinite(values).all():
        raise BadLatents("encode-not-finite", "SAE.encode gives NaN or infinite latents on held-out rows")
    z = sparse.csr_matrix((values, columns, np.concatenate([[0], counts.cumsum()])), shape=(rows, d_sae))
    if not z.has_canonical_format:
        raise BadLatents("encode-malformed", "the encoding process named a latent twice in one row")
    return z


class _Channel:
    """Bytes to and from a process whose limits hold while we wait for it."""

    def __init__(self, process: SandboxProcess, cancelled: Callable[[], bool]) -> None:
        assert process.stdin and process.stdout
        self._process, self._writes, self._reads = process, process.stdin, process.stdout
        self._cancelled = cancelled
        self._next_poll = 0.0
        for pipe in (self._writes, self._reads):
            os.set_blocking(pipe.fileno(), False)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                if self._ready(reading=False):
                    rest = rest[os.write(self._writes.fileno(), rest[:PIPE_BYTES]) :]
            except (BrokenPipeError, ConnectionResetError):
                raise Ended(self._process.wait()) from None
            except BlockingIOError:
                continue

    def receive(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            if not self._ready(reading=True):
                continue
            try:
                piece = os.read(self._reads.fileno(), min(size - len(got), 1 << 20))
            except BlockingIOError:
                continue
            if not piece:
                raise Ended(self._end())
            got += piece
        return bytes(got)

    def _ready(self, reading: bool) -> bool:
        """Wait a moment for the pipe; enforce limits and cancellation meanwhile."""
        pipe = self._reads if reading else self._writes
        readers, writers, _ = select.select([pipe] if reading else [], [] if reading else [pipe], [], POLL_S)
        if time.monotonic() >= self._next_poll:
            self._next_poll = time.monotonic() + POLL_S
            if self._cancelled():
                raise Ended(self._process.kill())
            end = self._process.poll()
            if end is not None and not (readers or writers):
                raise Ended(end)
        return bool(readers or writers)

    def _end(self) -> Exit:
        """How it ended, soon after its pipe closed; a process that closed it on purpose is stopped."""
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            if (end := self._process.poll()) is not None:
                return end
            time.sleep(POLL_S)
        return self._process.kill()
