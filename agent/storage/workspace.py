"""The folder that holds all sessions, and how a session is found in it, read or made."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.session.session import Session, fold
from agent.storage.log import EventLog

_STAMP = re.compile(r"\d{8}_\d{6}_")  # how names of sessions begin


@dataclass(frozen=True)
class Workspace:
    """The folder of all sessions and of what they share."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    def sessions(self) -> list[SessionPaths]:
        """All sessions, oldest first; those that somebody else closed are left out."""
        if not self.root.is_dir():
            return []
        return [SessionPaths(path) for path in sorted(self.root.iterdir()) if os.path.isfile(path / "events.jsonl")]

    def closed(self) -> list[str]:
        """Names of folders that may be sessions, and that this user may not look into."""
        if not self.root.is_dir():
            return []
        folders = [path for path in sorted(self.root.iterdir()) if _STAMP.match(path.name)]
        return [path.name for path in folders if not os.access(path, os.X_OK)]

    def find(self, name: str) -> SessionPaths:
        """A session by its folder, its name, or "last".

        Raises:
            UserError: there is no such session.
        """
        sessions = self.sessions()
        if name == "last" and sessions:
            return sessions[-1]
        for candidate in (self.root / name, Path(name)):
            if os.path.isfile(candidate / "events.jsonl"):
                return SessionPaths(candidate.resolve())
        known = ", ".join(s.root.name for s in sessions[-3:]) or "none yet"
        raise UserError(f"session {name!r}: not found in {self.root} (newest: {known}); see --status")


def read_session(paths: SessionPaths) -> Session:
    """A session as its log has it.

    Raises:
        UserError: the log is empty, because its process was killed before it wrote the first event.
        InfrastructureError: a line of the log cannot be read.
    """
    try:
        return fold(EventLog(paths.events).read())
    except UserError as error:
        raise UserError(f"{paths.root}: {error}") from None


def new_session_folder(workspace: Workspace, name: str) -> SessionPaths:
    """A folder of its own for a new session, made.

    Raises:
        InfrastructureError: a hundred sessions of one second are there.
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
