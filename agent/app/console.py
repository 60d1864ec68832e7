"""What a person sees: lines that stay on stdout, one progress line that is overwritten, remarks on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from agent.app.terminal import draw
from agent.core.protocols import Progress
from agent.core.visible import line
from agent.session.tools import Console


class TerminalConsole(Console):
    """Plain lines with the time since the start; a progress line only where there is a terminal."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._clock = clock
        self._start = clock()
        self._shown = False

    def say(self, text: str) -> None:
        self._wipe()
        elapsed = int(self._clock() - self._start)
        for number, said in enumerate(map(line, text.splitlines() or [""])):
            stamp = f"{elapsed // 60:3d}:{elapsed % 60:02d} " if number == 0 else " " * 7
            print(stamp + said, file=self._out, flush=True)

    def progress(self, text: str, state: Progress) -> None:
        if not self._out.isatty():
            return
        width = 24
        full = round(width * max(0.0, min(1.0, state.fraction)))
        bar = "█" * full + "░" * (width - full)
        said = f"       {text} {bar} {state.fraction:4.0%}, {state.done} of {state.total} trainings {state.last_line}"
        self._overwrite(said)

    def waiting(self, text: str) -> None:
        if text and self._out.isatty():
            self._overwrite(f"       {text}")
        else:
            self._wipe()

    def _overwrite(self, said: str) -> None:
        draw(self._out, "\r\x1b[2K" + line(said)[:118])
        self._out.flush()
        self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            draw(self._out, "\r\x1b[2K")
            self._shown = False
