"""Bounds the disk that all sessions share. Data sets that are not in use are removed, least recently used first.

Every process that uses a data set locks its folder; the kernel releases the lock when the process ends. The secrets of
worlds are never removed. Not here: what the cache contains (lab/worlds.py, lab/jobs/baselines.py).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from agent.core.numbers import counted
from agent.storage.locks import lock_at_once

GB = 1e9
PROBES = "saebench"  # folder of what autoencoders of one language model share in sae-bench's evaluations
TURN = "turn.lock"  # lock file in it, held while an autoencoder is evaluated
GONE = ".gone-"  # prefix of folders that are being removed; after a kill the next removal finishes them


@dataclass(frozen=True)
class Kept:
    """One data set in the cache, or the remains of an unfinished build or removal."""

    path: Path
    size: int  # bytes on disk
    used: float  # when it was last used, in seconds since the epoch


def hold(folder: Path) -> int:
    """Lock a data set against removal until the returned handle is closed, and mark it as used now."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(handle, fcntl.LOCK_SH)
    with suppress(OSError):  # a cache that this user may only read
        os.utime(folder)
    return handle


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a data set, if it exists."""
    handle = hold(folder) if folder.is_dir() else None
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def data_sets(cache: Path) -> list[Kept]:
    """The data sets in the cache, least recently used first."""
    folders = [p for p in (cache / "data").glob("*") if p.is_dir() and not p.is_symlink()]
    return sorted((Kept(p, size_of(p), p.stat().st_mtime) for p in folders), key=lambda kept: kept.used)


def trim(cache: Path, limit_gb: float) -> list[Kept]:
    """Remove data sets that are not in use, oldest first, until the rest fits into the limit.

    Return the removed ones.
    """
    there = data_sets(cache)
    excess = sum(kept.size for kept in there) - limit_gb * GB
    gone = []
    for kept in there:
        if excess <= 0:
            break
        if _remove(kept.path):
            gone.append(kept)
            excess -= kept.size
    return gone


def make_room(cache: Path, needed: int, free: Callable[[Path], int] | None = None) -> list[Kept]:
    """Remove data sets that are not in use, oldest first, until `needed` bytes are free; return the removed ones.

    Nothing is removed if there is room already, or if removing all of them would not make enough.
    """
    measure = free or _free
    there = data_sets(cache)
    if measure(cache) + sum(kept.size for kept in there) < needed:
        return []
    gone = []
    for kept in there:
        if measure(cache) >= needed:
            break
        if _remove(kept.path):
            gone.append(kept)
    return gone


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def clean(cache: Path, *, busy: bool) -> str:
    """Remove everything that is not in use and return a line about it.

    With `busy`, a session is running, and results of baselines are kept.
    """
    there = data_sets(cache)
    gone = [kept for kept in there if _remove(kept.path)]
    results = [] if busy else sorted((cache / "baselines").glob("*.json"))
    probes = 0 if busy else _remove_probes(cache / PROBES)
    freed = sum(kept.size for kept in gone) + sum(path.stat().st_size for path in results) + probes
    for path in results:
        path.unlink(missing_ok=True)
    said = f"freed {size_text(freed)}: {counted(len(gone), 'data set')}, {counted(len(results), 'baseline result')}"
    if probes:
        said += ", sae-bench's probes"
    if len(gone) < len(there):
        said += f"; {counted(len(there) - len(gone), 'data set')} in use kept"
    if busy:
        said += "; baseline results kept, for a session is running"
    return said + ". Sessions and the secrets of worlds are untouched; data are drawn anew when they are needed."


def summary(cache: Path) -> str:
    """One line for a person: how much disk the cache takes, and for what."""
    there = data_sets(cache)
    results = len(list((cache / "baselines").glob("*.json")))
    probes = size_of(cache / PROBES)
    return (
        f"{size_text(sum(kept.size for kept in there) + probes)} in {cache}: {counted(len(there), 'data set')}, "
        f"{counted(results, 'baseline result')}{', probes of sae-bench' if probes else ''} (free it with --clean)"
    )


def size_text(size: float) -> str:
    """A size in bytes as text, e.g. "1.2 GB"."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / 1e6:.0f} MB"


def _remove(folder: Path) -> bool:
    """Remove a data set unless a process builds or uses it; return whether it was removed."""
    lock = FileLock(f"{folder.with_name(folder.name.removesuffix('.new'))}.lock")
    try:
        with lock.acquire(timeout=0):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if not lock_at_once(handle):
                    return False
                going = folder.with_name(GONE + folder.name.removeprefix(GONE))
                os.replace(folder, going)  # from here on no other process finds it
            finally:
                os.close(handle)
    except (Timeout, FileNotFoundError):
        return False
    shutil.rmtree(going, ignore_errors=True)
    return True


def _remove_probes(folder: Path) -> int:
    """Remove the probes unless an autoencoder is being evaluated; return how many bytes that freed."""
    if not folder.is_dir():
        return 0
    try:
        with FileLock(folder / TURN).acquire(timeout=0):
            places = [place for place in folder.iterdir() if place.is_dir()]
            freed = sum(map(size_of, places))
            for place in places:
                shutil.rmtree(place, ignore_errors=True)
            return freed
    except Timeout:
        return 0


def size_of(folder: Path) -> int:
    """Bytes on disk of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total
