"""The command follow: prints a session's events as they happen, and the progress of its trainings. Only reads."""

from __future__ import annotations

import time
from datetime import datetime

from agent.actions.runs import last_words
from agent.app.console import Loudness, TerminalConsole
from agent.app.exits import DONE, INTERRUPTED
from agent.app.standing import job_under_way
from agent.app.wording import call_line, refusal_line
from agent.core.paths import SessionPaths
from agent.core.protocols import Progress, together
from agent.session.events import Event
from agent.session.session import Session, apply, fold, stage
from agent.storage.locks import is_locked
from agent.storage.log import EventLog
from agent.storage.workspace import read_session

POLL_S = 0.5


def follow(paths: SessionPaths, loudness: Loudness = "normal") -> int:
    """Prints events until the session is finished or no process works on it. Ctrl-C ends only the watching.

    The stamp of each line is the time of day of its event, also of past ones.

    Raises:
        UserError: no process works on it, and its log is empty.
    """
    watch = _Watch(paths, loudness)
    try:
        with watch.console.living():
            while not watch.look():
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        return INTERRUPTED
    session = watch.session or read_session(paths)
    state = "is finished" if session.finished else f"is stopped at stage {stage(session)}"
    watch.console.conclude(f"{paths.root.name} {state}")
    return DONE


class _Watch:
    """What was printed of a session so far."""

    def __init__(self, paths: SessionPaths, loudness: Loudness) -> None:
        self.session: Session | None = None
        self.console = TerminalConsole(loudness=loudness, stamp=self._stamp)
        self._paths, self._seen, self._day = paths, 0, ""
        self._at: float | None = None  # time of the event that is being printed; None: now

    def look(self) -> bool:
        """Prints what is new; returns whether the watching is over."""
        held = is_locked(self._paths.lock)
        events = list(EventLog(self._paths.events).read())
        for event in events[self._seen :]:
            self._show(event)
        self._seen, self._at = len(events), None
        if not held or (self.session and self.session.finished):
            return True
        if self.session:
            _show_training(self._paths, self.session, self.console)
        return False

    def _show(self, event: Event) -> None:
        self.session = session = apply(self.session, event) if self.session else fold([event])
        self._at = event.at
        day = f"{datetime.fromtimestamp(event.at):%Y-%m-%d}"
        if day != self._day:
            self._day = day
            self.console.say(f"{day}, session {session.session}")
        if told := describe(event, session):
            folded = event.type == "call_finished" and session.options.playback
            (self.console.detail if folded else self.console.say)(told)

    def _stamp(self) -> str:
        at = time.time() if self._at is None else self._at
        return f"{datetime.fromtimestamp(at):%H:%M:%S} "


def describe(event: Event, session: Session) -> str:
    """One line about an event, or "" for an event that a person need not see."""
    match event.type:
        case "call_finished":
            return call_line(event, session)
        case "answer_refused":
            return refusal_line(event)
        case "try_wasted":
            return f"{event.role}: {event.model}: {event.reason}"
        case "planned":
            return "plan: " + "; ".join(run.label for run in event.plan.runs)
        case "edited":
            return f"run {event.run}, attempt {event.attempt}: edited"
        case "attempt_failed":
            if event.stage == "runner":
                return f"run {event.run}, attempt {event.attempt}: its training came to nothing ({event.reason})"
            why = last_words(event.detail, event.stage)
            return f"run {event.run}, attempt {event.attempt} failed at {event.stage}: {event.reason}{why}"
        case "run_submitted":
            return f"run {_named(session, event.run)}: training"
        case "run_measured":
            metric = session.plan.comparison.metric if session.plan else "primary metric"
            return f"run {_named(session, event.run)}: measured, {metric} {event.primary:.4g}"
        case "run_failed":
            return f"run {_named(session, event.run)}: failed ({event.reason})"
        case "sections_written":
            count = sum(event.sections.values())
            refused = f", {count} {'complaint' if count == 1 else 'complaints'}" if count else ""
            return f"paper: {event.phase}: {', '.join(event.sections).replace('_', ' ')}{refused}"
        case "compiled":
            return f"paper: {'compiled, ' + str(event.pages) + ' pages' if event.ok else 'does not compile yet'}"
        case "sentences_judged":
            return f"judge: {event.failed or f'{len(event.judged)} sentences, {len(event.refused)} refused'}"
        case "evidence_reviewed":
            return f"evidence review: {event.failed or f'{len(event.doubts)} to repair'}"
        case "review_given":
            return f"review {event.number}: " + (
                f"{event.review.overall} of 10, {event.review.decision}" if event.review else "failed"
            )
        case "paper_reviewed":
            return f"review: {event.overall:.1f} of 10, {event.decision}" if event.overall else "review: none usable"
        case "revision_judged":
            return f"revision {event.revision}: {'kept' if event.kept else 'put back'}: {event.reason}"
        case "process_stopped":
            return f"the process stopped ({event.reason})"
        case _:
            return ""


def _named(session: Session, run: str) -> str:
    """A run with the name that the plan gave it, if it gave one."""
    planned = session.runs[run].planned if run in session.runs else None
    return f"{run} ({planned.label})" if planned else run


def _show_training(paths: SessionPaths, session: Session, console: TerminalConsole) -> None:
    from agent.lab.jobs.local import LocalRunner

    found = dict[str, Progress]()
    for run in (run for run in session.under_way if run.phase == "submitted"):
        if job := job_under_way(paths, run):
            found[run.run] = LocalRunner().progress(job)
    if found:
        runs = ", ".join(found)
        console.progress(f"runs {runs}" if len(found) > 1 else f"run {runs}", together(list(found.values())))
