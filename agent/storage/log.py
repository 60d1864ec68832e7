"""events.jsonl: append one line durably, read all lines back. Knows nothing of what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import InfrastructureError
from agent.session.events import ADAPTER, Event


class EventLog:
    """An append-only file. Every event is one write and one fdatasync; a torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def read(self) -> Iterator[Event]:
        """All whole events. Reading never changes the file: a follower may read while another appends.

        Raises:
            InfrastructureError: a line that is not the torn last one cannot be read.
        """
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield ADAPTER.validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise InfrastructureError(
                    f"{self.path}, line {number}: {where}: {first['msg']}; the log was changed by hand or written "
                    "by a newer version. Restore the line; nothing else is lost."
                ) from None

    def append(self, event: Event) -> None:
        line = ADAPTER.dump_json(event) + b"\n"
        try:
            written = os.write(self._open(), line)
            if written != len(line):
                raise OSError(28, "no room for a whole event")
            os.fdatasync(self._open())
        except OSError as error:
            self.close()  # the next open drops the torn tail
            raise InfrastructureError(f"{self.path}: {error.strerror}; make room and resume") from None

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        if self._fd is None:
            fresh = not self.path.exists()
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._drop_torn_tail(self._fd)
            if fresh:
                folder = os.open(self.path.parent, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        return self._fd

    def _drop_torn_tail(self, fd: int) -> None:
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.ftruncate(fd, end)
            os.fdatasync(fd)
