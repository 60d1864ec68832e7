"""The events of a session, a small class for each. An event holds facts; ids and times are passed in.

Old logs must always be readable: optional fields may be added, and the meaning of a field never changes.
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
    """The first event of every log."""

    type: Literal["session_started"] = "session_started"
    session: str
    idea: Idea
    options: Options
    earlier: Earlier | None = None  # of a session that continues another one


class ProcessStarted(Happened):
    """A process began to work on the session; active time is counted from here."""

    type: Literal["process_started"] = "process_started"
    pid: int
    host: str


class ProcessStopped(Happened):
    """The process ended its work on the session in good order. A killed process leaves no such event."""

    type: Literal["process_stopped"] = "process_stopped"
    reason: str  # "end", "interrupt", "error", or the error message that was printed


class OptionsChanged(Happened):
    """Options were changed at a resume; they hold from here on."""

    type: Literal["options_changed"] = "options_changed"
    options: Options


class CallFinished(Happened):
    """A model answered; the file `path` holds request and reply."""

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
    """A try of a call gave nothing of use, but was paid for; after a time-out it may have been paid for."""

    type: Literal["try_wasted"] = "try_wasted"
    step: str
    ordinal: int
    role: str
    model: str
    reason: str
    tokens_in: int  # after a time-out, estimated from what was sent
    tokens_out: int
    cost_usd: float | None
    estimated: str = ""  # why tokens or cost are an estimate
    tokens_cached: int = 0  # of tokens_in, read by the provider from its cache


class AnswerRefused(Happened):
    """A reply did not have the form that was asked for. The model is told why, and asked again."""

    type: Literal["answer_refused"] = "answer_refused"
    step: str
    ordinal: int
    role: str
    reason: str


class DataPrepared(Happened):
    """Training data and held-out truth are on disk, and the session's first files are committed."""

    type: Literal["data_prepared"] = "data_prepared"
    key: str
    hashes: dict[str, str]
    commit: str  # the first commit


class NoveltyChecked(Happened):
    """One round of asking whether the idea is known: a search, then a verdict or a wish for another search."""

    type: Literal["novelty_checked"] = "novelty_checked"
    round: int
    searched: tuple[str, ...]  # queries of this round
    sources: tuple[str, ...]  # the service that answered each query
    queries: tuple[str, ...]  # for the next round; empty with a verdict
    verdict: Literal["novel", "incremental", "published"] | None
    closest: tuple[Closest, ...]
    reason: str
    commit: str | None  # the commit of the verdict


class Planned(Happened):
    """The planner fixed the comparison and the first list of runs."""

    type: Literal["planned"] = "planned"
    plan: Plan
    commit: str
    instead_of: str = ""  # the weaker baseline that the planner named, and that the strongest one replaced


class Edited(Happened):
    """An attempt's code is committed. It is not linted or trained yet."""

    type: Literal["edited"] = "edited"
    run: str
    attempt: int
    commit: str


Stage = Literal["edit", "lint", "training", "integrity", "runner"]


class AttemptFailed(Happened):
    """An attempt ended without a result.

    `reason` is a code that never changes its meaning; `detail` goes to the agent.
    """

    type: Literal["attempt_failed"] = "attempt_failed"
    run: str
    attempt: int
    stage: Stage
    reason: str
    detail: str
    commit: str
    wall_s: float = 0.0  # seconds that its training took, if there was one


class LintPassed(Happened):
    """The linter has nothing against the attempt's code."""

    type: Literal["lint_passed"] = "lint_passed"
    run: str
    attempt: int


class RunSubmitted(Happened):
    """A runner accepted one attempt. Its result may be collected by another process."""

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
    """A run has used up its attempts; the session goes on."""

    type: Literal["run_failed"] = "run_failed"
    run: str
    attempts: int
    reason: str
    commit: str


class Commented(Happened):
    """The reviewer commented on a run in a few lines; `feedback` is what a person wrote since the last run."""

    type: Literal["commented"] = "commented"
    run: str
    text: str
    feedback: str


class Reflected(Happened):
    """The planner interpreted a run and said what comes next."""

    type: Literal["reflected"] = "reflected"
    run: str
    reflection: Reflection
    feedback: str = ""  # what a person wrote, if the planner got it here and not with a comment
    commit: str


class ConfirmationPlanned(Happened):
    """Exploration is over: the best run and the baseline are trained again on fresh seeds in fresh worlds."""

    type: Literal["confirmation_planned"] = "confirmation_planned"
    best: str | None  # run id; None: there is nothing to confirm
    baseline: str  # run id of the comparison that the plan fixed
    worlds: int = 1  # number of fresh worlds over which the seeds are spread
    reason: str = ""  # why there is nothing to confirm; older logs do not say it


class FiguresDrawn(Happened):
    """Figures were drawn and committed."""

    type: Literal["figures_drawn"] = "figures_drawn"
    figures: tuple[FigureText, ...]
    by: Literal["runner", "agent"]
    commit: str


class PlotEdited(Happened):
    """The editor changed plot.py, and the linter has nothing against it."""

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
    """The agent's attempts at plot.py are spent; the paper has only the runner's own figures."""

    type: Literal["plots_given_up"] = "plots_given_up"
    reason: str


class FiguresDescribed(Happened):
    """The writer described each figure in a paragraph, for the notes."""

    type: Literal["figures_described"] = "figures_described"
    descriptions: dict[str, str]
    commit: str


class SessionFinished(Happened):
    """The session is over; session.json is committed."""

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
