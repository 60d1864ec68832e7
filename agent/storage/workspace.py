"""The folder of all sessions: finds, reads and makes sessions."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import InfrastructureError, UserError
from agent.core.nearest import did_you_mean
from agent.core.paths import SessionPaths

if TYPE_CHECKING:
    from agent.session.session import Session

NAMED = 3  # how many sessions an error message names
_STAMP = re.compile(r"\d{8}_\d{6}_")  # the time with which names of sessions begin


@dataclass(frozen=True)
class Workspace:
    """The folder of all sessions and of what they share."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    def sessions(self) -> list[SessionPaths]:
        """All sessions that this user may read, oldest first."""
        if not self.root.is_dir():
            return []
        return [SessionPaths(path) for path in sorted(self.root.iterdir()) if os.path.isfile(path / "events.jsonl")]

    def closed(self) -> list[str]:
        """Names of folders that may be sessions, and that this user may not enter."""
        if not self.root.is_dir():
            return []
        folders = [path for path in sorted(self.root.iterdir()) if _STAMP.match(path.name)]
        return [path.name for path in folders if not os.access(path, os.X_OK)]

    def find(self, name: str) -> SessionPaths:
        """A session by its folder, its name, "last", or any part of its name that only this session has.

        Raises:
            UserError: there is no such session, or there are several.
        """
        sessions = self.sessions()
        if name == "last" and sessions:
            return sessions[-1]
        for candidate in (self.root / name, Path(name)):
            if os.path.isfile(candidate / "events.jsonl"):
                return SessionPaths(candidate.resolve())
        names = [session.root.name for session in sessions]
        alike = [one for one in names if name in one] if "/" not in name else []
        if len(alike) == 1:
            return SessionPaths((self.root / alike[0]).resolve())
        if alike:
            several = f"{len(alike)} sessions" if len(alike) > NAMED else " and ".join(alike)
            raise UserError(f"session {name!r}: means {several} in {self.root}; type more of one (newest: {alike[-1]})")
        bare = {_STAMP.sub("", one): one for one in names}
        if meant := did_you_mean(name, bare):
            raise UserError(f"session {name!r}: not found in {self.root}{meant}; see --status")
        if not names:
            raise UserError(
                f"session {name!r}: not found; {self.root} holds none yet: start one with --idea NAME, or name another "
                "place with --workspace"
            )
        known = ", ".join(names[-NAMED:])
        raise UserError(f"session {name!r}: not found in {self.root} (newest: {known}); see --status")


def read_session(paths: SessionPaths) -> Session:
    """The state of a session, by its log.

    Raises:
        UserError: the log is empty, because its process was killed before it wrote the first event.
        InfrastructureError: a line of the log cannot be read.
    """
    from agent.session.session import fold  # here, because the commands that read no log start faster without it
    from agent.storage.log import EventLog

    try:
        return fold(EventLog(paths.events).read())
    except UserError as error:
        raise UserError(f"{paths.root}: {error}") from None


def new_session_folder(workspace: Workspace, name: str) -> SessionPaths:
    """Make a folder for a new session, named after the time and `name`.

    Raises:
        InfrastructureError: a hundred folders of this name exist.
    """
    for number in range(100):
        stamp = datetime.now().strftime("%Y%m%d_%H%M%S")
        folder = workspace.root / f"{stamp}_{name}{f'_{number}' if number else ''}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return SessionPaths(folder)
    raise InfrastructureError(f"{workspace.root}: cannot make a session folder")
