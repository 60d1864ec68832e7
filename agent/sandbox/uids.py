"""A uid for each running sandbox when root starts it, so that foreign code never runs as real root."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.sandboxing import Mount
from agent.storage.locks import lock_at_once

RANGE = range(60_600, 61_000)  # used by no distribution, and mapped in containers of 65,536 ids
STATE = Path("/run/experiment-runner")  # root's own; forgotten at a restart, as the uids are


@dataclass
class Lease:
    """A uid nobody else runs under until release()."""

    uid: int
    handle: int

    def release(self) -> None:
        os.close(self.handle)


def lease() -> Lease:
    """The first uid of the range that no other sandbox on this machine holds."""
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
    """Where confine.py gathers the sources of a sandbox, in a mount namespace of its own."""
    return _own_folder(STATE / "stage")


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of a folder and all below it, however deep; follows no link, and keeps the mode."""
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
    """A read-only folder must be open to others: the sandbox's uid owns nothing of it. Files are copied if need be."""
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
    """Owners of all processes: a killed runner's sandbox may outlive its lock by a moment."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found.add(entry.stat().st_uid)
            except OSError:
                continue
    return found
