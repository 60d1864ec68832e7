"""Sends bytes to a sandboxed process and receives its answers, and enforces its limits while it waits."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from agent.core.protocols import SandboxProcess
from agent.core.sandboxing import Exit

POLL_S = 0.02
PIPE_BYTES = 1 << 16


class Ended(Exception):
    """The process ended before its last answer."""

    def __init__(self, end: Exit) -> None:
        super().__init__(f"the process ended: {end.reason}")
        self.end = end


class BadAnswer(Exception):
    """An answer cannot be used. `reason` is a stable code, the text is for the agent."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Channel:
    """Two pipes to a process. Every method raises Ended once it died, passed a limit or was cancelled."""

    def __init__(self, process: SandboxProcess, cancelled: Callable[[], bool]) -> None:
        assert process.stdin and process.stdout
        self._process, self._writes, self._reads = process, process.stdin, process.stdout
        self._cancelled = cancelled
        self._next_poll = 0.0
        for pipe in (self._writes, self._reads):
            os.set_blocking(pipe.fileno(), False)

    def send(self, data: bytes) -> None:
        """Write all of the data to the process."""
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
        """Read so many bytes from the process."""
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

    def look(self) -> None:
        """Enforce limits and cancellation while no bytes are exchanged."""
        if self._cancelled():
            raise Ended(self._process.kill())
        if (end := self._process.poll()) is not None:
            raise Ended(end)

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
        """How a process ended whose pipe was just closed; one that goes on after two seconds is killed."""
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            if (end := self._process.poll()) is not None:
                return end
            time.sleep(POLL_S)
        return self._process.kill()
