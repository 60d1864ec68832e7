"""Places on this machine: which training may run now, settled between all sessions of a user by kernel locks.

A pool is what trainings share: the cores, or the memory of one GPU. Each place of it is a file, and whoever holds the
lock on that file has the place, until its process ends, however it ends. Not here: what there is (inventory.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent.core.errors import InfrastructureError, mend
from agent.core.schema import Strict
from agent.storage.locks import is_locked, try_lock

VARIABLE = "EXPERIMENT_RUNNER_PLACES"  # a folder in the place of the usual one
TURN = ".turn"  # ends the name of the lock that the first in a pool's line holds while it waits
SHARED = 0o666  # as far as the umask lets: several users may have named one folder
LONGEST = 300  # characters that a holder says of itself
NAMED = 2  # holders, to one who waits


class Pool(Strict):
    """What trainings share: its places by name, and how many of them this training takes."""

    name: str  # "core", "gpu-0"
    places: tuple[str, ...]
    wanted: int
    visible: str = ""  # a GPU as CUDA_VISIBLE_DEVICES names it


class Places(Strict):
    """Where the locks lie, and the pools in any of which a training of the job may run."""

    folder: str
    pools: tuple[Pool, ...]

    @property
    def visible(self) -> str:
        """A GPU on which what is no training, such as a look at the machine, finds what all of them have."""
        return self.pools[0].visible


@dataclass(frozen=True)
class Taken:
    """Places that are held as long as one of the handles is open, here or in a process that inherited it."""

    visible: str
    handles: tuple[int, ...]

    def close(self) -> None:
        for handle in self.handles:
            os.close(handle)


@dataclass
class _Line:
    """The first of a pool's line: it alone takes places there, and keeps those it has until it has enough."""

    turn: int
    places: dict[str, int] = field(default_factory=dict)
    said: bool = False

    def close(self) -> None:
        for handle in (self.turn, *self.places.values()):
            os.close(handle)


class Claim:
    """One training's wait: `take` is asked again and again until it gives the places.

    Whoever waits stands first in the line of at most one pool, so that nobody waits for two that wait for each other.
    Who asks for the first time does not stand there yet: a job that just got a place lets others have the next.
    """

    def __init__(self, places: Places, who: str) -> None:
        self._folder, self._pools, self._who = Path(places.folder), places.pools, who
        self._lines: dict[str, _Line] = {}
        self._waits = False  # has asked before

    def take(self) -> Taken | None:
        """The places, if they are free now.

        Raises:
            InfrastructureError: the locks cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for pool in self._pools:
                if (line := self._in_line(pool)) and self._enough(pool, line):
                    return self._granted(pool, line)
            self._waits = True
        except OSError as error:
            raise InfrastructureError(
                f"{self._folder}: the places of this machine cannot be locked: {mend(error)} "
                f"({VARIABLE} names another folder)"
            ) from None
        return None

    def behind(self) -> str:
        """Who holds what this training waits for: two of them, and how many more."""
        names = {pool.name for pool in self._pools}
        found = [str(one) for one in holders(self._folder) if one.place in names and one.who != self._who]
        more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
        return "; ".join([*found[:NAMED], *more])

    def close(self) -> None:
        """Wait no longer."""
        for line in self._lines.values():
            line.close()
        self._lines = {}

    def _in_line(self, pool: Pool) -> _Line | None:
        if pool.name in self._lines:
            return self._lines[pool.name]
        turn = try_lock(self._folder / f"{pool.name}{TURN}", tries=1, mode=SHARED)
        if turn is None:
            return None
        self._lines[pool.name] = _Line(turn)
        return self._lines[pool.name]

    def _enough(self, pool: Pool, line: _Line) -> bool:
        for name in pool.places:
            if len(line.places) >= pool.wanted:
                break
            if name not in line.places and (handle := try_lock(self._folder / name, tries=1, mode=SHARED)) is not None:
                line.places[name] = handle
                _say(handle, self._who)
        if len(line.places) >= pool.wanted:
            return True
        if len(self._lines) > 1 or not self._waits:
            self._lines.pop(pool.name).close()
        elif not line.said:
            _say(line.turn, self._who)
            line.said = True
        return False

    def _granted(self, pool: Pool, line: _Line) -> Taken:
        taken = Taken(pool.visible, tuple(line.places.values()))
        line.places.clear()
        self.close()
        return taken


def folder() -> Path:
    """Where the places of this user on this machine lie, or will."""
    import platform

    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache or Path.home() / ".cache") / "experiment-runner" / "places" / (platform.node() or "localhost")


@dataclass(frozen=True)
class Holder:
    """Who holds places of a pool, or waits in its line."""

    place: str  # the pool's name
    count: int
    who: str
    waits: bool

    def __str__(self) -> str:
        times = f"{self.count} x " if self.count > 1 else ""
        return f"{times}{self.place}: {'next is ' if self.waits else ''}{self.who}"


def holders(where: Path) -> list[Holder]:
    """Who holds the places below a folder, and who is next, by pool."""
    found: dict[tuple[str, bool, str], int] = {}
    for name, who in _held(where):
        key = _pool_of(name), name.endswith(TURN), who
        found[key] = found.get(key, 0) + 1
    return [Holder(pool, count, who, waits) for (pool, waits, who), count in sorted(found.items())]


def _held(where: Path) -> Iterator[tuple[str, str]]:
    try:
        names = sorted(entry.name for entry in os.scandir(where))
    except OSError:
        return
    for name in names:
        if is_locked(where / name):
            text = _said(where / name)
            if text or not name.endswith(TURN):  # the turn of one that waits for nobody is held for an instant
                yield name, text or "a process that is just taking it"


def _said(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[:LONGEST].strip()
    except OSError:  # another user's
        return ""


def _pool_of(name: str) -> str:
    """Places are called after their pool: core-3, gpu-0.5."""
    return "core" if name.startswith("core") else name.partition(".")[0]


def _say(handle: int, who: str) -> None:
    text = f"{who}, since {datetime.now().astimezone():%H:%M:%S}\n".encode()[:LONGEST]
    os.ftruncate(handle, 0)
    os.pwrite(handle, text, 0)
