"""What happened, one small class an event. Facts only; ids and the clock are passed in.

An old log must always replay: optional fields may be added, a meaning never changes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field, TypeAdapter

from agent.reviews import Doubt, MetaWords, Review
from agent.schema import Strict
from agent.types import Chosen, Closest, FigureText, Idea, Missing, Options, Plan, Reflection, Unsupported


class _Event(Strict):
    at: float  # seconds since the epoch


class SessionStarted(_Event):
    """First line of every log."""

    type: Literal["session_started"] = "session_started"
    session: str
    idea: Idea
    options: Options


class ProcessStarted(_Event):
    """A process took the session up; active time is counted from here."""

    type: Literal["process_started"] = "process_started"
    pid: int
    host: str


class ProcessStopped(_Event):
    """The process let go of the session in good order. A killed one leaves no such line."""

    type: Literal["process_stopped"] = "process_stopped"
    reason: str  # "end", "interrupt", "error", or the line that was said


class OptionsChanged(_Event):
    """Options given at resume; they hold from here on."""

    type: Literal["options_changed"] = "options_changed"
    options: Options


class CallFinished(_Event):
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


class TryWasted(_Event):
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


class AnswerRefused(_Event):
    """A reply was not of the form that was asked for; the model is told, and asked again."""

    type: Literal["answer_refused"] = "answer_refused"
    step: str
    ordinal: int
    role: str
    reason: str


class DataPrepared(_Event):
    """Training data and held-out truth are on disk."""

    type: Literal["data_prepared"] = "data_prepared"
    key: str
    hashes: dict[str, str]
    commit: str  # of the session's first files


class NoveltyChecked(_Event):
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


class Planned(_Event):
    """The planner fixed the comparison and the first list of runs."""

    type: Literal["planned"] = "planned"
    plan: Plan
    commit: str


class Edited(_Event):
    """An attempt's code is committed; it has not been linted or trained yet."""

    type: Literal["edited"] = "edited"
    run: str
    attempt: int
    commit: str


class AttemptFailed(_Event):
    """An attempt ended without a result. `reason` is a stable code, `detail` goes to the agent."""

    type: Literal["attempt_failed"] = "attempt_failed"
    run: str
    attempt: int
    stage: Literal["edit", "lint", "training", "integrity", "runner"]
    reason: str
    detail: str
    commit: str


class LintPassed(_Event):
    type: Literal["lint_passed"] = "lint_passed"
    run: str
    attempt: int


class RunSubmitted(_Event):
    """A runner accepted one attempt; its result may come in another process."""

    type: Literal["run_submitted"] = "run_submitted"
    run: str
    attempt: int
    key: str
    commit: str


class RunMeasured(_Event):
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


class RunFailed(_Event):
    """A run's attempts are spent; the session goes on."""

    type: Literal["run_failed"] = "run_failed"
    run: str
    attempts: int
    reason: str
    commit: str


class Commented(_Event):
    """The reviewer's few lines on a run, and a person's word if there was one."""

    type: Literal["commented"] = "commented"
    run: str
    text: str
    feedback: str


class Reflected(_Event):
    """The planner read a run and said what comes next."""

    type: Literal["reflected"] = "reflected"
    run: str
    reflection: Reflection
    feedback: str = ""  # a person's word that this reflection was given, if no comment took it first
    commit: str


class ConfirmationPlanned(_Event):
    """Exploration is over: which run is trained once more, against what, on fresh seeds and a fresh world."""

    type: Literal["confirmation_planned"] = "confirmation_planned"
    best: str | None  # run id; None: no experiment was measured, so there is nothing to confirm
    baseline: str  # run id of the comparison that the plan fixed


class FiguresDrawn(_Event):
    """Figures are in the repository."""

    type: Literal["figures_drawn"] = "figures_drawn"
    figures: tuple[FigureText, ...]
    by: Literal["runner", "agent"]
    commit: str


class PlotEdited(_Event):
    type: Literal["plot_edited"] = "plot_edited"
    attempt: int
    commit: str


class PlotFailed(_Event):
    """plot.py was not edited, did not lint, or did not run."""

    type: Literal["plot_failed"] = "plot_failed"
    attempt: int
    reason: str
    detail: str
    commit: str


class PlotsGivenUp(_Event):
    """The paper goes on with the standard figures alone."""

    type: Literal["plots_given_up"] = "plots_given_up"
    reason: str


class FiguresDescribed(_Event):
    """Each figure has its paragraph in the notes."""

    type: Literal["figures_described"] = "figures_described"
    descriptions: dict[str, str]
    commit: str


class SectionWritten(_Event):
    """A section was edited in one pass; complaints of the truth checks are counted, not forgotten."""

    type: Literal["section_written"] = "section_written"
    section: str
    phase: Literal["write", "refine", "cite", "polish", "support", "typeset", "evidence", "improve"]
    round: int  # 0: the pass itself; 1, 2, ...: mending
    revision: int = 0  # of an "improve": which one
    refused: str  # code, if the edit did not count
    complaints: int
    commit: str


class CitationsSought(_Event):
    """What the written paper should cite and does not, and what was searched for it."""

    type: Literal["citations_sought"] = "citations_sought"
    round: int
    missing: tuple[Missing, ...]  # empty: nothing is missing
    sources: tuple[str, ...]


class CitationsChosen(_Event):
    """Works to be cited, each with its reason; a choice that nobody returned is refused."""

    type: Literal["citations_chosen"] = "citations_chosen"
    round: int
    chosen: tuple[Chosen, ...]
    refused: tuple[tuple[str, str], ...]  # key, why
    commit: str


class SupportChecked(_Event):
    """Each sentence that cites was compared with what the cited work says of itself."""

    type: Literal["support_checked"] = "support_checked"
    round: int
    judged: tuple[str, ...]  # names of the pairs of sentence and key that were read in this round
    unsupported: tuple[Unsupported, ...]


class Compiled(_Event):
    """The paper was rendered and compiled."""

    type: Literal["compiled"] = "compiled"
    round: int
    ok: bool
    pages: int
    problems: tuple[str, ...]
    dropped: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]  # pieces that TeX cannot set, with the reason; left out from here on
    commit: str
    findings: tuple[str, ...] = ()  # of the page checks
    returned: tuple[tuple[str, str], ...] = ()  # section, complaint: what goes back to the writer, once


class EvidenceReviewed(_Event):
    """A reviewer who saw records, logs and diffs looked for claims that they do not carry."""

    type: Literal["evidence_reviewed"] = "evidence_reviewed"
    checked: str  # what was compared with what, in the reviewer's words
    doubts: tuple[Doubt, ...]
    dropped: tuple[str, ...]  # findings that did not pass the checks, with the reason
    failed: str  # why there is no answer; empty if there is one


class ReviewGiven(_Event):
    """One reviewer of the ensemble answered, or gave no usable answer."""

    type: Literal["review_given"] = "review_given"
    revision: int  # 0: the paper as it was written
    number: int
    review: Review | None
    failed: str


class PaperReviewed(_Event):
    """The reviews are in, and their numbers are one: the mean, and the majority."""

    type: Literal["paper_reviewed"] = "paper_reviewed"
    overall: float | None  # None: no reviewer gave a usable answer
    decision: str
    commit: str
    revision: int = 0
    words: MetaWords | None = None
    failed: str = ""  # why there are no words


class RevisionChecked(_Event):
    """A revised paper went through the truth checks; one that fails is put back without being reviewed."""

    type: Literal["revision_checked"] = "revision_checked"
    revision: int
    failed: tuple[str, ...]  # what is worse than before; empty: it may be reviewed


class RevisionJudged(_Event):
    """The better of two versions stays; the sections of the other are put back from its commit."""

    type: Literal["revision_judged"] = "revision_judged"
    revision: int
    kept: bool
    reason: str
    commit: str


class SessionFinished(_Event):
    type: Literal["session_finished"] = "session_finished"
    commit: str


Event = Annotated[
    Union[  # noqa: UP007  (one tagged union for reading; `|` over 25 names reads worse)
        SessionStarted, ProcessStarted, ProcessStopped, OptionsChanged, CallFinished, TryWasted, AnswerRefused,
        DataPrepared, Planned,
        Edited, AttemptFailed, LintPassed, RunSubmitted, RunMeasured, RunFailed, Commented, Reflected,
        ConfirmationPlanned, FiguresDrawn, PlotEdited, PlotFailed, PlotsGivenUp, FiguresDescribed, SectionWritten,
        NoveltyChecked, CitationsSought, CitationsChosen, SupportChecked,
        Compiled, EvidenceReviewed, ReviewGiven, PaperReviewed, RevisionChecked, RevisionJudged, SessionFinished,
    ],
    Field(discriminator="type"),
]
ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
