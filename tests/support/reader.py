"""launch.py run by another user, who owns none of the files, and on a read-only file system."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT

STRANGER = 54_321
WALLS = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]


def possible() -> bool:
    """Whether this process may change its user and mounts, as root may."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    return not subprocess.run([*WALLS, "mount --bind /usr /usr"], capture_output=True).returncode


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A temporary folder that every user can enter; other users cannot enter pytest's."""
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def read_as_stranger(*words: object, read_only: Path | None) -> subprocess.CompletedProcess[str]:
    """Runs launch.py as another user to its end; asserts that it prints no traceback."""
    command = [sys.executable, ROOT / "launch.py", *words]
    with shared_folder() as hold:
        script = [*_opened_up(hold), *_sealed(read_only)]
        user = f"setpriv --reuid={STRANGER} --regid={STRANGER} --clear-groups env HOME=/nonexistent"
        script.append(f"cd /; exec {user} {shlex.join(map(str, command))}")
        inherited = {name: value for name, value in os.environ.items() if name != "EXPERIMENT_RUNNER_KEYS"}
        done = subprocess.run(
            [*WALLS, "\n".join(script)], capture_output=True, text=True, timeout=250, env=inherited, check=False
        )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _sealed(place: Path | None) -> list[str]:
    return [f"mount --bind {place} {place}", f"mount -o remount,bind,ro {place}"] if place else []


def _opened_up(hold: Path) -> list[str]:
    """Shell commands that let the user reach Python and the checkout, if folders above them are closed to others."""
    needed = {Path(sys.base_prefix), Path(sys.prefix).resolve(), ROOT, Path(sys.executable).parent.resolve()}
    closed = {above for path in needed for above in path.parents if not above.stat().st_mode & 0o001}
    hidden = sorted(path for path in needed if closed & set(path.parents))
    keep = [f"mkdir {hold}/{n}; mount --bind {path} {hold}/{n}" for n, path in enumerate(hidden)]
    cover = [f"mount -t tmpfs -o mode=755 none {above}" for above in sorted(closed)]
    give = [f"mkdir -p {path}; mount --bind {hold}/{n} {path}" for n, path in enumerate(hidden)]
    return [*keep, *cover, *give]
