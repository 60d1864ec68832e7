"""What a person sees of a session: lines that stay, and one live line that is overwritten.

On a terminal the live line shows what the session is doing and for how long. Elsewhere (a pipe, a file, a job's log) a
line says so after half a minute without any other. Every line also goes to the session's own log (`keep`).
"""

from __future__ import annotations

import _thread
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, TextIO

from agent.app.exits import Terminated
from agent.app.terminal import draw
from agent.app.wording import bar_line, duration, training_words
from agent.core.errors import InfrastructureError
from agent.core.protocols import Progress
from agent.core.visible import line
from agent.session.tools import Console

Loudness = Literal["quiet", "normal", "verbose"]
LIVELY_S = 2.0  # seconds without a line after which the live line of a terminal counts the time
PATIENT_S = 30.0  # seconds without a line after which an output that is no terminal gets one
SETTLED = 0.05  # share of a bar that must be filled before the time that is left is estimated


class TerminalConsole(Console):
    """Prints lines, each with a stamp in front.

    Args:
        stamp: gives the stamp; by default the time since the console was made.
        width: gives the columns of the terminal.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        loudness: Loudness = "normal",
        width: Callable[[], int] | None = None,
        stamp: Callable[[], str] | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._clock, self._start = clock, clock()
        self._loudness = loudness
        self._width, self._stamp = width or self._columns, stamp or self._elapsed
        self._turn = threading.RLock()
        self._log: TextIO | None = None
        self._shown = False  # whether a live line is on the screen
        self._said = ""  # the newest line
        self._doing, self._since = "", self._start  # what the session does, and since when
        self._heard = self._start  # when something new was last printed
        self._bars: dict[str, _Bar] = {}

    def say(self, text: str) -> None:
        self._tell(text, seen=self._loudness != "quiet")

    def detail(self, text: str) -> None:
        self._tell(text, seen=self._loudness == "verbose")

    def conclude(self, text: str) -> None:
        self._tell(text, seen=True, wrapped=False)  # its commands and paths must stay whole, to be copied

    def progress(self, text: str, state: Progress) -> None:
        with self._turn:
            known = self._bars.setdefault(text, _Bar(self._clock(), state.fraction))
            fraction = known.at(state.fraction, self._clock())
            words = training_words(state, known.left(self._clock()))
            self._doing, self._since = f"{text}: {words}", known.began
            if self._live():
                self._overwrite(bar_line(text, fraction, words, self._width() - 1 - len(self._stamp())))

    def waiting(self, text: str) -> None:
        with self._turn:
            self._doing = text or self._said
            if text and self._live():
                self._overwrite(text)
            else:
                self._wipe()

    def keep(self, file: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with suppress(OSError):  # the session does not need its log, so it goes on without one
            self._log = os.fdopen(os.open(file, flags, 0o644), "w", encoding="utf-8", errors="backslashreplace")

    def beat(self) -> None:
        """Shows, if nothing was printed for a while, what is waited for; called about once a second."""
        with self._turn:
            now = self._clock()
            if not self._doing or self._loudness == "quiet":
                return
            if not self._out.isatty():
                if now - self._heard >= PATIENT_S:
                    self._heard = now
                    self._print(f"  still at it, for {duration(now - self._since)}: {self._doing}")
            elif now - self._heard >= LIVELY_S:
                self._overwrite(f"{duration(now - self._since)} {self._doing}", new=False)

    @contextmanager
    def living(self) -> Iterator[None]:
        """A thread calls `beat` each second until the block is left."""
        over = threading.Event()

        def beats() -> None:
            while not over.wait(1.0):
                try:
                    self.beat()
                except (Terminated, InfrastructureError):  # the output is closed: end the session as SIGTERM does
                    _thread.interrupt_main(signal.SIGTERM)
                    return

        thread = threading.Thread(target=beats, name="signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            with self._turn:
                self._wipe()

    def _tell(self, text: str, *, seen: bool, wrapped: bool = True) -> None:
        with self._turn:
            self._bars.clear()  # a line announces each training, so the next one starts a bar of its own
            lines = [line(said) for said in text.splitlines() or [""]]
            self._record(lines)
            if not seen:
                return
            self._wipe()
            self._heard = self._since = self._clock()
            self._said = self._doing = lines[0].strip()
            for number, said in enumerate(lines):
                self._print(said, stamped=number == 0, wrapped=wrapped)

    def _print(self, said: str, *, stamped: bool = True, wrapped: bool = True) -> None:
        stamp = self._stamp()
        stamp = stamp if stamped else " " * len(stamp)
        print(stamp + (self._wrapped(said, len(stamp)) if wrapped else said), file=self._out, flush=True)

    def _wrapped(self, said: str, indent: int) -> str:
        """A long line broken between words for a terminal; for a file it stays whole."""
        if not self._out.isatty() or len(said) <= self._width() - indent:
            return said
        margin = len(said) - len(said.lstrip())
        parts = textwrap.wrap(
            said,
            max(20, self._width() - indent),
            subsequent_indent=" " * (margin + 2),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        return ("\n" + " " * indent).join([" " * margin + parts[0].lstrip(), *parts[1:]])

    def _record(self, lines: list[str]) -> None:
        if self._log is None:
            return
        try:
            self._log.write("".join(f"{datetime.now():%Y-%m-%d %H:%M:%S} {said}\n" for said in lines))
            self._log.flush()
        except (OSError, ValueError):
            self._log = None

    def _live(self) -> bool:
        return self._loudness != "quiet" and self._out.isatty()

    def _overwrite(self, said: str, *, new: bool = True) -> None:
        draw(self._out, "\r\x1b[2K" + (" " * len(self._stamp()) + line(said))[: self._width() - 1])
        self._out.flush()
        self._shown = True
        if new:
            self._heard = self._clock()

    def _wipe(self) -> None:
        if self._shown:
            draw(self._out, "\r\x1b[2K")
            self._shown = False

    def _elapsed(self) -> str:
        return f"{duration(self._clock() - self._start):>6} "

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or 80
        except (OSError, ValueError):
            return shutil.get_terminal_size().columns


class _Bar:
    """The progress of one run, which never goes back, and the time that is left at its pace."""

    def __init__(self, began: float, fraction: float) -> None:
        self.began, self._first, self._most = began, fraction, fraction
        self._moved = began  # when it last progressed

    def at(self, fraction: float, now: float) -> float:
        """The fraction to show."""
        if fraction > self._most:
            self._most, self._moved = fraction, now
        return self._most

    def left(self, now: float) -> float | None:
        """Seconds that are left at the pace so far; None while too little is done to tell, or once they are over."""
        made = self._most - self._first
        if made < SETTLED:
            return None
        rest = (self._moved - self.began) * (1.0 - self._most) / made - (now - self._moved)
        return rest if rest > 0 else None
