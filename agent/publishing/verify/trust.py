"""Who made a session, and what of it may therefore run here. A folder never says that of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount
from agent.core.visible import line
from agent.lab.built import PARTS
from agent.lab.measuring.walled import AGENT, MOST, run_walled
from agent.session.session import fold
from agent.storage import foreign
from agent.storage.log import EventLog
from agent.storage.signing import own_public

TRUSTED = "its template runs here without walls, its experiments and replies as its log says"
FILES = 10_000  # that a stranger's prepare.py may leave


def is_ours(paths: SessionPaths, first_commit: str = "") -> bool:
    """Whether this installation signed a session's log up to its last line.

    `first_commit`: of the repository that lies with it; the log must name it, or the code there is somebody else's.
    """
    public = own_public()
    try:
        log = EventLog(paths.events)
        if not public or not log.vouched(public):
            return False
        return not first_commit or fold(log.read()).first_commit == first_commit
    except InfrastructureError:
        return False


UNSIGNED = "its log does not bear this installation's signature"


def ask_for_trust(name: str, what: str, trust: bool, sign: str = UNSIGNED) -> None:
    """Say whose code is about to run. `sign`: by what it is seen that it is not ours.

    Raises:
        UserError: nobody said that it may.
    """
    whose = f"{name} was not made by this installation ({sign})"
    if not trust:
        raise UserError(f"{whose}: {what}. Read that code first; --trust runs it")
    print(line(f"{whose}; with --trust, {what}."), flush=True)


def prepare_walled(sandbox: Sandbox) -> Callable[[dict[str, Any], Callable[[str], None]], tuple[int, str]]:
    """Runs a stranger's prepare.py in the sandbox; it leaves plain files alone."""

    def prepare(request: dict[str, Any], say: Callable[[str], None]) -> tuple[int, str]:
        file, folder = Path(request["prepare"]), Path(request["folder"])
        inside = {**request, "prepare": f"/template/{file.name}", "folder": "/data"}
        mounts = (
            Mount(AGENT, "/runner/agent"),
            Mount(file.parent, "/template"),
            Mount(folder, "/data", writable=True),
        )
        folder.parent.chmod(0o755)
        failed = run_walled(
            sandbox, ("-m", "agent.lab.worlds"), mounts, MOST, folder.parent, json.dumps(inside).encode()
        )
        if failed:
            return 1, failed
        try:
            names = [name for name, _ in foreign.walk(folder, FILES)]
        except foreign.Foreign as problem:
            return 1, f"prepare.py left {problem}"
        odd = [name for name in names if not name.startswith(tuple(f"{part}/" for part in PARTS))]
        return (1, f"prepare.py left {odd[0]!r}, which is no data") if odd else (0, "")

    return prepare
