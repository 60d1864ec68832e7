"""Sessions in a process of their own that are killed, and an undisturbed one to compare them with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from agent.session.session import fold
from tests.support import ROOT
from tests.support.whole import Whole

PATIENCE_S = 120.0
PROGRAM = """
from pathlib import Path
from tests.support.whole import Whole, Script
Whole(Path({folder!r}), Script(1), **{chosen!r}).play()
"""


def account(whole: Whole) -> dict[str, Any]:
    """What must not depend on where a session was killed, in the types that JSON keeps."""
    session = fold(whole.events())
    repo = whole.paths.repo
    records = {}
    for path in sorted((repo / "records").glob("*.json")):
        record = json.loads(path.read_text())
        records[path.name] = [
            (t["seed"], t["condition"], t["metrics"], t["artefact_sha256"]) for t in record["trainings"]
        ]
    sections = {p.name: p.read_text() for p in sorted((repo / "paper/sections").glob("*.md"))}
    found = {
        "records": records,
        "sections": sections,
        "calls": sorted(session.calls),
        "log": whole.log(),
        "finished": session.finished,
    }
    return json.loads(json.dumps(found))


def playing(whole: Whole, **chosen: object) -> subprocess.Popen[bytes]:
    """Plays the session, of one run, in a process of its own; `chosen` are its options if it starts there."""
    code = PROGRAM.format(folder=str(whole.workspace.root), chosen={"runs": 1, **chosen})
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_once(whole: Whole, now: Callable[[], bool], **chosen: object) -> None:
    """Plays in a process of its own until `now()` holds after a new event, then kills the process with SIGKILL."""
    started = len(whole.events())
    child = playing(whole, **chosen)
    deadline = time.monotonic() + PATIENCE_S
    while child.poll() is None and time.monotonic() < deadline:
        if len(whole.events()) > started and now():
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the session ended before it was killed"


@dataclass(frozen=True)
class Undisturbed:
    """The account and the cache of a session of one run that was not killed."""

    account: dict[str, Any]
    cache: Path

    def same_world(self, root: Path) -> Path:
        """A cache below `root` with its worlds, but without its baselines, which are trained again."""
        made = root / "same-world"
        made.mkdir()
        for name in ("data", "secrets"):
            (made / name).symlink_to(self.cache / name)
        return made


def undisturbed_in(folder: Path) -> Undisturbed:
    """The undisturbed session, played once for all workers that share this folder."""
    root, told = folder / "undisturbed", folder / "undisturbed.json"
    with FileLock(folder / "undisturbed.lock"):
        if not told.exists():
            whole = Whole(root, runs=1)
            whole.play()
            told.write_text(json.dumps(account(whole)))
    return Undisturbed(json.loads(told.read_text()), root / ".cache")
