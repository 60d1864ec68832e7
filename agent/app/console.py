"""What a person sees: lines that stay on stdout, one progress line that is overwritten, remarks on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from agent.core.protocols import Progress
from agent.sandbox.harvest import printable
from agent.session.tools import Console


class TerminalConsole(Console):
    """Plain lines with the time since the start; a progress line only where there is a terminal."""

    def __init__(self, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._start = clock()
        self._shown = False

    def say(self, text: str) -> None:
        self._wipe()
        elapsed = int(self._clock() - self._start)
        for number, line in enumerate(map(printable, text.splitlines() or [""])):
            stamp = f"{elapsed // 60:3d}:{elapsed % 60:02d} " if number == 0 else " " * 7
            print(stamp + line, file=self._out, flush=True)

    def progress(self, text: str, state: Progress) -> None:
        if not self._out.isatty():
            return
        width = 24
        full = round(width * max(0.0, min(1.0, state.fraction)))
        bar = "█" * full + "░" * (width - full)
        line = f"       {text} {bar} {state.fraction:4.0%}, {state.done} of {state.total} trainings {state.last_line}"
        print("\r\x1b[2K" + printable(line)[:118], end="", file=self._out, flush=True)
        self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=self._out)
            self._shown = False
