"""Replace a file so that a reader, or the next process after a kill, sees the old text or the new one."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from agent.storage.locks import lock_at_once

SUFFIX = ".new"  # of hidden files that are being written


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside `path`, flush to disk, rename over it, flush the folder (made if it is missing)."""
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
    """Let every user of this machine read a folder and all below it: a sandbox has a user of its own.

    The umask of whoever started us says nothing about what a sandbox must see. Follows no link.
    """
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def open_beside(path: Path) -> tuple[int, str]:
    """A new file in the same folder. Its lock, gone with the handle, tells `sweep` that it is being written."""
    while True:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=SUFFIX, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, beside
        os.close(handle)  # swept between the two calls


def sweep(root: Path) -> None:
    """Remove what killed writers left beside their files, anywhere below a folder, if there is one."""
    for _, _, names, folder in os.fwalk(root) if root.is_dir() else ():
        for name in names:
            if name.startswith(".") and name.endswith(SUFFIX):
                _remove_abandoned(name, folder)


def _remove_abandoned(name: str, folder: int) -> None:
    try:
        handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:  # gone, or nothing of ours
        return
    try:
        if lock_at_once(handle):  # else its writer lives
            with suppress(FileNotFoundError):  # renamed just now
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
