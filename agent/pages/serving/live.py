"""Server-sent events that tell a page that its session has changed and how far its training is.

The number of streams and the duration of each are bounded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.pages.reading import progress_of
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace, read_session

POLL_S = 0.7
KEEP_ALIVE_S = 15.0
LONGEST_S = 3600.0  # of a stream; then the browser asks again
MOST = 32  # streams at one time

State = tuple[Any, ...]


def state_of(paths: SessionPaths) -> State:
    """A value that changes whenever the session's page would: size and time of the log, and whether it is locked."""
    try:
        there = paths.events.stat()
    except OSError:
        return ()
    return there.st_size, there.st_mtime_ns, is_locked(paths.lock)


def state_of_all(workspace: Workspace) -> State:
    """The same for all sessions."""
    return tuple((paths.root.name, *state_of(paths)) for paths in workspace.sessions())


def named(state: State) -> str:
    """A short name of a state. A page knows the name of the state that it shows, so that no later change is missed."""
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def progress_event(paths: SessionPaths) -> str:
    """The progress of the running training as JSON; "" where none runs or it cannot be read."""
    try:
        found = progress_of(paths, read_session(paths))
    except (UserError, InfrastructureError):
        return ""
    if found is None:
        return ""
    words = f"{found.done} of {found.total} trainings are done"
    return json.dumps({"fraction": round(found.fraction, 3), "words": words})


@dataclass
class Streams:
    """The open streams of events, whose number is bounded."""

    stopping: Callable[[], bool] = lambda: False
    open: int = field(default=0)

    @property
    def full(self) -> bool:
        return self.open >= MOST

    async def stream(self, seen: str, state: Callable[[], State], progress: Callable[[], str]) -> AsyncIterator[str]:
        """The events of one stream: `changed` when the state is not the one that the browser has seen, and `progress`
        when its text changes."""
        self.open += 1
        try:
            began = said = time.monotonic()
            told = ""
            yield "retry: 2000\n\n"
            while not self.stopping() and time.monotonic() - began < LONGEST_S:
                if (now := named(await asyncio.to_thread(state))) != seen:
                    seen = now
                    yield "event: changed\ndata: {}\n\n"
                if (words := await asyncio.to_thread(progress)) and words != told:
                    told = words
                    yield f"event: progress\ndata: {words}\n\n"
                if time.monotonic() - said > KEEP_ALIVE_S:
                    said = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(POLL_S)
        finally:
            self.open -= 1
