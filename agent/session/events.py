"""What happened, one small class an event. Facts only; ids and the clock are passed in.

An old log must always replay: optional fields may be added, a meaning never changes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import ConfigDict, Field, TypeAdapter

from agent.core.earlier import Earlier
from agent.core.ideas import Idea
from agent.core.options import Options
from agent.core.plan import Plan, Reflection
from agent.core.schema import Happened
from agent.core.works import Closest
from agent.core.writing import FigureText
from agent.session.paper_events import (
    CitationsChosen,
    CitationsSought,
    Compiled,
    EvidenceReviewed,
    PaperReviewed,
    ReviewGiven,
    RevisionChecked,
    RevisionJudged,
    SectionsWritten,
    SectionWritten,
    SentencesJudged,
    SupportChecked,
)


class SessionStarted(Happened):
    """First line of every log."""

    type: Literal["session_started"] = "session_started"
    session: str
    idea: Idea
    options: Options
    earlier: Earlier | None = None  # of a session that continues another one


class ProcessStarted(Happened):
    """A process took the session up; active time is counted from here."""

    type: Literal["process_started"] = "process_started"
    pid: int
    host: str


class ProcessStopped(Happened):
    """The process let go of the session in good order. A killed one leaves no such line."""

    type: Literal["process_stopped"] = "process_stopped"
    reason: str  # "end", "interrupt", "error", or the line that was said


class OptionsChanged(Happened):
    """Options given at resume; they hold from here on."""

    type: Literal["options_changed"] = "options_changed"
    options: Options


class CallFinished(Happened):
    """A model answered; request and reply lie in `path`."""

    type: Literal["call_finished"] = "call_finished"
    step: str
    ordinal: int
    role: str
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float | None  # None: the price is not known
    path: str
    sha256: str
    estimated: str = ""  # why tokens or cost are an estimate
    tokens_cached: int = 0  # of tokens_in, read by the provider from its cache


class TryWasted(Happened):
    """A try of a call gave nothing of use and is (or, after a time-out, may be) paid for all the same."""

    type: Literal["try_wasted"] = "try_wasted"
    step: str
    ordinal: int
    role: str
    model: str
    reason: str
    tokens_in: int  # of a time-out: estimated from what was sent
    tokens_out: int
    cost_usd: float | None
    estimated: str = ""  # why tokens or cost are an estimate
    tokens_cached: int = 0  # of tokens_in, read by the provider from its cache


class AnswerRefused(Happened):
    """A reply was not of the form that was asked for; the model is told, and asked again."""

    type: Literal["answer_refused"] = "answer_refused"
    step: str
    ordinal: int
    role: str
    reason: str


class DataPrepared(Happened):
    """Training data and held-out truth are on disk."""

    type: Literal["data_prepared"] = "data_prepared"
    key: str
    hashes: dict[str, str]
    commit: str  # of the session's first files


class NoveltyChecked(Happened):
    """One round of asking whether the idea is known: searched, read, and decided or asked further."""

    type: Literal["novelty_checked"] = "novelty_checked"
    round: int
    searched: tuple[str, ...]  # queries of this round
    sources: tuple[str, ...]  # who answered them
    queries: tuple[str, ...]  # wanted next; none with a verdict
    verdict: Literal["novel", "incremental", "published"] | None
    closest: tuple[Closest, ...]
    reason: str
    commit: str | None  # where a verdict stands in the repository


class Planned(Happened):
    """The planner fixed the comparison and the first list of runs."""

    type: Literal["planned"] = "planned"
    plan: Plan
    commit: str
    instead_of: str = ""  # the weaker baseline that the planner named, if it named one


class Edited(Happened):
    """An attempt's code is committed; it has not been linted or trained yet."""

    type: Literal["edited"] = "edited"
    run: str
    attempt: int
    commit: str


Stage = Literal["edit", "lint", "training", "integrity", "runner"]


class AttemptFailed(Happened):
    """An attempt ended without a result. `reason` is a stable code, `detail` goes to the agent."""

    type: Literal["attempt_failed"] = "attempt_failed"
    run: str
    attempt: int
    stage: Stage
    reason: str
    detail: str
    commit: str
    wall_s: float = 0.0  # that its training took, where it came to one


class LintPassed(Happened):
    type: Literal["lint_passed"] = "lint_passed"
    run: str
    attempt: int


class RunSubmitted(Happened):
    """A runner accepted one attempt; its result may come in another process."""

    type: Literal["run_submitted"] = "run_submitted"
    run: str
    attempt: int
    key: str
    commit: str


class RunMeasured(Happened):
    """A run has its record: records/<run>.json."""

    type: Literal["run_measured"] = "run_measured"
    run: str
    attempt: int
    record_sha256: str
    primary: float  # mean of the primary metric over seeds and conditions
    wall_s: float
    flags: tuple[str, ...]
    code: str  # commit that was trained
    commit: str  # commit of the record


class RunFailed(Happened):
    """A run's attempts are spent; the session goes on."""

    type: Literal["run_failed"] = "run_failed"
    run: str
    attempts: int
    reason: str
    commit: str


class Commented(Happened):
    """The reviewer's few lines on a run, and a person's word if there was one."""

    type: Literal["commented"] = "commented"
    run: str
    text: str
    feedback: str


class Reflected(Happened):
    """The planner read a run and said what comes next."""

    type: Literal["reflected"] = "reflected"
    run: str
    reflection: Reflection
    feedback: str = ""  # a person's word that this reflection was given, if no comment took it first
    commit: str


class ConfirmationPlanned(Happened):
    """Exploration is over: which run is trained once more, against what, on fresh seeds and a fresh world."""

    type: Literal["confirmation_planned"] = "confirmation_planned"
    best: str | None  # run id; None: there is nothing to confirm
    baseline: str  # run id of the comparison that the plan fixed
    worlds: int = 1  # fresh worlds that the seeds are spread over
    reason: str = ""  # why there is nothing to confirm; older logs do not say it


class FiguresDrawn(Happened):
    """Figures are in the repository."""

    type: Literal["figures_drawn"] = "figures_drawn"
    figures: tuple[FigureText, ...]
    by: Literal["runner", "agent"]
    commit: str


class PlotEdited(Happened):
    type: Literal["plot_edited"] = "plot_edited"
    attempt: int
    commit: str


class PlotFailed(Happened):
    """plot.py was not edited, did not lint, or did not run."""

    type: Literal["plot_failed"] = "plot_failed"
    attempt: int
    reason: str
    detail: str
    commit: str


class PlotsGivenUp(Happened):
    """The paper goes on with the standard figures alone."""

    type: Literal["plots_given_up"] = "plots_given_up"
    reason: str


class FiguresDescribed(Happened):
    """Each figure has its paragraph in the notes."""

    type: Literal["figures_described"] = "figures_described"
    descriptions: dict[str, str]
    commit: str


class SessionFinished(Happened):
    type: Literal["session_finished"] = "session_finished"
    commit: str


Event = Annotated[
    Union[  # noqa: UP007  (one tagged union for reading; `|` over 25 names reads worse)
        SessionStarted,
        ProcessStarted,
        ProcessStopped,
        OptionsChanged,
        CallFinished,
        TryWasted,
        AnswerRefused,
        DataPrepared,
        Planned,
        Edited,
        AttemptFailed,
        LintPassed,
        RunSubmitted,
        RunMeasured,
        RunFailed,
        Commented,
        Reflected,
        ConfirmationPlanned,
        FiguresDrawn,
        PlotEdited,
        PlotFailed,
        PlotsGivenUp,
        FiguresDescribed,
        SectionsWritten,
        SectionWritten,
        NoveltyChecked,
        CitationsSought,
        CitationsChosen,
        SupportChecked,
        SentencesJudged,
        Compiled,
        EvidenceReviewed,
        ReviewGiven,
        PaperReviewed,
        RevisionChecked,
        RevisionJudged,
        SessionFinished,
    ],
    Field(discriminator="type"),
]
ADAPTER: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))
