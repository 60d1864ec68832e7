"""Temporary folders. Those that a killed process left are removed when the next session starts."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from agent.storage.locks import lock_at_once

PREFIX = "experiment-runner-"


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A tempfile.TemporaryDirectory that `sweep_folders` keeps as long as its process lives.

    `kind` is part of its name. It lies in `place`, or in the system's folder for temporary files if that is None.
    """

    def __init__(self, kind: str, place: Path | None = None) -> None:
        while True:
            super().__init__(prefix=f"{PREFIX}{kind}-", dir=place)
            handle = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.lexists(self.name):
                break
            os.close(handle)  # another process removed it between the two calls
        self._unlock = weakref.finalize(self, os.close, handle)

    def cleanup(self) -> None:
        super().cleanup()
        self._unlock()


def sweep_folders(place: Path | None = None) -> None:
    """Remove our temporary folders whose process has ended."""
    place = place or Path(tempfile.gettempdir())
    with os.scandir(place) as entries:
        found = [e.name for e in entries if e.name.startswith(PREFIX) and e.is_dir(follow_symlinks=False)]
    for name in found:
        _remove_abandoned(place / name)


def _remove_abandoned(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it was removed, or belongs to another user
        return
    try:
        if os.fstat(handle).st_uid == os.geteuid() and lock_at_once(handle):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
