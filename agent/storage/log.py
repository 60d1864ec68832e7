"""The file events.jsonl: events are appended durably and read back, a line each.

Each line contains a short hash of the line before it (`before`) and the runner's signature of the line (`signed`), so
that a removed or changed line is found with its number. Lines of older versions contain neither.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import InfrastructureError, mend
from agent.core.protocols import Signer
from agent.core.schema import first_fault
from agent.session.events import ADAPTER, Event
from agent.storage import foreign
from agent.storage.atomic import sync_folder
from agent.storage.locks import still_names
from agent.storage.signing import LENGTH, holds

PURPOSE = "event"
SHORT = 32  # hex digits of a line's hash
FIRST = "0" * SHORT  # `before` of the first line
_LINK = re.compile(rb',"before":"([0-9a-f]{%d})"(,"signed":"([\w-]{%d})")?\}\Z' % (SHORT, LENGTH))


@dataclass(frozen=True)
class Line:
    """One line of the file, and its parts."""

    number: int
    text: bytes
    event: bytes  # the event alone, as JSON
    before: str  # hash of the line before; "" in a line of an older version
    signature: str  # "" if the line is not signed
    signed: bytes  # the bytes that the signature signs

    @classmethod
    def of(cls, number: int, text: bytes) -> Line:
        """Split a line into its parts; the event may be anything."""
        found = _LINK.search(text)
        if found is None:
            return cls(number, text, text, "", "", b"")
        body, before, signature = text[: found.start()], found[1].decode(), (found[3] or b"").decode()
        return cls(number, text, body + b"}", before, signature, _with_link(body, before))

    @property
    def hash(self) -> str:
        """The hash that the next line contains."""
        return hashlib.sha256(self.text).hexdigest()[:SHORT]


def _with_link(body: bytes, before: str) -> bytes:
    return body + b',"before":"%s"}' % before.encode()


class EventLog:
    """An append-only file. Every event is one write and one fdatasync. A last line that a kill cut off is dropped."""

    def __init__(self, path: Path, signer: Signer | None = None) -> None:
        self.path = path
        self._signer = signer
        self._fd: int | None = None
        self._last: Line | None = None  # the newest line, once the file is open

    def read(self) -> Iterator[Event]:
        """All whole events. Reading never changes the file, so it may happen while another process appends.

        Raises:
            InfrastructureError: a line other than a cut last one cannot be read, or does not follow the one before it.
        """
        for line in self.lines():
            try:
                yield ADAPTER.validate_json(line.event)
            except ValidationError as error:
                raise InfrastructureError(
                    f"{self.path}, line {line.number}: {first_fault(error)}; the log was changed by hand or written "
                    "by a newer version. Restore the line; nothing else is lost."
                ) from None

    def lines(self) -> Iterator[Line]:
        """All whole lines, after a check that each follows the one before it.

        Raises:
            InfrastructureError: one does not, or the file is not a log.
        """
        before, chained = FIRST, False
        for line in self._split():
            if (line.before or chained) and line.before != before:
                raise InfrastructureError(self._broken(line.number))
            chained = chained or bool(line.before)
            before = line.hash
            yield line

    def last(self) -> Line | None:
        """The last whole line, after a check of all lines."""
        return next(iter(deque(self.lines(), maxlen=1)), None)

    def head(self) -> tuple[int, str]:
        """The number of whole lines, and the hash of the last one."""
        last = self.last()
        return (last.number, last.hash) if last else (0, FIRST)

    def vouched(self, public: str) -> bool:
        """Whether the owner of this public key signed the last line, and thereby all lines before it."""
        last = self.last()
        return bool(last and last.signature and holds(public, last.signature, PURPOSE, last.signed))

    def check(self) -> None:
        """Check that the file is still the one that this process began to write.

        Raises:
            InfrastructureError: it was moved, removed or replaced; an append would start a new log.
        """
        if self._fd is not None and not still_names(self.path, self._fd):
            raise InfrastructureError(
                f"{self.path}: was moved, removed or replaced while this process worked on its session, which stops "
                "here; put it back, or resume the session where it lies now"
            )

    def append(self, event: Event) -> None:
        """Write an event, so that it survives a kill and a power cut.

        Raises:
            InfrastructureError: the file cannot be written, or is not the same any more.
        """
        self.check()
        handle = self._open()
        line = self._linked(ADAPTER.dump_json(event))
        text = line.text + b"\n"
        try:
            written = os.write(handle, text)
            if written != len(text):
                raise OSError(28, "no room for a whole event")
            os.fdatasync(handle)
        except OSError as error:
            self.close()  # the next open drops the cut line
            raise InfrastructureError(f"{self.path}: {mend(error)}") from None
        self._last = line

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _split(self) -> Iterator[Line]:
        try:
            data = foreign.read_file(self.path, foreign.LONGEST_LOG)
        except foreign.Missing:
            return
        except foreign.Closed as problem:
            raise InfrastructureError(f"{self.path}: {problem}") from None
        except foreign.Foreign as problem:
            raise InfrastructureError(f"{self.path}: {problem}; this is not the log of a session") from None
        whole = data[: data.rfind(b"\n") + 1]
        for number, text in enumerate(whole.split(b"\n")[:-1], start=1):
            yield Line.of(number, text)

    def _linked(self, event: bytes) -> Line:
        number, before = (self._last.number, self._last.hash) if self._last else (0, FIRST)
        text = _with_link(event[:-1], before)
        if self._signer:
            text = text[:-1] + b',"signed":"%s"}' % self._signer.sign(PURPOSE, text).encode()
        return Line.of(number + 1, text)

    def _broken(self, number: int) -> str:
        return (
            f"{self.path}, line {number}: does not follow line {number - 1}: a line there was removed or changed. "
            f"Restore it, or keep the {number - 1} lines before it and resume: what was finished since lies in the "
            "repository and is found again."
        )

    def _open(self) -> int:
        if self._fd is None:
            fresh = not self.path.exists()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            try:
                self._fd = os.open(self.path, flags, 0o644)
            except OSError as error:
                raise InfrastructureError(f"{self.path}: {error.strerror}; this is not the log of a session") from None
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                self.close()
                raise InfrastructureError(f"{self.path}: not a plain file; this is not the log of a session")
            self._drop_torn_tail(self._fd)
            self._last = self.last()
            if fresh:
                sync_folder(self.path.parent)
        return self._fd

    def _drop_torn_tail(self, fd: int) -> None:
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.ftruncate(fd, end)
            os.fdatasync(fd)
