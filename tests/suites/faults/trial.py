"""One point: hit the session there, resume it, and compare what came of it with the undisturbed session."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.suites.faults import account
from tests.suites.faults.player import CRASHED
from tests.suites.faults.points import Point, in_words, needs_room, suits
from tests.suites.faults.stage import Played, Seen, Stage, kill

NEAR = 4  # effects before the place of one that this play did not have
RESUMES = 3  # a training that was lost may make the first one stop with its reason
STOPPED, BUDGET = 3, 4  # exit statuses; the second of a play that went as far as was asked


@dataclass
class Verdict:
    """What went wrong at one point; all empty or zero is right."""

    point: Point
    hit: bool = False
    lost: list[str] = field(default_factory=list)  # what is not as it would have been
    repeated: list[str] = field(default_factory=list)  # paid or trained twice
    left: list[str] = field(default_factory=list)  # processes, locks, temporary files
    rude: list[str] = field(default_factory=list)  # a traceback, or no clear word
    wall_s: float = 0.0
    instead: str = ""  # the effect that was hit, if it was another

    @property
    def right(self) -> bool:
        return self.hit and not (self.lost or self.repeated or self.left or self.rude)


class Blow:
    """Decides what happens at each effect: nothing, until the one it waits for (or, `near` it, one of its kind)."""

    def __init__(self, point: Point, *, near: bool = False) -> None:
        self._point, self._near, self._ordinal, self._among = point, near, 0, 0
        self.fell = self.over = False
        self.instead = ""

    def __call__(self, seen: Seen, stage: Stage) -> int | None:
        if self.fell:
            full = self._point.how == "full" and not self.over and needs_room(seen.effect.name)
            return errno.ENOSPC if full else None
        if seen.stream != self._point.stream or not self._is_here(seen):
            return None
        self.fell = True
        return self._strike(seen, stage)

    def _is_here(self, seen: Seen) -> bool:
        words = in_words(seen)
        if self._near:
            here = self._ordinal >= self._point.ordinal - NEAR and suits(seen, self._point.how)
            self.instead = words if here else ""
        else:
            here = words == self._point.what and self._among == self._point.among
            self._among += words == self._point.what
        self._ordinal += 1
        return here

    def _strike(self, seen: Seen, stage: Stage) -> int | None:
        """A victim's own call is not carried out any more."""
        match self._point.how:
            case "full":
                return errno.ENOSPC
            case "all":
                stage.kill_all()
                return errno.EIO
            case "uncached":
                stage.kill_all()
                stage.lose_the_cache()
                return errno.EIO
            case "stopped":
                stage.stop(seen.effect.pid)
                return None
            case "damaged":
                stage.damage_the_data()
            case "torn":
                _write_half(seen)
                kill(stage.loop)
                return errno.EIO
            case "self":
                kill(seen.effect.pid)
                return errno.EIO
        kill(stage.loop)
        return errno.EIO if seen.effect.pid == stage.loop else None


def _write_half(seen: Seen) -> None:
    line = b'{"type": "process_st'
    handle = os.open(seen.effect.path, os.O_WRONLY | os.O_APPEND)
    os.write(handle, line)
    os.close(handle)


def attempt(stage: Stage, point: Point, checkpoints: Path, wanted: dict, *, target: int | None) -> Verdict:
    """From the checkpoint before the point to the settled action `target`, or to the end of the session."""
    verdict = Verdict(point)
    for near in (False, True):
        stage.restore(checkpoints / str(point.segment))
        blow = Blow(point, near=near)
        plays = [stage.play(point.segment + 1, blow)]
        if blow.fell:
            break
        stage.left_alive()
    verdict.hit, verdict.instead, blow.over = blow.fell, blow.instead, True  # there is room again
    verdict.rude += stage.unheard()
    verdict.rude += _rude(plays[0], point)
    finished = _finished_calls(stage)
    while len(plays) <= RESUMES and (len(plays) == 1 or plays[-1].status not in (0, BUDGET)):
        plays.append(stage.play(target))
        verdict.rude += _rude(plays[-1], None)
    alive = stage.left_alive()
    verdict.left += [f"{alive} processes"] if alive else []
    verdict.wall_s = sum(play.wall_s for play in plays)
    if plays[-1].status not in (0, BUDGET):
        verdict.lost.append(f"resume ends with {plays[-1].status}: {plays[-1].said.strip()[-300:]}")
    verdict.lost += account.differences(account.account(stage.session), wanted)
    broken = account.fsck(stage.session / "repo")
    verdict.lost += [f"git fsck: {broken}"] if broken else []
    verdict.left += account.leftovers(stage.session)
    verdict.repeated += _repeated_calls(plays, finished) + repeated_trainings(stage.witness)
    return verdict


def _finished_calls(stage: Stage) -> set[str]:
    """What is recorded when the first process is gone: nobody may ask that again."""
    return {path.name for path in (stage.session / "calls").glob("[!.]*.json")}


def _repeated_calls(plays: list[Played], finished: set[str]) -> list[str]:
    asked_later = [f"{step}.{ordinal}.json" for play in plays[1:] for step, ordinal in play.paid]
    found = [f"the finished call {name} was paid again" for name in asked_later if name in finished]
    paid = Counter(call for play in plays for call in play.paid)
    twice = {call: number for call, number in paid.items() if number > 1}
    if len(twice) > 1 or any(number > 2 for number in twice.values()):
        found.append(f"more than the one call in flight was paid again: {twice}")
    return found


def repeated_trainings(witness: Path) -> list[str]:
    """A training that came to its end is never begun again, whatever its attempt is called by then."""
    return [f"trained twice: {line}" for line in witness.read_text().splitlines() if line.startswith("again")]


def _rude(play: Played, point: Point | None) -> list[str]:
    if play.status == CRASHED or "Traceback" in play.said:
        return [f"a traceback: {play.said.strip()[-600:]}"]
    if point is None or point.how != "full":
        return []
    if play.status not in (0, STOPPED, BUDGET):
        return [f"the disk is full: status {play.status}: {play.said.strip()[-300:]}"]
    if play.status == STOPPED and not re.search("room|space", play.said):
        return [f"no word of room: {play.said.strip()[-400:]}"]
    return []
