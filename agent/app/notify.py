"""--on-event: runs a person's own command for each event of a session, outside the sandbox and as that person.

The command gets one event after another and a bounded time for each. The session continues whatever the command does.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from agent.app.follow import describe
from agent.session.events import Event
from agent.session.session import Session, stage

LONGEST_S = 10.0  # seconds that one call of the command may take
DRAINED_S = 20.0  # seconds in which the remaining events are handed over when the session's process ends
Say = Callable[[str], None]
Strip = Callable[[str], str]


class Notifier:
    """Hands events to a shell command in their order, in a thread of its own."""

    def __init__(self, command: str, say: Say, strip: Strip, longest_s: float = LONGEST_S) -> None:
        """`strip` removes keys and other secrets from a text; `say` is called once if the command fails."""
        self._command, self._say, self._strip, self._longest_s = command, say, strip, longest_s
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name="on-event", daemon=True)

    def __enter__(self) -> Notifier:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._waiting.put(None)
        self._thread.join(DRAINED_S)

    def hear(self, event: Event, session: Session, folder: Path) -> None:
        """Queues an event for the command. It is called once the event is in the session's log."""
        told = {name: self._strip(text) if isinstance(text, str) else text for name, text in account(event, session)}
        self._waiting.put(json.dumps({**told, "folder": str(folder)}) + "\n")

    def _work(self) -> None:
        while (told := self._waiting.get()) is not None:
            if why := _run(self._command, told, self._longest_s):
                self._fail(why)

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._say(f"--on-event: {why}; the session goes on. Further failures of it are not shown")


def account(event: Event, session: Session) -> list[tuple[str, Any]]:
    """The fields of the JSON object that the command gets: facts and one line, but no whole text of a model or log."""
    whose = {name: getattr(event, name) for name in ("run", "attempt") if hasattr(event, name)}
    return [
        ("event", event.type),
        ("at", event.at),
        ("session", session.session),
        *whose.items(),
        ("said", describe(event, session).strip()),
        ("stage", stage(session)),
        ("finished", session.finished),
        ("tokens", session.tokens),
        ("usd", round(session.usd, 6)),
    ]


def _run(command: str, told: str, longest_s: float) -> str:
    """Runs the command with one event on its standard input; returns why it failed, or ""."""
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # so that killpg ends all that it started, and Ctrl-C does not reach it
        )
    except OSError as error:
        return f"the command does not start ({error.strerror})"
    try:
        _, complained = process.communicate(told, timeout=longest_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"the command was ended after {longest_s:g} s"
    except BrokenPipeError:
        complained = ""
    if not process.returncode:
        return ""
    last = (complained.strip().splitlines() or [""])[-1][:200]
    return f"the command ended with status {process.returncode}" + (f" ({last})" if last else "")
