"""A job's wait for a slot of its session and then for places of this machine.

It asks again and again, tells in a file whom it waits for, and counts the wait, which is no part of a training's time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from agent.core.record import Job
from agent.lab.jobs.places import Claim, Places, Taken
from agent.storage.atomic import write_text
from agent.storage.locks import try_lock

ASK_S = 0.2  # between two looks at the locks
TELL_S = 2.0  # of waiting, before it is told, and between two tellings


class Wait:
    """Of the trainings of one job, the one that is next waits; the others behind it."""

    def __init__(self, job: Job, told: Path, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._job, self._told, self._places, self._clock = job, told, places, clock
        self._told.unlink(missing_ok=True)  # of a supervisor that was killed
        self._slot: tuple[int, ...] = ()  # the handle of its lock, once there is one
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
        self._asked = now
        self._claim = self._claim or Claim(self._places, who(self._job, *key))
        may_train = self._has_slot()
        if may_train and (taken := self._claim.take()):
            taken = Taken(taken.visible, (*taken.handles, *self._slot))
            self._slot = ()  # the training holds it from here on
            self.end()
            return taken
        self._idle_since = self._idle_since if self._idle_since is not None else now if idle else None
        # a wait for the session's own trainings is not worth a word
        if may_train and self._idle_since is not None and now - max(self._idle_since, self._said) >= TELL_S:
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
        for handle in self._slot:
            os.close(handle)
        self._slot = ()

    def _has_slot(self) -> bool:
        """Other jobs of the session take slots as well: another branch, another baseline."""
        if self._slot or not self._job.slots_folder:
            return True
        folder = Path(self._job.slots_folder)
        folder.mkdir(exist_ok=True)
        for number in range(max(1, self._job.slots)):
            if (handle := try_lock(folder / str(number), tries=1)) is not None:
                self._slot = (handle,)
                return True
        return False

    def _count(self, now: float, idle: bool) -> None:
        if self._idle_since is not None and not idle:
            self.idle_s += now - self._idle_since
            self._idle_since = None


def who(job: Job, seed: int, condition: str) -> str:
    """A training as others see it while it holds a place."""
    folder = Path(job.folder)
    session = folder.parents[2].name if len(folder.parents) > 3 else folder.name
    return f"{session}, run {job.run}, seed {seed}, {condition}"
