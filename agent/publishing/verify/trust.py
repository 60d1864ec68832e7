"""Decides whether code of a session may run here: only if this installation made the session, or with `--trust`.

Who made it is taken from the signature of its log, and never from what a folder says of itself.
"""

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

    `first_commit` is the first commit of the repository beside the log. The log must name it, because the repository
    might otherwise be somebody else's.
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
    """Print whose code is about to run.

    Args:
        name: of the session or template.
        what: which code runs, and where.
        trust: whether the person allowed it.
        sign: how it was seen that it was not made here.

    Raises:
        UserError: `trust` is false.
    """
    whose = f"{name} was not made by this installation ({sign})"
    if not trust:
        raise UserError(f"{whose}: {what}. Read that code first; --trust runs it")
    print(line(f"{whose}; with --trust, {what}."), flush=True)


def prepare_walled(sandbox: Sandbox) -> Callable[[dict[str, Any], Callable[[str], None]], tuple[int, str]]:
    """A function that runs a stranger's prepare.py in the sandbox, for `lab.worlds.prepared`.

    It returns an exit status and a message, and refuses data that are not plain files of a world.
    """

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
