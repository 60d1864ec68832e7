"""Where every session of a workspace stands; what a log says is remembered until that log changes.

A workspace may hold a thousand sessions, of which few are under way. What is remembered can be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.app.standing import OPEN, Standing, now, of_log
from agent.core.paths import SessionPaths
from agent.storage.atomic import write_bytes

FILE = "standings.json"
Seen = tuple[int, int, int]  # a log's inode, its size, and when it was written, in nanoseconds
Known = dict[str, tuple[Seen, Standing, tuple[str, ...]]]  # by session: as its log says, and its attempts under way
_KNOWN: TypeAdapter[Known] = TypeAdapter(Known)
KEPT = (OPEN, "done", "no-pdf")  # what is empty or unreadable may be so for a reason outside of the log


def standings(sessions: Sequence[SessionPaths], cache: Path) -> list[Standing]:
    """All of them, in this order. Where the cache cannot be written, every log is read each time."""
    before = _read(cache / FILE)
    after: Known = {}
    found = []
    for paths in sessions:
        name = paths.root.name
        seen = _seen(paths.events)
        known = before.get(name)
        if known and known[0] == seen and known[1].folder == str(paths.root):
            stood, attempts = known[1:]
        else:
            stood, attempts = of_log(paths)
        if stood.state in KEPT:
            after[name] = (seen, stood, attempts)
        found.append(now(paths, stood, attempts))
    if after != before:
        with suppress(OSError):
            cache.mkdir(exist_ok=True)
            write_bytes(cache / FILE, _KNOWN.dump_json(after))
    return found


def _seen(log: Path) -> Seen:
    try:
        there = os.stat(log)
    except OSError:
        return (0, 0, 0)
    return (there.st_ino, there.st_size, there.st_mtime_ns)


def _read(path: Path) -> Known:
    try:
        return _KNOWN.validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there, or another version's
        return {}
