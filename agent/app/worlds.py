"""The worlds of a session: prepares their data, keeps them locked while runs need them, and bounds the cache.

A world is a data set drawn from a secret. All runs of a session are measured on the explored world, the confirmation on
fresh ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from agent.actions.runs import EXPLORED
from agent.core.manifest import Profile
from agent.core.paths import DataPaths, SessionPaths
from agent.core.template import Template
from agent.lab.own_worlds import Begun, OwnWorlds
from agent.session.tools import Journal
from agent.storage.cache import hold, make_room, size_of, size_text, trim

ROOM = 1.1  # free disk that is made before a further world is built, as a multiple of the explored world's size


class SessionWorlds:
    """Data of the cache that a session uses stay locked until `holds` is closed."""

    def __init__(
        self, paths: SessionPaths, cache: Path, journal: Journal, say: Callable[[str], None], holds: ExitStack
    ) -> None:
        self._cache, self._journal, self._say = cache, journal, say
        self._explored_locks = holds.enter_context(ExitStack())
        self._explored = self._worlds(paths, self._explored_locks)
        self._fresh = self._worlds(paths, holds)
        self.secret = self._fresh.secret

    def prepare(self, template: Template, profile: Profile, name: str, world: int) -> DataPaths:
        """The data of a world, which are built if the cache does not have them.

        With the first fresh world the confirmation has begun. No run trains on the explored world then, so it is
        unlocked.
        """
        if world == EXPLORED:
            begun = Begun(self._journal.session.data_key, self._journal.session.data_hashes)
            data = self._explored.data(template, name, profile, world, begun)
        else:
            self._explored_locks.close()
            data = self._fresh.data(template, name, profile, world, Begun())
        for gone in trim(self._cache, self._journal.session.options.cache_gb):
            self._say(f"  cache: {gone.path.name} removed ({size_text(gone.size)}), to stay within --cache-gb")
        return data

    def _worlds(self, paths: SessionPaths, locks: ExitStack) -> OwnWorlds:
        def lock(folder: Path) -> None:
            locks.callback(os.close, hold(folder))

        return OwnWorlds(paths.secrets, self._cache, self._say, lock, self._make_room)

    def _make_room(self) -> None:
        """Frees disk for a fresh world, which is as large as the explored one, before it is built."""
        key = self._journal.session.data_key
        needed = sum(size_of(folder) for folder in (self._cache / "data").glob(f"*-{key}")) if key else 0
        for gone in make_room(self._cache, int(ROOM * needed)):
            self._say(
                f"  cache: {gone.path.name} removed ({size_text(gone.size)}), to make room for the confirmation's data"
            )
