"""The four orders that a browser may give: feedback, stop, resume and verify.

The last three run as the command that a person would type.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from agent.core.paths import SessionPaths
from agent.core.program import HOME, NAME
from agent.storage.atomic import write_text
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace

LONGEST_FEEDBACK = 4000  # characters
SHOWN = 4000  # bytes of the end of what a command printed
STOPPED_S, VERIFIED_S = 120.0, 900.0  # seconds that these commands may take


def _in_a_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, daemon=True).start()


@dataclass
class Control:
    """Carries out orders, and keeps the answer to the last one for each session."""

    workspace: Workspace
    launcher: tuple[str, ...] = (sys.executable, str(HOME / "launch.py"))
    background: Callable[[Callable[[], None]], None] = _in_a_thread
    answers: dict[str, str] = field(default_factory=dict)  # by session
    _busy: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def feedback(self, paths: SessionPaths, text: str) -> None:
        """Write a message to the planner into the session's folder."""
        text = text.strip()
        if not text or len(text) > LONGEST_FEEDBACK:
            self._say(paths, f"Not sent: write 1 to {LONGEST_FEEDBACK} characters.")
            return
        write_text(paths.feedback, text + "\n")
        self._say(paths, "Sent: the planner reads it after the next run.")

    def stop(self, paths: SessionPaths) -> None:
        """Stop the session as Ctrl-C does; given again, also its running training."""
        self._start(paths, "stop", STOPPED_S)

    def resume(self, paths: SessionPaths) -> None:
        """Resume the session in a process of its own that outlives this server."""
        if is_locked(paths.lock):
            self._say(paths, "It runs already.")
            return
        self._start(paths, "resume", None)

    def verify(self, paths: SessionPaths) -> None:
        """Verify the session's paper. This takes a minute, so the answer comes later."""
        self._start(paths, "verify", VERIFIED_S)

    def _start(self, paths: SessionPaths, command: str, most: float | None) -> None:
        order = (paths.root.name, command)
        with self._lock:
            if order in self._busy:
                return
            self._busy.add(order)
        self._say(paths, f"{NAME} {command} {paths.root.name}: started")
        self.background(lambda: self._run(paths, command, most))

    def _run(self, paths: SessionPaths, command: str, most: float | None) -> None:
        words = [*self.launcher, command, paths.root.name, "--workspace", str(self.workspace.root)]
        try:
            with TemporaryFile() as out:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
                )
                try:
                    status = process.wait(most)
                except subprocess.TimeoutExpired:
                    process.kill()
                    status = process.wait()
                out.seek(max(0, out.seek(0, 2) - SHOWN))
                said = out.read().decode("utf-8", "replace").strip()
            self._say(paths, f"{said}\n{NAME} {command} ended with status {status}".strip())
        except OSError as error:
            self._say(paths, f"{NAME} {command} cannot be started: {error.strerror}")
        finally:
            with self._lock:
                self._busy.discard((paths.root.name, command))

    def _say(self, paths: SessionPaths, words: str) -> None:
        self.answers[paths.root.name] = words
