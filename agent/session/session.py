"""Session = fold(events). Pure: no clock, no disk, no console.

There is a Session only once one was started: the first event, SessionStarted, makes it, the others change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.core.copied import replace
from agent.core.earlier import Earlier
from agent.core.errors import InfrastructureError, UserError
from agent.core.ideas import Idea
from agent.core.options import Options
from agent.core.plan import Comparison, Plan, PlannedRun, Reflection
from agent.core.works import Chosen
from agent.core.writing import WRITING_ORDER, FigureText, Refusal, Unsupported
from agent.session import events as ev
from agent.session.judging import Best, Judging
from agent.session.states import RunState, SectionState


@dataclass(frozen=True)
class Session:
    """Everything the policy may look at."""

    session: str
    idea: Idea
    options: Options
    earlier: Earlier | None = None  # what it takes over from the session that it continues
    data_key: str | None = None
    data_hashes: dict[str, str] = field(default_factory=dict)
    first_commit: str = ""  # once the data are prepared
    novelty: tuple[ev.NoveltyChecked, ...] = ()
    plan: Plan | None = None
    pending: tuple[PlannedRun, ...] = ()
    completed: bool = False  # the planner said ALL_COMPLETED
    reflection: Reflection | None = None  # the newest, of whichever run
    confirmation: ev.ConfirmationPlanned | None = None
    runs: dict[str, RunState] = field(default_factory=dict)
    figures: tuple[FigureText, ...] = ()
    standard_figures: bool = False
    plot_attempt: int = 1
    plot_edited: bool = False
    plots_over: bool = False
    plot_failures: tuple[ev.PlotFailed, ...] = ()
    described: bool = False
    sections: dict[str, SectionState] = field(default_factory=dict)
    sought: tuple[ev.CitationsSought, ...] = ()
    chosen: tuple[ev.CitationsChosen, ...] = ()
    support: tuple[ev.SupportChecked, ...] = ()
    uncompared: bool = False  # something was written since cited sentences were compared with what they cite
    judgements: tuple[ev.SentencesJudged, ...] = ()
    unjudged: bool = False  # something was written since told sentences were judged
    compiled: ev.Compiled | None = None
    returned: tuple[tuple[str, str], ...] = ()  # section, complaint: what the first compile sent back to the writer
    judging: Judging = Judging()
    finished: bool = False
    calls: dict[tuple[str, int], ev.CallFinished] = field(default_factory=dict)
    refused: frozenset[tuple[str, int]] = frozenset()  # calls whose answer was not of the form asked for
    tokens: int = 0
    tokens_cached: int = 0  # of these, read from a provider's cache
    usd: float = 0.0
    unpriced_calls: int = 0
    active_s: float = 0.0  # time that processes held the session, by clocks that no sleep and no setting moves
    last_at: float = 0.0  # newest event of the process that holds it now, by the calendar
    started_at: float = 0.0

    @property
    def experiments(self) -> list[RunState]:
        return [run for run in self.runs.values() if run.kind == "experiment"]

    @property
    def comparison(self) -> Comparison:
        """What the plan fixed before the first run.

        Raises:
            InfrastructureError: nothing is planned yet.
        """
        if self.plan is None:
            raise InfrastructureError(f"session {self.session} has no plan yet")
        return self.plan.comparison

    @property
    def verdict(self) -> ev.NoveltyChecked | None:
        """The round in which novelty was decided."""
        return self.novelty[-1] if self.novelty and self.novelty[-1].verdict else None

    @property
    def to_cite(self) -> tuple[Chosen, ...]:
        """What the citation rounds chose."""
        return tuple(c for event in self.chosen for c in event.chosen)

    @property
    def unsupported(self) -> tuple[Unsupported, ...]:
        """Cited sentences that were refused; one that was rewritten since stands here without effect."""
        return tuple(u for event in self.support for u in event.unsupported)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Told sentences that were refused; one that was rewritten since stands here without effect."""
        return tuple(r for event in self.judgements for r in event.refused)

    def answered_by(self, *steps: str) -> str:
        """The model that gave the last answer to one of these steps; "" where nobody did."""
        return next((call.model for (step, _), call in reversed(self.calls.items()) if step in steps), "")

    @property
    def under_way(self) -> tuple[RunState, ...]:
        """The runs that have begun and are not over, or over but not yet reflected on; baselines wait here too."""
        return tuple(r for r in self.runs.values() if not r.over or (r.kind == "experiment" and r.reflection is None))

    @property
    def current(self) -> RunState | None:
        """The first of the runs under way."""
        return next(iter(self.under_way), None)

    @property
    def startable(self) -> tuple[PlannedRun, ...]:
        """The planned runs that can start now, the next one first: those whose code to start from is there.

        A run that starts from one under way, or from one that is itself still to come, waits for it.
        """
        busy = {run.planned.name for run in self.under_way if run.planned and not run.over}
        if not busy:
            return self.pending
        busy |= {planned.name for planned in self.pending}
        return tuple(planned for planned in self.pending if planned.start_from not in busy)


def fold(events: Iterable[ev.Event]) -> Session:
    """The state after these events.

    Raises:
        UserError: there are none.
        InfrastructureError: the first of them does not start a session.
    """
    rest = iter(events)
    first = next(rest, None)
    if first is None:
        raise UserError("its log is empty; start the idea anew")
    if not isinstance(first, ev.SessionStarted):
        raise InfrastructureError(f"its log begins with {first.type}, not with session_started; restore its first line")
    session = begin(first)
    for event in rest:
        session = apply(session, event)
    return session


def begin(event: ev.SessionStarted) -> Session:
    """The state of a session that was just started; its baselines are runs from here on."""
    names = [baseline_id(position, name) for position, name in enumerate(event.options.baselines)]
    return Session(
        session=event.session,
        idea=event.idea,
        options=event.options,
        earlier=event.earlier,
        runs={name: RunState(name, "baseline") for name in names},
        last_at=event.at,
        started_at=event.at,
    )


def apply(session: Session, event: ev.Event) -> Session:
    """One more event onto the state."""
    return _apply(_tick(session, event), event)


def _tick(session: Session, event: ev.Event) -> Session:
    """Active time is what lies between the events of one process; the gap before a new process is not.

    An event states the active time up to it. In lines of older versions, which do not, the calendar tells the gaps.
    """
    if event.active is not None:
        return replace(session, active_s=event.active, last_at=event.at)
    gap = 0.0 if isinstance(event, ev.ProcessStarted) else max(0.0, event.at - session.last_at)
    return replace(session, active_s=session.active_s + gap, last_at=event.at)


def _apply(session: Session, event: ev.Event) -> Session:
    match event:
        case ev.OptionsChanged():
            more = event.options.improve > session.options.improve
            now, before = event.options, session.options
            if (now.allow, now.paper_style) == (before.allow, before.paper_style):
                return replace(session, options=event.options, finished=session.finished and not more)
            return replace(session, options=event.options, compiled=None, finished=False)  # another edition
        case ev.CallFinished():
            known = (event.step, event.ordinal) in session.calls
            if known:
                return session
            return _charge(replace(session, calls={**session.calls, (event.step, event.ordinal): event}), event)
        case ev.TryWasted():
            return _charge(session, event)
        case ev.AnswerRefused():
            return replace(session, refused=session.refused | {(event.step, event.ordinal)})
        case ev.DataPrepared():
            return replace(session, data_key=event.key, data_hashes=event.hashes, first_commit=event.commit)
        case ev.NoveltyChecked():
            return replace(session, novelty=(*session.novelty, event))
        case ev.Planned():
            return replace(session, plan=event.plan, pending=event.plan.runs)
        case ev.Edited():
            run = _run(session, event.run)
            return _put(session, replace(run, phase="edited", attempt=event.attempt, code=event.commit))
        case ev.LintPassed():
            return _put(session, replace(_run(session, event.run), phase="linted"))
        case ev.RunSubmitted():
            return _put(session, replace(_run(session, event.run), phase="submitted", key=event.key, code=event.commit))
        case ev.AttemptFailed():
            return _attempt_failed(session, event)
        case ev.RunMeasured():
            return _put(session, replace(_run(session, event.run), phase="measured", measured=event))
        case ev.RunFailed():
            return _put(session, replace(_run(session, event.run), phase="failed"))
        case ev.Commented():
            return _put(session, replace(_run(session, event.run), comment=event, feedback=event.feedback))
        case ev.Reflected():
            word = session.runs[event.run].feedback or event.feedback
            run = replace(_run(session, event.run), reflection=event.reflection, feedback=word)
            session = _put(session, run)
            told = event.reflection
            return replace(session, pending=told.runs, completed=told.completed, reflection=told)
        case ev.ConfirmationPlanned():
            arms = (
                {}
                if event.best is None
                else {
                    name: RunState(name, "confirmation", repeats=repeated)
                    for name, repeated in (("confirm.baseline", event.baseline), ("confirm.best", event.best))
                }
            )
            return replace(session, confirmation=event, runs={**session.runs, **arms})
        case ev.FiguresDrawn():
            figures = tuple(f for f in session.figures if f.by != event.by) + event.figures
            if event.by == "runner":
                return replace(session, figures=figures, standard_figures=True)
            return replace(session, figures=figures, plots_over=True)
        case ev.PlotEdited():
            return replace(session, plot_edited=True, plot_attempt=event.attempt)
        case ev.PlotFailed():
            return replace(
                session,
                plot_edited=False,
                plot_attempt=event.attempt + 1,
                plot_failures=(*session.plot_failures, event),
            )
        case ev.PlotsGivenUp():
            return replace(session, plots_over=True)
        case ev.FiguresDescribed():
            figures = tuple(
                f.model_copy(update={"description": event.descriptions.get(f.name, f.description)})
                for f in session.figures
            )
            return replace(session, figures=figures, described=True)
        case ev.SectionsWritten() | ev.SectionWritten():
            counts = event.sections if isinstance(event, ev.SectionsWritten) else {event.section: event.complaints}
            written = {name: SectionState(event.phase, event.round, n, event.revision) for name, n in counts.items()}
            session = _next_draft(session, event, session.compiled) if session.compiled else session
            return replace(session, sections={**session.sections, **written}, uncompared=True, unjudged=True)
        case ev.CitationsSought():
            return replace(session, sought=(*session.sought, event))
        case ev.CitationsChosen():
            return replace(session, chosen=(*session.chosen, event))
        case ev.SupportChecked():
            return replace(session, support=(*session.support, event), uncompared=False)
        case ev.SentencesJudged():
            return replace(session, judgements=(*session.judgements, event), unjudged=False)
        case ev.Compiled():
            return replace(session, compiled=event, returned=session.returned or event.returned)
        case ev.ReviewGiven() | ev.PaperReviewed() | ev.RevisionChecked():
            return replace(session, judging=session.judging.apply(event))
        case ev.RevisionJudged():
            judging, best = session.judging.apply(event), session.judging.best
            if event.kept or best is None:
                return replace(session, judging=judging)
            return replace(session, judging=judging, compiled=None, sections=best.sections)
        case ev.SessionFinished():
            return replace(session, finished=True)
    return session


def _next_draft(session: Session, event: ev.SectionsWritten | ev.SectionWritten, compiled: ev.Compiled) -> Session:
    """Something is written though the paper is compiled: that paper is the past."""
    judging = session.judging
    if event.phase == "improve" and judging.meta is not None:
        best = Best(compiled, session.sections, judging.reviews, judging.meta)
        return replace(session, judging=judging.revise(event.revision, best), compiled=None)
    return replace(session, judging=judging.new_draft(), compiled=None)


def _attempt_failed(session: Session, event: ev.AttemptFailed) -> Session:
    run = _run(session, event.run)
    run = replace(run, failures=(*run.failures, event))
    if event.stage == "runner":  # a lost machine is not the agent's fault: the same code is trained again
        return _put(session, replace(run, phase="linted", restarts=run.restarts + 1))
    return _put(session, replace(run, phase="new", attempt=event.attempt + 1, restarts=0))


def _run(session: Session, run: str) -> RunState:
    """The run as far as it has come; one that no event has named before is the next that was planned."""
    return session.runs.get(run) or RunState(run, "experiment", upcoming(session))


def _put(session: Session, run: RunState) -> Session:
    """The session with this state of a run; its first event takes it off the list of what is planned.

    Experiments that are over stand in the order in which they ended.
    """
    before = session.runs.get(run.run)
    pending, runs = session.pending, {**session.runs, run.run: run}
    if before is None and run.planned in pending:
        place = pending.index(run.planned)
        pending = (*pending[:place], *pending[place + 1 :])
    if before and run.kind == "experiment" and run.over and not before.over:
        runs[run.run] = runs.pop(run.run)
    return replace(session, pending=pending, runs=runs)


def _charge(session: Session, event: ev.CallFinished | ev.TryWasted) -> Session:
    return replace(
        session,
        tokens=session.tokens + event.tokens_in + event.tokens_out,
        tokens_cached=session.tokens_cached + event.tokens_cached,
        usd=session.usd + (event.cost_usd or 0.0),
        unpriced_calls=session.unpriced_calls + (event.cost_usd is None),
    )


def baseline_id(position: int, name: str) -> str:
    """Run 0 is the first baseline; a further one is 0.<name>."""
    return "0" if position == 0 else f"0.{name}"


def stage(session: Session) -> str:
    """Where the session stands, in one word."""
    if session.finished:
        return "done"
    if session.data_key is None:
        return "prepare"
    if not novelty_over(session):
        return "novelty"
    if any(run.is_baseline and not run.over for run in session.runs.values()):
        return "baselines"
    if session.plan is None:
        return "plan"
    if session.confirmation is None and not runs_over(session):
        return "runs"
    if session.confirmation is None or session.current is not None:
        return "confirmation"
    if not session.described:
        return "plots"
    if session.compiled is None or len(session.sections) < len(WRITING_ORDER):
        return "paper"
    return "review"


def missing_pdf(session: Session) -> str:
    """Why a paper that was asked for has no PDF: TeX's first complaint; "" where it has one, or none was asked for."""
    made = session.compiled
    if not session.options.pdf or made is None or made.pages:
        return ""
    return made.problems[0] if made.problems else "TeX made none"


def novelty_over(session: Session) -> bool:
    """Decided, not wanted, or past: a session that was planned before there was such a check."""
    return session.options.skip_novelty or session.plan is not None or session.verdict is not None


def runs_over(session: Session) -> bool:
    """No run is under way and none is to come."""
    return session.current is None and not may_start(session)


def may_start(session: Session) -> bool:
    """A further run may begin now: one is planned that can, and the exploration is not over."""
    over = session.completed or session.confirmation is not None or len(session.experiments) >= session.options.runs
    return not over and bool(session.startable)


def upcoming(session: Session) -> PlannedRun:
    """The planned run that starts next.

    Raises:
        InfrastructureError: none is planned that can; the log does not belong together.
    """
    if not session.startable:
        raise InfrastructureError(f"session {session.session}: a run begins that nobody planned; restore its log")
    return session.startable[0]
