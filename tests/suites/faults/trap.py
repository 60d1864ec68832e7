"""Stops a process tree at each of its durable effects and asks what is to happen: seccomp user notification.

The kernel itself hands over every call of the listed kind, of the whole tree and in one order, before it is carried
out; nothing is patched and no tracer is needed. Linux 5.5 or newer; as an ordinary user too.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# name: (x86_64, aarch64, (dirfd argument or None, path argument) or an fd argument); None: not there, or no file
_CALLS: dict[str, tuple[int | None, int, int | tuple[int | None, int] | None]] = {
    "fsync": (74, 82, 0),
    "fdatasync": (75, 83, 0),
    "ftruncate": (77, 46, 0),
    "rename": (82, -1, (None, 1)),
    "renameat": (264, 38, (2, 3)),
    "renameat2": (316, 276, (2, 3)),
    "link": (86, -1, (None, 1)),
    "linkat": (265, 37, (2, 3)),
    "symlink": (88, -1, (None, 1)),
    "symlinkat": (266, 36, (1, 2)),
    "unlink": (87, -1, (None, 0)),
    "unlinkat": (263, 35, (0, 1)),
    "rmdir": (84, -1, (None, 0)),
    "mkdir": (83, -1, (None, 0)),
    "mkdirat": (258, 34, (0, 1)),
    "connect": (42, 203, None),
    "execve": (59, 221, (None, 0)),
    "execveat": (322, 281, (0, 1)),
}
# What else needs room on a disk; opening only where it may create.
_ROOM: dict[str, tuple[int | None, int, int | tuple[int | None, int] | None]] = {
    "write": (1, 64, 0),
    "pwrite64": (18, 68, 0),
    "writev": (20, 66, 0),
    "sendfile": (40, 71, 0),
    "copy_file_range": (326, 285, 2),
    "open": (2, -1, (None, 0)),
    "openat": (257, 56, (0, 1)),
}
_ARCHES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
_LOAD, _JEQ, _JSET, _RET = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_O_CREAT = 0o100
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5
_PR_SET_NO_NEW_PRIVS = 38
_RECV, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_NOTICE = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_AT_FDCWD = -100
MAX_PATH = 4096


class NotPermitted(Exception):
    """This machine has no seccomp user notification, or does not allow it; the text says which."""


@dataclass(frozen=True)
class Effect:
    """One call that has not been carried out yet."""

    pid: int
    name: str
    path: str  # of the file or folder it changes; "" for a connection


# What the call is to do: nothing special (None), or fail with this errno.
Handler = Callable[[Effect], int | None]


def shut_in(channel: socket.socket) -> None:
    """Put this process and all its descendants into a new trap, whose other end goes through `channel` with its pid.

    Raises:
        NotPermitted: the kernel refuses.
    """
    known = _ARCHES.get(platform.machine())
    if known is None:
        raise NotPermitted(f"no table of system calls for {platform.machine()}")
    column, arch, number = known
    steps = _program(column, arch, {**_CALLS, **_ROOM})
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    listener = -1
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        for alone in (False, True):  # without CAP_SYS_ADMIN only for one who gains no privilege any more
            if alone:
                libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            listener = libc.syscall(number, 1, flags, program)
            if listener >= 0:
                break
        if listener >= 0:
            break
    if listener < 0:
        raise NotPermitted(f"seccomp user notification: {os.strerror(ctypes.get_errno())}")
    socket.send_fds(channel, [json.dumps({"pid": os.getpid()}).encode()], [listener])
    os.close(listener)


def _program(column: int, arch: int, calls: dict) -> list[tuple[int, int, int, int]]:
    steps = [(_LOAD, 0, 0, 4), (_JEQ, 1, 0, arch), (_RET, 0, 0, _ALLOW), (_LOAD, 0, 0, 0)]
    for name, call in calls.items():
        if call[column] < 0:
            continue
        if name in ("open", "openat"):
            flags = 16 + 8 * (1 if name == "open" else 2)
            steps += [
                (_JEQ, 0, 5, call[column]),
                (_LOAD, 0, 0, flags),
                (_JSET, 0, 1, _O_CREAT),
                (_RET, 0, 0, _NOTIFY),
                (_LOAD, 0, 0, 0),
                (_JEQ, 0, 0, 0),
            ]
        else:
            steps += [(_JEQ, 0, 1, call[column]), (_RET, 0, 0, _NOTIFY)]
    return [*steps, (_RET, 0, 0, _ALLOW)]


class Trap(threading.Thread):
    """Answers the calls of one tree until nobody of it is left."""

    def __init__(self, listener: int, handler: Handler) -> None:
        super().__init__(daemon=True)
        self._listener, self._handler = listener, handler
        column = _ARCHES[platform.machine()][0]
        self._names = {call[column]: (name, call[2]) for name, call in {**_CALLS, **_ROOM}.items() if call[column] >= 0}
        self._namespace = os.readlink("/proc/self/ns/pid")
        self.empty = threading.Event()
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        try:
            while True:
                ((_, said),) = poll.poll()
                if said & select.POLLIN:
                    self._answer()
                elif said & (select.POLLHUP | select.POLLERR):
                    break
        except BaseException as error:
            self.error = error
        finally:
            os.close(self._listener)
            self.empty.set()

    def _answer(self) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._listener, _RECV, notice)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):  # killed meanwhile
                return
            raise
        number, pid, _, call, _, _, *arguments = _NOTICE.unpack(notice)
        failure = None
        effect = self._effect(pid, call, arguments)
        if effect is not None:
            failure = self._handler(effect)
        answer = _ANSWER.pack(number, 0, -failure if failure else 0, 0 if failure else _CONTINUE)
        try:
            fcntl.ioctl(self._listener, _SEND, bytearray(answer))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _effect(self, pid: int, call: int, arguments: list[int]) -> Effect | None:
        """None for what happens inside a sandbox, or to a process that is gone."""
        name, where = self._names[call]
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") != self._namespace:
                return None
            return Effect(pid, name, _path(pid, where, arguments))
        except OSError:
            return None


def _path(pid: int, where: int | tuple[int | None, int] | None, arguments: list[int]) -> str:
    if where is None:
        return ""
    if isinstance(where, int):
        return os.readlink(f"/proc/{pid}/fd/{arguments[where]}")
    folder, place = where
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(arguments[place])
        text = os.fsdecode(memory.read(MAX_PATH).partition(b"\0")[0])
    if text.startswith("/"):
        return text
    handle = _AT_FDCWD if folder is None else ctypes.c_int(arguments[folder] & 0xFFFFFFFF).value
    base = os.readlink(f"/proc/{pid}/cwd" if handle == _AT_FDCWD else f"/proc/{pid}/fd/{handle}")
    return str(Path(base, text))
