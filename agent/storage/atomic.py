"""Replaces files atomically: a reader, and the next process after a kill, sees the old content or the new one."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from agent.storage.locks import lock_at_once

SUFFIX = ".new"  # of the hidden files that are being written


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a new file beside `path`, flush it to disk, and rename it to `path`. Missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = open_beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode("utf-8"), mode=mode)


def readable(folder: Path) -> None:
    """Let every user of this machine read a folder and all below it, because a sandbox has a user of its own.

    This process's umask does not matter. No link is followed.
    """
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def open_beside(path: Path) -> tuple[int, str]:
    """A new, locked file in the same folder, as (open handle, path). The lock keeps `sweep` from removing it."""
    while True:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=SUFFIX, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, beside
        os.close(handle)  # another process removed it between the two calls


def sweep(root: Path) -> None:
    """Remove the unfinished files that killed writers left below a folder, if the folder exists."""
    for _, _, names, folder in os.fwalk(root) if root.is_dir() else ():
        for name in names:
            if name.startswith(".") and name.endswith(SUFFIX):
                _remove_abandoned(name, folder)


def _remove_abandoned(name: str, folder: int) -> None:
    try:
        handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:  # it was removed, or it is no file of ours
        return
    try:
        if lock_at_once(handle):  # else its writer is alive
            with suppress(FileNotFoundError):  # its writer has just renamed it
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that new and renamed files in it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
