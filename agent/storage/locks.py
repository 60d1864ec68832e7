"""Kernel locks on files. The kernel releases a lock when the process that holds it ends, however it ends.

A lock file may lie in a folder that somebody else made, so it is opened without following links or waiting at a pipe.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from agent.core.errors import UserError

TRIES = 20  # 10 ms apart, because `is_locked` of another process holds the lock for an instant


def try_lock(path: Path, tries: int = TRIES, mode: int = 0o644) -> int | None:
    """Take the exclusive lock; return it as an open handle, or None if another process holds it.

    The file is made if it is missing. A caller that will try again later anyway passes `tries=1`.
    """
    handle = _opened(path, os.O_RDWR | os.O_CREAT, mode)
    for number in range(tries):
        if number:
            time.sleep(0.01)
        if lock_at_once(handle):
            return handle
    os.close(handle)
    return None


def _opened(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a lock file.

    Raises:
        UserError: it is a link or a pipe, or has a second name, so no session made it.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
        raise UserError(f"{path}: is not the lock file of a session ({error.strerror}); remove it") from None
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
        os.close(handle)
        raise UserError(f"{path}: is a link or a pipe, and not the lock file of a session; remove it")
    return handle


def lock_at_once(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return whether that succeeded."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock. It is tried as a shared lock, so that several may ask at once."""
    try:
        handle = _opened(path, os.O_RDONLY)
    except (FileNotFoundError, UserError):
        return False
    except PermissionError:
        return _is_listed(path)
    try:
        return not lock_at_once(handle, shared=True)
    finally:
        os.close(handle)


def _is_listed(path: Path) -> bool:
    """Whether the kernel lists a lock on the file; for users who may not open the file."""
    try:
        there = os.stat(path, follow_symlinks=False)
        listed = Path("/proc/locks").read_text().split()
    except OSError:
        return False
    return f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}" in listed


@contextmanager
def reading_lock(path: Path) -> Iterator[None]:
    """Keep other processes from working on a session while it is read; nothing is written.

    Raises:
        UserError: another living process works on the session.
    """
    try:
        handle = _opened(path, os.O_RDONLY)
    except OSError:  # no process ever worked on the session, or this user may not open the file
        if is_locked(path):
            raise UserError(_held(path)) from None
        yield
        return
    try:
        if not lock_at_once(handle, shared=True):
            raise UserError(_held(path))
        yield
    finally:
        os.close(handle)


def _held(path: Path) -> str:
    try:
        holder = path.read_text(encoding="utf-8", errors="replace")[:200].strip()
    except OSError:
        holder = ""
    name = path.parent.name
    return f"{name}: held by {holder or 'another process'}; wait for it, or watch it with --follow {name}"


def still_names(path: Path, handle: int) -> bool:
    """Whether `path` still is the file that the handle has open, and was not moved, removed or replaced."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except OSError:
        return False


@contextmanager
def session_lock(path: Path) -> Iterator[None]:
    """Hold a session, so that no other process works on it.

    Raises:
        UserError: another living process holds it.
    """
    handle = try_lock(path)
    if handle is None:
        raise UserError(_held(path))
    try:
        os.ftruncate(handle, 0)
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
