"""The worlds of one session: the same from its first run to its last, whatever becomes of the cache.

Their secrets are kept in the session's folder as well, so that a cache which is cleaned, deleted or damaged costs
nothing but the time to build the data again.
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
    """What a session knows of the data that it began with."""

    key: str | None = None  # None: it has not begun
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnWorlds:
    """`folder` is the session's, for its secrets; `use` takes hold of data before anybody can remove them."""

    folder: Path
    cache: Path
    say: Say
    use: Callable[[Path], object]
    make_room: Callable[[], object] = lambda: None  # called before a world of the confirmation is built

    def data(self, template: Template, name: str, profile: Profile, world: int, begun: Begun) -> DataPaths:
        """The data of a world under a profile, built (again) where they are not whole.

        Raises:
            InfrastructureError: they are not those that the session began with, and cannot be made again.
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
                f"{data.train.parent} and resume, and it is built again from the session's secret; if it differs "
                "then too, prepare.py does not draw the same twice on this machine, and the idea is to be started anew"
            )
        return data

    def secret(self, template: str, world: int, *, draw: bool = True) -> int | None:
        """The session's own, else the cache's, which `draw` makes if there is none yet; None: there is none.

        Raises:
            InfrastructureError: the file does not hold one.
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
        name, known = template.manifest.name, self._own(world).is_file()
        lost = f"their secret is gone with them: restore {secret_file(self.cache, name, world)} from a backup"
        changed = f"{template.path('prepare.py')}, or a module or package that it draws with, was changed: undo that"
        return (
            f"{self.cache / 'data' / name}-*-{key}: the data of this session are gone or damaged and cannot be made "
            f"again, because {changed if known else lost} and resume, or start the idea anew"
        )
