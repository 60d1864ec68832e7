"""Waiting for a controller that is away, or for room in a queue that is full, with a word to whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent.core.errors import InfrastructureError
from agent.lab.jobs.slurm.control import Away, Full

POLL_S = 5.0  # between questions to Slurm: its controller answers to everybody
SETTLE_S = 20.0  # for a file written on a node to be seen here, after Slurm says that its task has ended
AWAY_S = 3600.0  # for a controller that does not answer
SAY_S = 600.0  # between two lines about the same wait
Found = TypeVar("Found")


@dataclass(frozen=True)
class Clock:
    """How time passes, and how long the runner waits for what (seconds)."""

    poll_s: float = POLL_S
    settle_s: float = SETTLE_S
    away_s: float = AWAY_S
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def patiently(ask: Callable[[], Found], clock: Clock, say: Callable[[str], None]) -> Found:
    """An answer of Slurm, asked for again and again.

    A full queue is waited for without an end, because the jobs before ours end at some time.

    Raises:
        InfrastructureError: the controller has not answered for an hour.
    """
    began, told = clock.now(), -SAY_S
    away_since: float | None = None
    while True:
        try:
            return ask()
        except Full as error:
            away_since = None
            waits = f"Slurm's queue takes no more jobs of this user now, which is waited for: {error}"
        except Away as error:
            away_since = clock.now() if away_since is None else away_since
            check_away(away_since, str(error), clock)
            waits = f"Slurm's controller does not answer, which is waited for: {error}"
        if (passed := clock.now() - began) - told >= SAY_S:
            told = passed
            say(f"  {waits}")
        clock.sleep(clock.poll_s)


def check_away(since: float, said: str, clock: Clock) -> None:
    """
    Raises:
        InfrastructureError: the controller has been away for longer than anybody waits.
    """
    if clock.now() - since > clock.away_s:
        raise InfrastructureError(
            f"Slurm's controller has not answered for {clock.away_s / 60:.0f} min: {said}. Jobs in its queue are not "
            "lost; resume once sinfo answers here"
        )
