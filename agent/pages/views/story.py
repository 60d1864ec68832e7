"""The stages of a session with their failures, the events in words, and an estimate of the time that remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median

from agent.core.manifest import Manifest
from agent.pages.views.words import iso, lasted
from agent.session import events as ev
from agent.session.events import Event
from agent.session.session import Session, apply, fold, stage

STAGES = {
    "prepare": "Preparing data",
    "novelty": "Is it known?",
    "baselines": "Baselines",
    "plan": "Plan",
    "runs": "Runs",
    "confirmation": "Confirmation",
    "plots": "Figures",
    "paper": "Paper",
    "review": "Review",
}
SHOWN = 400  # of the newest events, so many are listed
WRITING = 0.35  # time of writing and reviewing as a share of the time before: about what sessions with models took


@dataclass(frozen=True)
class Failure:
    """Something that failed. `at` is in active seconds since the start."""

    at: float
    what: str
    why: str
    anchor: str = ""  # of the run on the page; "" if no run failed


@dataclass(frozen=True)
class Span:
    """One stage from its first event to its last, in active seconds."""

    stage: str
    label: str
    begin: float
    end: float
    failures: tuple[Failure, ...] = ()
    now: bool = False

    @property
    def lasted(self) -> str:
        return lasted(self.end - self.begin)


@dataclass(frozen=True)
class Told:
    """One event in words."""

    at: str  # for machines
    clock: str  # active time since the start
    text: str
    bad: bool


@dataclass(frozen=True)
class Story:
    """The whole course of a session. Times are active seconds, in which the pauses of a stopped session do not
    count."""

    spans: tuple[Span, ...]
    total: float
    remaining: str  # the estimate in words; "" for a finished session
    told: tuple[Told, ...]  # the newest events
    untold: int  # how many older events are not listed


def story(
    events: tuple[Event, ...],
    session: Session,
    manifest: Manifest | None,
    now: float,
    running: bool,
    tell: Callable[[Event, Session], str],
) -> Story:
    """The course of a session.

    Args:
        now: the time of the calendar in seconds, for the stage that is under way.
        tell: gives the words of an event, "" for an event that is not listed.
    """
    spans: dict[str, Span] = {}
    told: list[Told] = []
    before, at, where = None, 0.0, ""
    for event in events:
        before = apply(before, event) if before else fold([event])
        at, was = before.active_s, where
        where = stage(before)
        _stretch(spans, was or where, at)
        if where != "done":
            _stretch(spans, where, at)
        for failure in _failures(event, at):
            name = was or where
            spans[name] = replace(spans[name], failures=(*spans[name].failures, failure))
        if words := tell(event, before):
            told.append(Told(iso(event.at), lasted(at), words, _is_bad(event)))
    if running and not session.finished and where in spans:
        at += max(0.0, now - session.last_at)
        _stretch(spans, where, at)
        spans[where] = replace(spans[where], now=True)
    return Story(
        spans=tuple(spans[name] for name in STAGES if name in spans),
        total=at,
        remaining="" if session.finished else _remaining(session, manifest),
        told=tuple(told[-SHOWN:]),
        untold=max(0, len(told) - SHOWN),
    )


def _stretch(spans: dict[str, Span], name: str, at: float) -> None:
    span = spans.get(name) or Span(name, STAGES.get(name, name), at, at)
    spans[name] = replace(span, end=max(span.end, at))


def _failures(event: Event, at: float) -> Iterator[Failure]:
    match event:
        case ev.AttemptFailed():
            last = event.detail.strip().splitlines()[-1:] or [""]
            why = f"{event.stage}: {event.reason}. {last[0]}"
            yield Failure(at, f"run {event.run}, attempt {event.attempt}", why, f"run-{event.run}")
        case ev.RunFailed():
            yield Failure(at, f"run {event.run}", event.reason, f"run-{event.run}")
        case ev.PlotFailed():
            yield Failure(at, f"plot.py, attempt {event.attempt}", event.reason)
        case ev.AnswerRefused():
            yield Failure(at, f"an answer of the {event.role}", event.reason)
        case ev.TryWasted():
            yield Failure(at, f"a call of the {event.role}", event.reason)
        case ev.Compiled(ok=False):
            yield Failure(at, "the paper did not compile", "; ".join(event.problems[:1]))


def _is_bad(event: Event) -> bool:
    return next(_failures(event, 0.0), None) is not None


def _remaining(session: Session, manifest: Manifest | None) -> str:
    """The remaining time in words: trainings that are to come, each as long as the median so far, then the paper."""
    lengths = [run.measured.wall_s for run in session.runs.values() if run.measured and run.kind != "confirmation"]
    if not lengths or manifest is None:
        return "not known yet: no run has been measured"
    profile = manifest.profiles[session.options.profile]
    one = median(lengths)
    waiting = sum(not run.over for run in session.runs.values())
    to_plan = 0
    if session.confirmation is None:
        known = [run for run in session.runs.values() if run.kind == "experiment"]
        to_plan = 0 if session.completed else max(0, session.options.runs - len(known))
    pairs = 0.0 if session.confirmation else 2 * profile.confirm_seeds / max(1, len(profile.seeds))
    training = one * (waiting + to_plan + pairs)
    if training <= 0:
        return "no training is left; the paper is being written"
    return f"about {lasted(training * (1 + WRITING))}: {lasted(training)} of training, then the paper"
