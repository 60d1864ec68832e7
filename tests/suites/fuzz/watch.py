"""Bounds and measures the CPU time of what is done inside, not the wall time: the machine may be busy."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

CPU_S = 30.0  # of one trial; a hang counts as a crash


class Hung(BaseException):
    """Not an Exception: nothing on the way may swallow it."""


class Timed(Protocol):
    cpu_s: float


@contextmanager
def watched(trial: Timed, seconds: float = CPU_S) -> Iterator[None]:
    """Raises Hung inside when it computes for longer; `trial.cpu_s` says how long it took."""

    def hung(number: int, frame: object) -> None:
        raise Hung(f"computes for more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, hung)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        trial.cpu_s = seconds - left
