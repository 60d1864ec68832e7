"""The stages of a session with what failed in them, where it stands now, and what is likely to remain."""

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
SHOWN = 400  # events that are listed, the newest
WRITING = 0.35  # of the time until the paper: what writing and reviewing took in sessions that asked models, about


@dataclass(frozen=True)
class Failure:
    """Something that came to nothing. `at` is active seconds since the start."""

    at: float
    what: str
    why: str
    anchor: str = ""  # of the run, where it was one's


@dataclass(frozen=True)
class Span:
    """One stage from its first event to its last; a stage that was not reached has no length."""

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
    """All of it. Times are active seconds: what a stopped session waits is not counted."""

    spans: tuple[Span, ...]
    total: float
    remaining: str  # in words; "" where nothing is to come
    told: tuple[Told, ...]
    untold: int  # older events that are not listed


def story(
    events: tuple[Event, ...],
    session: Session,
    manifest: Manifest | None,
    now: float,
    running: bool,
    tell: Callable[[Event, Session], str],
) -> Story:
    """`now` is the calendar's time, for the stage that is under way; `tell` gives an event's words, "" for none."""
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
    """Trainings that are to come, at the median length of those that were measured; and the paper after them."""
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
