"""Gives each running sandbox a uid of its own if root starts it, so that foreign code never runs as root."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.sandboxing import Mount
from agent.storage.locks import lock_at_once

RANGE = range(60_600, 61_000)  # no distribution uses these, and containers with 65,536 ids have them
STATE = Path("/run/experiment-runner")  # belongs to root, and is empty after a restart of the machine


@dataclass
class Lease:
    """A uid that no other sandbox gets until release()."""

    uid: int
    handle: int

    def release(self) -> None:
        os.close(self.handle)


def lease() -> Lease:
    """Lease the first uid of the range that no sandbox and no process on this machine uses.

    Raises:
        InfrastructureError: all of them are in use.
    """
    folder = _own_folder(STATE / "uids")
    busy = _uids_in_use()
    for uid in RANGE:
        if uid in busy:
            continue
        handle = os.open(folder / str(uid), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if lock_at_once(handle):
            return Lease(uid, handle)
        os.close(handle)
    raise InfrastructureError(f"all {len(RANGE)} sandbox uids are in use; wait until other sessions end")


def stage_folder() -> Path:
    """The folder at which confine.py mounts the sources of a sandbox, in a mount namespace of its own."""
    return _own_folder(STATE / "stage")


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of a folder and of all below it. No link is followed; modes stay.

    Raises:
        InfrastructureError: that fails.
    """
    done = subprocess.run(
        ["chown", "-R", "-h", "-P", "--", f"{uid}:{uid}", os.fspath(folder.absolute())],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise InfrastructureError(f"{folder}: cannot be given to uid {uid}: {done.stderr.strip()[-200:]}")


def check_readable(mount: Mount) -> None:
    """Check that the sandbox's uid can read a read-only folder. Files are not checked, because confine.py copies them.

    Raises:
        InfrastructureError: other users may not read the folder.
    """
    mode = mount.source.stat().st_mode
    needed = stat.S_IROTH | stat.S_IXOTH
    if not mount.writable and stat.S_ISDIR(mode) and mode & needed != needed:
        raise InfrastructureError(
            f"{mount.source}: mode {stat.S_IMODE(mode):04o}, so the sandbox's own uid cannot read it; "
            f"run: chmod -R go+rX {mount.source}"
        )


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for part in (STATE, folder):
        info = part.lstat()
        if info.st_uid != 0 or not stat.S_ISDIR(info.st_mode) or info.st_mode & 0o022:
            raise InfrastructureError(f"{part}: only root may write there; remove it and start again")
        part.chmod(0o755)
    return folder


def _uids_in_use() -> set[int]:
    """The owners of all processes; the sandbox of a killed runner may live a moment longer than its lock."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found.add(entry.stat().st_uid)
            except OSError:
                continue
    return found
