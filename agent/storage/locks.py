"""Kernel locks on files. A lock is gone with the process that held it, however that ended."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from agent.core.errors import UserError

TRIES = 20  # of 10 ms: somebody who only asks holds the shared lock for an instant


def try_lock(path: Path) -> int | None:
    """The exclusive lock as an open handle, None when another process holds it. Makes the file."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for _ in range(TRIES):
        if lock_at_once(handle):
            return handle
        time.sleep(0.01)
    os.close(handle)
    return None


def lock_at_once(handle: int, *, shared: bool = False) -> bool:
    """Lock what an open handle names, unless that would mean to wait."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the file. Asks with a shared lock, so that askers do not disturb each other."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not lock_at_once(handle, shared=True)
    finally:
        os.close(handle)


@contextmanager
def session_lock(path: Path) -> Iterator[None]:
    """Hold a session.

    Raises:
        UserError: another living process holds it.
    """
    handle = try_lock(path)
    if handle is None:
        holder = path.read_text(encoding="utf-8", errors="replace")[:200].strip() or "another process"
        raise UserError(
            f"{path.parent.name}: held by {holder}; wait for it, or watch it with --follow {path.parent.name}"
        )
    try:
        os.ftruncate(handle, 0)
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
