"""The worlds of one session, which stay the same from its first run to its last.

A world is the data drawn from one secret. The session's folder keeps a copy of each secret, so that data which were
lost with the cache can be built again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Profile
from agent.core.paths import DataPaths
from agent.core.template import Template
from agent.lab.worlds import Say, data_key, prepared, read_secret, secret_file, still_there, world_secret
from agent.storage.atomic import write_text


@dataclass(frozen=True)
class Begun:
    """The data that a session began with, as its first event recorded them."""

    key: str | None = None  # of the world's data (worlds.data_key); None: the session has not begun
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnWorlds:
    """Gives a session its data, and keeps the secrets that they were drawn from."""

    folder: Path  # of the session, for its copies of the secrets
    cache: Path
    say: Say
    use: Callable[[Path], object]  # locks a folder of data, so that nobody removes it while the session runs
    make_room: Callable[[], object] = lambda: None  # called before a world of the confirmation is built

    def data(self, template: Template, name: str, profile: Profile, world: int, begun: Begun) -> DataPaths:
        """The data of one world under a profile, built if the cache does not hold them whole.

        Raises:
            InfrastructureError: they differ from those that the session began with, or cannot be built again.
        """
        secret = self.secret(template.manifest.name, world, draw=begun.key is None)
        key = None if secret is None else data_key(template, profile.settings, secret, profile.conditions)
        if secret is None or begun.key not in (None, key):
            data = still_there(self.cache, template, str(begun.key), self.use)
            if data is None:
                raise InfrastructureError(self._gone(template, world, str(begun.key)))
        else:
            asked = (template, name, profile.settings, secret, self.cache, self.say, self.use)
            room = self.make_room if world else lambda: None
            data = prepared(*asked, again=begun.key, conditions=profile.conditions, make_room=room)
            self._keep(world, secret)
        other = [n for n in sorted({*begun.hashes, *data.hashes}) if begun.hashes.get(n) != data.hashes.get(n)]
        if begun.hashes and other:
            raise InfrastructureError(
                f"{data.train.parent / other[0]}: is not the file that this session began with. Remove "
                f"{data.train.parent} and resume, and it is built again from the session's secret. If it still "
                "differs, prepare.py does not give the same data twice on this machine: start the idea anew"
            )
        return data

    def secret(self, template: str, world: int, *, draw: bool = True) -> int | None:
        """The secret of a world: the session's copy, or else the cache's; with `draw`, a new one if there is none.

        Returns None if there is none and `draw` is not set.

        Raises:
            InfrastructureError: the file does not hold a secret.
        """
        own, shared = self._own(world), secret_file(self.cache, template, world)
        if own.is_file():
            return read_secret(own)
        return world_secret(self.cache, template, world) if draw or shared.is_file() else None

    def _own(self, world: int) -> Path:
        return self.folder / f"world-{world}"

    def _keep(self, world: int, secret: int) -> None:
        path = self._own(world)
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(path, f"{secret:064x}\n", mode=0o600)

    def _gone(self, template: Template, world: int, key: str) -> str:
        """The error message for data that cannot be built again."""
        name, known = template.manifest.name, self._own(world).is_file()
        lost = f"their secret is gone with them: restore {secret_file(self.cache, name, world)} from a backup"
        changed = f"{template.path('prepare.py')}, or a module or package that it draws with, was changed: undo that"
        return (
            f"{self.cache / 'data' / name}-*-{key}: the data of this session are gone or damaged and cannot be made "
            f"again, because {changed if known else lost} and resume, or start the idea anew"
        )
