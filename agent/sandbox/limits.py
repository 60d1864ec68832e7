"""Measures what a sandboxed process tree uses, and gives the limits that the kernel can enforce. It kills nothing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.manifest import Limits

MB = 1 << 20
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MAX_DEPTH = 40  # of folders below a writable mount
FREE_FLOOR_MB = 256  # a tree is stopped if less than this is free on the disk, even if it did not write there


def rlimits(limits: Limits, *, own_uid: bool) -> dict[str, int]:
    """Resource limits, by their names in the `resource` module.

    Without a uid of its own the tree shares the limit on processes with everything else that this user runs, so their
    number is added.
    """
    shared = 0 if own_uid else _threads_of(os.getuid())
    return {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.wall_s * (os.cpu_count() or 1)) + 60,  # of one process; the watcher acts earlier
        "RLIMIT_FSIZE": limits.file_mb * MB,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": 4096,
        "RLIMIT_NPROC": limits.processes + shared,
    }


def _threads_of(uid: int) -> int:
    count = 0
    for pid in pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count


# ---------------------------------------------------------------- processes


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def namespace_of(pid: int) -> str | None:
    """The identity of a process's pid namespace; None if the process has ended or may not be read."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def descendants(root: int) -> list[int]:
    """The pids of all descendants of a process."""
    children: dict[int, list[int]] = {}
    for pid in pids():
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot. Together with the pid this identifies one process for ever."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def stopped(pid: int, most: int = 300) -> list[int]:
    """Which of a process and its descendants were stopped (by SIGSTOP or a debugger); at most `most` are looked at."""
    found, waiting = [], [pid]
    while waiting and most:
        one, most = waiting.pop(), most - 1
        waiting += _children(one)
        found += [one] if (_stat(one) or [b""])[0] in (b"T", b"t") else []
    return sorted(found)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    except OSError:  # the process has ended, or this kernel does not list children
        pass
    return found


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat, from the process's state on; None if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


@dataclass
class Meter:
    """CPU time and memory of a process tree, by samples."""

    peak: int = 0  # largest memory so far, in bytes
    _own: dict[tuple[int, bytes], float] = field(default_factory=dict)
    _with_children: float = 0.0

    @property
    def cpu_s(self) -> float:
        """The larger of two lower bounds: each process as last seen, or living processes with their reaped children."""
        return max(sum(self._own.values()), self._with_children)

    def sample(self, members: Iterable[int], *, extra: int, limit: int) -> int:
        """The memory in use now, in bytes: anonymous and shared memory, and `extra` (files on the tree's own tmpfs).

        A cheap sum counts pages that forked processes share once for each process. Only if it exceeds the limit, the
        exact sum is taken, for which the kernel walks page tables.
        """
        members = list(members)
        total = extra
        with_children = 0.0
        for pid in members:
            fields = _stat(pid)
            if not fields:
                continue
            user, system, reaped_user, reaped_system = (int(fields[i]) * TICK_S for i in (11, 12, 13, 14))
            self._own[(pid, fields[19])] = user + system
            with_children += user + system + reaped_user + reaped_system
            total += _resident(pid)
        self._with_children = max(self._with_children, with_children)
        if total > limit:
            total = extra + sum(_proportional(pid) for pid in members)
        self.peak = max(self.peak, total)
        return total


def _resident(pid: int) -> int:
    return _sum_kb(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:"))


def _proportional(pid: int) -> int:
    exact = _sum_kb(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
    return exact or _resident(pid)


def _sum_kb(path: str, keys: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(keys))


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel has killed since boot because memory ran out; 0 if it does not say."""
    try:
        lines = vmstat.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


# ---------------------------------------------------------------- disk


@dataclass
class DiskUse:
    """What is below some folders: bytes on disk, and number of entries."""

    bytes: int = 0
    files: int = 0
    hidden: bool = False  # there are folders that are unreadable or too deep; no honest experiment makes such


def disk_use(folders: Iterable[Path], max_files: int) -> DiskUse:
    """Disk use and number of files below hostile folders. No link is followed; counting stops above `max_files`."""
    use = DiskUse()
    for folder in folders:
        try:
            if folder.is_dir():
                _count(use, _open_folder(str(folder), None), 0, max_files)
            elif folder.exists():
                use.bytes += folder.stat().st_blocks * 512
        except PermissionError:
            use.hidden = True
    return use


def _count(use: DiskUse, handle: int | None, depth: int, max_files: int) -> None:
    if handle is None:
        return
    try:
        below = []
        with os.scandir(handle) as entries:
            for entry in entries:
                try:
                    info = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it was removed meanwhile
                use.bytes += info.st_blocks * 512
                use.files += 1
                if use.files > max_files:
                    return
                if stat.S_ISDIR(info.st_mode):
                    below.append(entry.name)
        use.hidden |= depth >= MAX_DEPTH and bool(below)
        for name in below if depth < MAX_DEPTH else ():
            _count(use, _open_folder(name, handle), depth + 1, max_files)
    except FileNotFoundError:
        return
    except PermissionError:
        use.hidden = True
    finally:
        os.close(handle)


def _open_folder(name: str, above: int | None) -> int | None:
    """An open handle on a folder; None if it was removed or replaced by something else meanwhile."""
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise


def unlinked_bytes(members: Iterable[int], devices: set[int]) -> int:
    """Disk use, in bytes, of deleted files that a process of the tree still has open on these devices."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for pid in members:
        try:
            handles = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for handle in handles:
            try:
                info = os.stat(f"/proc/{pid}/fd/{handle}")
            except OSError:
                continue
            if info.st_nlink == 0 and info.st_dev in devices and (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                total += info.st_blocks * 512
    return total


def no_room(folder: Path) -> str:
    """The message for a person whose disk is nearly full."""
    return f"{folder}: less than {FREE_FLOOR_MB} MB are left on this disk; make room and resume"


def free_mb(folder: Path) -> float:
    """How many MB of the disk of `folder` are free for an ordinary user."""
    info = os.statvfs(folder)
    return info.f_bavail * info.f_frsize / MB
