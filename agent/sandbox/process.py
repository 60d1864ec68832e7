"""A running sandboxed process tree: copies its output, enforces its limits, reports its end. boxes.py starts it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, Protocol

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.sandboxing import Exit, ExitReason, Used
from agent.sandbox import limits as use
from agent.sandbox.cgroups import Group

TICK_S = 0.1
DISK_TICK_S = 1.0
END_S = 10.0  # how long the kernel may take to end a killed tree


class Tree(Protocol):
    """The processes of one sandbox."""

    def members(self) -> list[int]: ...
    def terminate(self) -> None:
        """Send SIGTERM to every member."""

    def kill(self) -> None:
        """Kill every member, without waiting for their end."""

    def scratch_bytes(self) -> int:
        """Bytes on the sandbox's own file systems in memory."""

    def gone(self) -> bool: ...
    def close(self) -> None: ...


class Pump(threading.Thread):
    """Copies a stream into a file up to a bound, and keeps its beginning for error messages."""

    def __init__(self, stream: IO[bytes], target: Path | None, max_bytes: int) -> None:
        super().__init__(daemon=True)
        self._stream, self._target, self._left = stream, target, max_bytes
        self.head = b""
        self.overflow = threading.Event()
        self.start()

    def run(self) -> None:
        with open(self._target or os.devnull, "wb", buffering=0) as file, self._stream:
            while chunk := os.read(self._stream.fileno(), 1 << 16):
                file.write(chunk[: self._left])
                self.head = (self.head + chunk)[:2000] if len(self.head) < 2000 else self.head
                self._left -= min(self._left, len(chunk))
                if not self._left:
                    self.overflow.set()


class ConfinedProcess:
    """Implements protocols.SandboxProcess.

    A thread polls as well, so that a caller that blocks on a pipe is freed when a limit is exceeded. The kernel ends
    the tree with the *thread* that started it, so that thread has to live long enough.
    """

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        tree: Tree,
        limits: Limits,
        writable: Sequence[Path],
        pumps: Sequence[Pump],
        *,
        stdout: IO[bytes] | None,
        at_end: Callable[[], None],
        broken: Callable[[int], str],
        grace_s: float,
        group: Group | None = None,
    ) -> None:
        self.stdin, self.stdout = popen.stdin, stdout
        self._popen, self._tree, self._limits, self._pumps = popen, tree, limits, pumps
        self._writable, self._at_end, self._broken, self._grace_s = writable, at_end, broken, grace_s
        self._group = group
        self._lock = threading.RLock()
        self._meter = use.Meter()
        self._oom_kills = use.oom_kills()
        self._started = time.monotonic()
        self._memory_at = self._disk_at = self._started
        self._reason: ExitReason | None = None
        self._kill_at: float | None = None
        self._exit: Exit | None = None
        self._error: Exception | None = None
        self._low: Path | None = None  # a folder whose disk is nearly full
        self._devices = {os.stat(folder).st_dev for folder in writable}
        threading.Thread(target=self._watch, daemon=True).start()

    def poll(self) -> Exit | None:
        """How the tree ended; None if it has not, after the limits were enforced once.

        Raises:
            InfrastructureError: the sandbox could not start the command, or the machine's disk is full.
        """
        with self._lock:
            if self._exit is None and self._error is None:
                try:
                    self._look()
                except Exception as error:  # kept, because the other thread must not wait for a reaped child
                    self._error = error
                    with suppress(OSError):  # the tree is closed already
                        self._tree.kill()
            if self._error is not None:
                raise self._error
            return self._exit

    def _look(self) -> None:
        pid, status, rusage = os.wait4(self._popen.pid, os.WNOHANG)
        if pid:
            self._finish(os.waitstatus_to_exitcode(status), rusage)
        else:
            self._enforce(time.monotonic())

    def used(self) -> Used:
        """What the tree has taken until now, or in all if it has ended."""
        with self._lock:
            if self._exit is not None:
                return Used(self._exit.wall_s, self._exit.cpu_s, self._exit.peak_memory_mb)
            with suppress(OSError):  # the tree has just ended
                self._over_memory()  # a look at the tree also adds up its CPU time
            return Used(time.monotonic() - self._started, self._meter.cpu_s, self._meter.peak / use.MB)

    def wait(self) -> Exit:
        """Wait for the end of the tree, enforcing its limits."""
        while (ended := self.poll()) is None:
            time.sleep(0.02)
        return ended

    def kill(self) -> Exit:
        """End the tree now. The reason is "cancelled" unless it had ended or exceeded a limit before."""
        with self._lock:
            if self.poll() is None:
                self._stop("cancelled", grace=False)
        return self.wait()

    def _watch(self) -> None:
        with suppress(Exception):  # the caller's own poll() raises the same
            while self.poll() is None:
                overflow = any(pump.overflow.wait(TICK_S / len(self._pumps)) for pump in self._pumps)
                time.sleep(0.005 if overflow else 0)

    def _stop(self, reason: ExitReason, *, grace: bool) -> None:
        if self._reason is None:
            self._reason = reason
        if grace and self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_s
            self._tree.terminate()
        elif not grace:
            self._kill_at = time.monotonic() + 1.0  # then again, in case a process escaped the first one
            self._tree.kill()

    def _enforce(self, now: float) -> None:
        if any(pump.overflow.is_set() for pump in self._pumps) and self._reason is None:
            self._stop("output", grace=False)
        if self._kill_at is not None and now >= self._kill_at:
            self._stop(self._reason or "timeout", grace=False)
        if self._reason is None and now - self._started > self._limits.wall_s:
            self._stop("timeout", grace=True)
        if now >= self._memory_at:
            if self._over_memory() and self._reason in (None, "timeout"):
                self._stop("memory", grace=False)
            spent = time.monotonic() - now
            self._memory_at = now + max(TICK_S, 20 * spent)  # watching takes at most a twentieth of a core
        if now >= self._disk_at:
            over = self._over_disk()
            if over and self._reason in (None, "timeout"):
                self._stop(over, grace=False)
            self._disk_at = now + max(DISK_TICK_S, 20 * (time.monotonic() - now))

    def _over_memory(self) -> bool:
        if self._group is not None and self._group.killed():
            return True
        limit = self._limits.memory_mb * use.MB
        return self._meter.sample(self._tree.members(), extra=self._tree.scratch_bytes(), limit=limit) > limit

    def _over_disk(self) -> Literal["disk", "files"] | None:
        if not self._writable:
            return None
        found = use.disk_use(self._writable, self._limits.files)
        if found.files > self._limits.files or found.hidden:
            return "files"
        total = found.bytes + use.unlinked_bytes(self._tree.members(), self._devices)
        if total > self._limits.disk_mb * use.MB:
            return "disk"
        self._low = self._low or next((f for f in self._writable if use.free_mb(f) < use.FREE_FLOOR_MB), None)
        return "disk" if self._low else None

    def _finish(self, code: int, rusage: resource.struct_rusage) -> None:
        """The main process has ended: make sure that no process is left, and set how the tree ended."""
        self._popen.returncode = code
        self._tree.kill()
        deadline = time.monotonic() + END_S
        while not self._tree.gone() and time.monotonic() < deadline:
            time.sleep(0.005)
        for pump in self._pumps:
            pump.join(timeout=END_S)
        over = self._over_disk() if self._reason is None else None
        problem = self._broken(code) if self._reason is None else ""
        if self._low and "disk" in (self._reason, over):
            problem = use.no_room(self._low)  # the machine's disk is full; the tree did not exceed its own limit
        starved = self._reason is None and self._group is not None and code != 0 and self._group.killed()
        self._tree.close()
        self._at_end()
        if problem:
            self._error = InfrastructureError(problem)
            return
        if self._reason is None and any(pump.overflow.is_set() for pump in self._pumps):
            self._reason = "output"
        reason, code = _reason(code)
        if starved:
            reason = "memory"
        elif code == 128 + signal.SIGKILL and use.oom_kills() > self._oom_kills:
            reason = "host-memory"
        if "memory" in (self._reason, reason):  # a control group stops a tree before a sample can exceed the limit
            self._meter.peak = max(self._meter.peak, self._limits.memory_mb * use.MB)
        self._exit = Exit(
            reason=self._reason or over or reason,
            code=code,
            wall_s=time.monotonic() - self._started,
            cpu_s=max(self._meter.cpu_s, rusage.ru_utime + rusage.ru_stime),
            # Not ru_maxrss, because that includes the peak of our own forking process
            peak_memory_mb=self._meter.peak / use.MB,
        )


def _reason(code: int) -> tuple[ExitReason, int]:
    """The reason for an exit status, and the status.

    Death by signal N is -N (of our child) or 128+N (through bwrap).
    """
    number = -code if code < 0 else code - 128
    if number == signal.SIGXFSZ:
        return "disk", 128 + number
    if number == signal.SIGXCPU:
        return "timeout", 128 + number
    if 0 < number < signal.NSIG:
        return "signal", 128 + number
    return ("exit" if code else "ok"), code
