"""What the time of sessions went into, by their events: trainings, a model's answers, and the loop itself.

Not here: how the sessions are started (fleet.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent.core.paths import SessionPaths
from agent.core.record import JobResult
from agent.lab.jobs.paths import JobPaths
from agent.session.events import CallFinished, Event, ProcessStarted, ProcessStopped, RunSubmitted
from agent.storage.log import EventLog

Span = tuple[float, float]  # from, to: seconds since the epoch


@dataclass(frozen=True)
class Spent:
    """Seconds of one session from its first event to its last; the three parts are its whole time."""

    training: float  # its trainings were under way, or waited for a place
    model: float  # a model was asked, and no training under way
    own: dict[str, float]  # the rest, by the event that came of it

    @property
    def whole(self) -> float:
        return self.training + self.model + sum(self.own.values())


def spent(events: Sequence[Event], trainings: Sequence[Span], calls: Sequence[Span]) -> Spent:
    """The time between two events of one process belongs to the later one, as far as nothing else was waited for."""
    own: Counter[str] = Counter()
    trained = asked = 0.0
    for before, after in pairwise(events):
        if isinstance(after, ProcessStarted) and not isinstance(before, ProcessStarted):
            continue  # nobody worked on it
        whole = (before.at, after.at)
        train = covered(whole, trainings)
        either = covered(whole, [*trainings, *calls])
        trained, asked = trained + train, asked + either - train
        own[after.type] += whole[1] - whole[0] - either
    return Spent(trained, asked, dict(own))


def covered(whole: Span, spans: Iterable[Span]) -> float:
    """How much of a span lies in any of the others."""
    total, upto = 0.0, whole[0]
    for start, end in sorted(spans):
        start, end = max(start, upto), min(end, whole[1])
        if end > start:
            total, upto = total + end - start, end
    return total


def of_session(paths: SessionPaths) -> Spent:
    """Read from a session's log, its calls and its jobs."""
    events = list(EventLog(paths.events).read())
    calls = []
    for event in events:
        if isinstance(event, CallFinished):
            took = json.loads((paths.root / event.path).read_text())["wall_s"]
            calls.append((event.at - took, event.at))
    jobs = []
    for event in events:
        if isinstance(event, RunSubmitted):
            result = paths.attempt(event.run, event.attempt, 0) / "result.json"
            if result.exists():  # else it was known before
                jobs.append((event.at, result.stat().st_mtime))
    return spent([event for event in events if not isinstance(event, ProcessStopped)], jobs, calls)


@dataclass(frozen=True)
class Trained:
    """One training: when its supervisor began, its sandbox started, and its measuring ended."""

    asked: float
    start: float
    end: float


def trainings(root: Path) -> list[Trained]:
    """Those of all sessions of a workspace, by their start."""
    found = []
    for result in root.glob("*/runs/*/attempt-*/result.json"):
        job = JobResult.model_validate_json(result.read_bytes())
        for one in job.trainings:
            task = result.parent / "trainings" / f"{one.condition}-seed{one.seed}" / "code" / "task.json"
            ended = JobPaths(result.parent).training(one.seed, one.condition)
            found.append(Trained(job.started_at, task.stat().st_mtime, ended.stat().st_mtime))
    return sorted(found, key=lambda one: one.start)


def handed_on(found: Sequence[Trained]) -> list[float]:
    """Seconds from the end of a training to the start of the next, where that one was waiting by then."""
    gaps = []
    for one in found:
        before = max((other.end for other in found if other.end <= one.start), default=None)
        if before is not None and before > one.asked:
            gaps.append(one.start - before)
    return gaps
