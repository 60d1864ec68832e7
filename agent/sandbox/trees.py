"""The processes of one sandbox: finds them, asks them to end, and kills them."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

from agent.sandbox import limits as use


class NamespaceTree:
    """All processes in the pid namespace whose first process is `init`.

    Raises:
        ProcessLookupError: there is no such process.
    """

    def __init__(self, init: int) -> None:
        self._handle = os.pidfd_open(init)
        self._init, self._namespace = init, use.namespace_of(init)
        self._own = use.namespace_of(os.getpid())
        self._host = _devices()

    def members(self) -> list[int]:
        if self._namespace is None or self._namespace == self._own:
            return use.descendants(self._init)
        return [pid for pid in use.pids() if use.namespace_of(pid) == self._namespace]

    def terminate(self) -> None:
        for pid in self.members():
            if pid != self._init:  # the namespace would end with its first process, bwrap's reaper
                self._signal(pid)

    def _signal(self, pid: int) -> None:
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if use.namespace_of(pid) == self._namespace:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except OSError:
            return
        finally:
            os.close(handle)

    def kill(self) -> None:
        """Kill the first process. The kernel then ends all of its pid namespace, and bwrap exits."""
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            return

    def scratch_bytes(self) -> int:
        total = 0
        for place in ("tmp", "dev/shm"):
            with suppress(OSError):
                total += _used(f"/proc/{self._init}/root/{place}", self._host)
        return total

    def gone(self) -> bool:
        """Whether all processes have ended: then the first process's pidfd is readable."""
        return bool(select.select([self._handle], [], [], 0)[0])

    def close(self) -> None:
        os.close(self._handle)


def _devices() -> set[int]:
    """The device numbers of all file systems that are mounted for this process."""
    found = {os.stat("/").st_dev}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            major, minor = line.split()[2].split(":")
            found.add(os.makedev(int(major), int(minor)))
    return found


def _used(folder: str, host: set[int]) -> int:
    """Bytes in use on the file system of a folder in a sandbox; 0 if it is a file system of the host.

    While bwrap builds its mounts, the path can lead to the host's disk, and change at any time. One handle answers both
    questions, so that they are about the same folder.
    """
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.fstat(handle).st_dev in host:
            return 0
        info = os.fstatvfs(handle)
        return (info.f_blocks - info.f_bfree) * info.f_frsize
    finally:
        os.close(handle)


class GuardTree:
    """All descendants of the guard process of confine.py. Code that kills the guard escapes this."""

    def __init__(self, guard: int) -> None:
        self._guard = guard

    def members(self) -> list[int]:
        return use.descendants(self._guard)

    def terminate(self) -> None:
        for pid in self.members():
            self._signal(pid, signal.SIGTERM)

    def kill(self) -> None:
        """Stop all members first, so that none can fork while they are killed.

        Continue the guard if they stopped it.
        """
        found = self.members()
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                self._signal(pid, sign)
        self._signal(self._guard, signal.SIGCONT)

    def _signal(self, pid: int, sign: signal.Signals) -> None:
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return

    def scratch_bytes(self) -> int:
        return 0

    def gone(self) -> bool:
        return not self.members()

    def close(self) -> None:
        return
