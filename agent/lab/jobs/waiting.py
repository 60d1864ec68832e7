"""A job's wait for places: asked for again and again, told in a file, and no part of the time that trainings take."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from agent.core.record import Job
from agent.lab.jobs.places import Claim, Places, Taken
from agent.storage.atomic import write_text

ASK_S = 0.2  # between two looks at the locks
TELL_S = 2.0  # of waiting, before it is told, and between two tellings


class Wait:
    """Of the trainings of one job, the one that is next waits; the others behind it."""

    def __init__(self, job: Job, told: Path, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._job, self._told, self._places, self._clock = job, told, places, clock
        self._told.unlink(missing_ok=True)  # of a supervisor that was killed
        self._claim: Claim | None = None
        self._idle_since: float | None = None
        self._asked = self._said = 0.0
        self.idle_s = 0.0  # in which the job waited and nothing of it ran

    def taken(self, key: tuple[int, str], *, idle: bool) -> Taken | None:
        """The places of this training, once they are free; `idle`: none of the job's trainings runs.

        Raises:
            InfrastructureError: the locks cannot be made.
        """
        now = self._clock()
        self._count(now, idle)
        if self._claim and now - self._asked < ASK_S:
            return None
        self._claim = self._claim or Claim(self._places, who(self._job, *key))
        self._asked = now
        if taken := self._claim.take():
            self.end()
            return taken
        self._idle_since = self._idle_since if self._idle_since is not None else now if idle else None
        if self._idle_since is not None and now - max(self._idle_since, self._said) >= TELL_S:
            self._said = now
            write_text(self._told, self._claim.behind() + "\n")
        return None

    def end(self) -> None:
        """The places are there, or nobody waits for them any more."""
        self._count(self._clock(), idle=False)
        self._told.unlink(missing_ok=True)
        if self._claim:
            self._claim.close()
            self._claim = None

    def _count(self, now: float, idle: bool) -> None:
        if self._idle_since is not None and not idle:
            self.idle_s += now - self._idle_since
            self._idle_since = None


def who(job: Job, seed: int, condition: str) -> str:
    """A training as others see it while it holds a place."""
    folder = Path(job.folder)
    session = folder.parents[2].name if len(folder.parents) > 3 else folder.name
    return f"{session}, run {job.run}, seed {seed}, {condition}"
