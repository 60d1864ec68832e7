"""Sessions side by side: each in a process of its own, some at a time, with one bound on money for all.

A session that fails or hangs does not affect the others. Not here: which sessions these are (many.py), and what a
session does (playing.py).
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from agent.app.exits import BUDGET, DONE, INFRASTRUCTURE, INTERRUPTED, NO_PDF, USER_ERROR
from agent.app.standing import Standing, standing
from agent.core.paths import SessionPaths
from agent.core.program import HOME
from agent.core.visible import line
from agent.storage.workspace import Workspace

Say = Callable[[str], None]
LAUNCHER = (sys.executable, str(HOME / "launch.py"))
ENDS = {
    DONE: "ended",
    USER_ERROR: "refused",
    INFRASTRUCTURE: "stopped by a fault",
    BUDGET: "stopped at a bound",
    NO_PDF: "ended without a PDF",
    INTERRUPTED: "stopped",
}
_STAMP = re.compile(r" *\d+(:\d\d)+ (?=\S)")  # the time that a session's console prints before a line
_SESSION = re.compile(r"Session (\S+)$")


@dataclass
class One:
    """One of the sessions: the words that start it, and its state."""

    label: str
    words: tuple[str, ...]  # the command and its operand
    session: str = ""  # its name, once it is known
    cap: float | None = None  # US dollars that it may reach; None if there is no bound on all sessions
    spent: float = 0.0  # US dollars that its log last showed
    status: int | None = None  # exit status of its process; None: it was not started, or still runs
    process: subprocess.Popen[str] | None = None


@dataclass
class Many:
    """Sessions that wait, run or have ended.

    Each is started by `launcher`, its own words and `options`; at most `parallel` run at once. `each` and `total` bound
    the US dollars of one session and of all.
    """

    sessions: Sequence[One]
    workspace: Workspace
    options: tuple[str, ...] = ()
    parallel: int = 1
    each: float | None = None
    total: float | None = None
    loudness: str = "normal"
    launcher: tuple[str, ...] = LAUNCHER
    say: Say = lambda text: print(line(text), flush=True)
    _told: queue.SimpleQueue[tuple[One | None, str | int | None]] = field(default_factory=queue.SimpleQueue)
    _stopping: bool = False

    def run(self) -> int:
        """Runs all sessions; returns the highest of their exit statuses.

        The first Ctrl-C stops those that run, and no more are started; a second one cancels their trainings.
        """
        with self._signals():
            while self._running or (self._waiting and not self._stopping):
                self._start_some()
                if self._running:
                    self._hear(*self._told.get())
        self._summary()
        ends = [INTERRUPTED if one.status is None else one.status for one in self.sessions]
        return INTERRUPTED if self._stopping else max(ends, default=DONE)

    # ---------------------------------------------------------------- inside

    @property
    def _running(self) -> list[One]:
        return [one for one in self.sessions if one.process and one.status is None]

    @property
    def _waiting(self) -> list[One]:
        return [one for one in self.sessions if one.process is None and one.status is None]

    def _start_some(self) -> None:
        while not self._stopping and self._waiting and len(self._running) < self.parallel:
            one = self._waiting[0]
            if self.total is not None:
                for other in self.sessions:
                    other.spent = self._spent(other)
                one.cap = share(self.total, self.sessions, one)
                if one.cap <= one.spent:
                    one.status = BUDGET
                    taken = f"--max-usd-total {self.total:g} is spent, or needed by running sessions"
                    self.say(f"{one.label}: not started: {taken}")
                    continue
            bounds = [bound for bound in (one.cap, self.each) if bound is not None]
            one.process = self._process(one, min(bounds, default=None))

    def _process(self, one: One, most: float | None) -> subprocess.Popen[str]:
        words = [*self.launcher, *one.words, *self.options]
        words += ["--max-usd", f"{most:.6f}"] if most is not None else []
        words += [] if self.loudness == "verbose" else ["--quiet"]
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that Ctrl-C reaches only this process, which passes it on
        )
        threading.Thread(target=self._listen, args=(one, process), daemon=True).start()
        return process

    def _listen(self, one: One, process: subprocess.Popen[str]) -> None:
        """Queues each line that a session prints, and at its end None; runs in a thread of its own."""
        assert process.stdout
        pipe = process.stdout

        def read() -> None:
            for text in pipe:
                self._told.put((one, text))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        process.wait()
        reader.join(timeout=2.0)  # a command of --on-event may hold the pipe for longer
        self._told.put((one, None))

    def _hear(self, one: One | None, told: str | int | None) -> None:
        """Handles an entry of the queue: a line of a session, None for its end, or (without a session) a signal."""
        if one is None:
            self._stop(signal.Signals(int(told or 0)))
        elif told is None:
            assert one.process
            one.status = one.process.returncode if one.process.returncode >= 0 else INFRASTRUCTURE
            self.say(f"{one.label}: {ENDS.get(one.status, f'ended with status {one.status}')}")
        else:
            self._echo(one, str(told).rstrip("\n"))

    def _echo(self, one: One, text: str) -> None:
        """Prints a session's line behind its label, and learns the session's name from its first line."""
        text = _STAMP.sub("", text, count=1)
        if named := _SESSION.match(text):
            one.session = named[1]
        details = text.startswith(" ") and self.loudness == "normal"
        if text and not details and self.loudness != "quiet":
            self.say(f"{one.label}: {text}")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals go into the queue with what sessions print, so that no session changes while one is handled."""

        def hear(number: int, frame: object) -> None:
            self._told.put((None, number))

        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: signal.Signals) -> None:
        """Passes a signal on to all running sessions. A second Ctrl-C, for which they wait, cancels their trainings."""
        again, self._stopping = self._stopping, True
        running = self._running
        asked = (
            "once more, for their trainings too"
            if again
            else "each says how to go on; Ctrl-C once more within 5 s cancels trainings"
        )
        self.say(f"Stopping {len(running)} of {len(self.sessions)} sessions: {asked}")
        for one in running:
            assert one.process
            with suppress(ProcessLookupError):
                os.kill(one.process.pid, signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    def _standing(self, one: One) -> Standing | None:
        paths = SessionPaths(self.workspace.root / one.session)
        return standing(paths) if one.session and paths.events.is_file() else None

    def _spent(self, one: One) -> float:
        found = self._standing(one)
        return found.usd if found else 0.0

    def _summary(self) -> None:
        from agent.app.tables import add, show, table

        shown = table("idea", "session", "end", "stage", "runs", "cost")
        cost = 0.0
        for one in self.sessions:
            found = self._standing(one)
            end = "not started" if one.process is None else ENDS.get(one.status or 0, f"status {one.status}")
            runs = f"{found.measured} of {found.runs}" if found else ""
            cost += found.usd if found else 0.0
            add(shown, one.label, one.session or "-", end, found.stage if found else "", runs, _dollars(found))
        show(shown)
        done = sum(1 for one in self.sessions if one.status == DONE)
        self.say(f"{done} of {len(self.sessions)} ended as asked; ${cost:.2f} in all. See --status, --page SESSION")


def share(total: float, sessions: Sequence[One], one: One) -> float:
    """US dollars that a session which starts now may reach: what it has spent, and an equal part of what is free.

    The bound of a running session counts as taken, so the sum over all sessions never passes the total. What a session
    leaves of its bound is free for those that start later.
    """
    claimed = sum(s.cap if s.process and s.status is None and s.cap is not None else s.spent for s in sessions)
    waiting = sum(1 for s in sessions if s.process is None and s.status is None)
    return one.spent + max(0.0, total - claimed) / waiting


def _dollars(found: Standing | None) -> str:
    return "" if found is None else f"${found.usd:.2f}" + ("" if found.usd_complete else "+?")
