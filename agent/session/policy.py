"""What comes next: a pure function of the session. No effects, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from agent.core.writing import DRAFTS, WRITING_ORDER, SectionPhase, together
from agent.session.action import (
    Action,
    CheckNovelty,
    CheckRevision,
    CheckSupport,
    ChooseCitations,
    CollectAny,
    CollectRun,
    CommentRun,
    CompilePaper,
    DescribeFigures,
    DrawFigures,
    EditPlot,
    EditRun,
    Finish,
    GiveUpPlots,
    GiveUpRun,
    JudgeRevision,
    JudgeSentences,
    LintRun,
    MakePlan,
    MetaReview,
    PlanConfirmation,
    PrepareData,
    Reflect,
    ReviewPaper,
    RunPlot,
    SeekCitations,
    Stop,
    SubmitRun,
    WriteSections,
)
from agent.session.session import Session, may_start, novelty_over
from agent.session.states import RunState, SectionState

MAX_RESTARTS = 2  # of one attempt's training after a lost machine
MEND_ROUNDS = 2  # of a section with complaints
COMPILE_ROUNDS = 2  # of a paper that does not compile
NOVELTY_ROUNDS = 3  # of searching before the verdict
CITATION_ROUNDS = 2  # of looking for what the paper should cite
JUDGE_ROUNDS = 2  # of judging told sentences: all, then those rewritten
SUPPORT_ROUNDS = 2  # of comparing cited sentences: all, then those rewritten


def next_action(session: Session) -> Action | None:
    """The one thing to do now; None when the session is finished."""
    if session.finished:
        return None
    if session.data_key is None:
        return PrepareData()
    baselines = [run for run in session.under_way if run.is_baseline]
    if action := _submission(baselines):  # they train while the model is asked whether the idea is new
        return action
    if not novelty_over(session):
        return CheckNovelty(len(session.novelty) + 1)
    if baselines:
        return _collection(baselines)
    if session.plan is None:
        return MakePlan()
    if session.options.stop_after == "plan":
        return Stop("plan")
    if action := _exploration(session):
        return action
    if session.confirmation is None:
        return Stop("runs") if session.options.stop_after == "runs" else PlanConfirmation()
    if arms := [run for run in session.under_way if run.kind == "confirmation"]:
        return _confirmation(arms)
    return _plots(session) or _paper(session)


def _submission(runs: Sequence[RunState]) -> Action | None:
    """The first of these runs whose trainings were not submitted: all are, before the first is waited for."""
    return next((SubmitRun(run.run, run.attempt, run.restarts) for run in runs if run.phase != "submitted"), None)


def _collection(runs: Sequence[RunState]) -> CollectRun:
    """They are collected in their order, whichever ends first, so that a session's history does not depend on it.

    A baseline that fails stops the session with its reason; every resume tries it once more.
    """
    return CollectRun(runs[0].run, runs[0].attempt)


def _confirmation(arms: Sequence[RunState]) -> Action:
    """Trained as they are: nobody edits, so a failure is final; only a lost machine is tried again."""
    for run in arms:
        lost = bool(run.failures) and run.failures[-1].stage == "runner"
        if run.phase != "submitted" and run.failures and not (lost and run.lost <= MAX_RESTARTS):
            return GiveUpRun(run.run)
    return _submission(arms) or _collection(arms)


def _exploration(session: Session) -> Action | None:
    """The next step of a run under way, the start of a further one, or the wait for those that are trained.

    At most one run is between its edit and its training, so that nothing comes between: all runs share one work tree.
    """
    waited = list[CollectRun]()
    for run in sorted(session.under_way, key=lambda run: run.phase not in ("edited", "linted")):
        if run.kind == "experiment":
            action = _run(run, session.options.attempts)
            if not isinstance(action, CollectRun):
                return action
            waited.append(action)
    if len(waited) < session.options.branches and may_start(session):
        return EditRun(run=str(len(session.experiments) + 1), attempt=1)
    if len(waited) > 1:
        return CollectAny(tuple(wait.run for wait in waited))
    return waited[0] if waited else None


def _run(run: RunState, attempts: int) -> Action:
    match run.phase:
        case "measured" if run.comment is None:
            return CommentRun(run.run)
        case "measured" | "failed":
            return Reflect(run.run)
        case "submitted":
            return CollectRun(run.run, run.attempt)
        case "linted" if run.lost <= MAX_RESTARTS:
            return SubmitRun(run.run, run.attempt, run.restarts)
        case "edited":
            return LintRun(run.run, run.attempt)
    if run.attempt > attempts or run.phase == "linted":
        return GiveUpRun(run.run)
    return EditRun(run.run, run.attempt)


def _plots(session: Session) -> Action | None:
    if not session.standard_figures:
        return DrawFigures()
    if not session.plots_over:
        if session.plot_edited:
            return RunPlot(session.plot_attempt)
        if session.plot_attempt > session.options.attempts:
            return GiveUpPlots()
        return EditPlot(session.plot_attempt)
    return None if session.described else DescribeFigures()


def _paper(session: Session) -> Action:
    action = (
        _citations(session)
        or _passes_in_turn(session, DRAFTS, "write")
        or _passes_in_turn(session, (WRITING_ORDER,), "polish")
        or _support(session)
        or _judged(session)
        or _passes(session, tuple(section for section, _ in session.returned), "typeset")
        or _rewriting(session)
    )
    if action is not None:
        return action
    if session.uncompared:  # what is not carried now is cut: the writer has had a turn
        return CheckSupport(len(session.support) + 1)
    if session.unjudged:
        return JudgeSentences(len(session.judgements) + 1)
    if session.compiled is None:
        return CompilePaper(round=0)
    if not session.compiled.ok and session.compiled.round < COMPILE_ROUNDS:
        return CompilePaper(round=session.compiled.round + 1)
    if session.options.stop_after == "paper":
        return Stop("paper")
    return _judging(session)


def _passes_in_turn(session: Session, groups: tuple[tuple[str, ...], ...], phase: SectionPhase) -> Action | None:
    """A pass over one group of sections after the other, each mended before the next is written."""
    passes = (_passes(session, sections, phase) for sections in together(groups, session.options.context))
    return next((action for action in passes if action is not None), None)


def _passes(session: Session, sections: tuple[str, ...], phase: SectionPhase) -> Action | None:
    """A pass over those of these sections that have not had it, or the mending of what it left; None when through."""
    states = {name: session.sections.get(name, SectionState()) for name in WRITING_ORDER if name in sections}
    done = {name: _PHASES.index(state.phase) for name, state in states.items()}
    if due := tuple(name for name in states if done[name] < _PHASES.index(phase)):
        return WriteSections(due, phase, 0)
    return _mends({name: state for name, state in states.items() if state.phase == phase}, phase)


def _mends(states: dict[str, SectionState], phase: SectionPhase, revision: int = 0) -> Action | None:
    """Another round for the sections in which the checks refuse something, while rounds are left."""
    left = {name: s for name, s in states.items() if s.complaints and s.round < MEND_ROUNDS}
    return WriteSections(tuple(left), phase, 1 + max(s.round for s in left.values()), revision) if left else None


def _citations(session: Session) -> Action | None:
    """Rounds of looking for what a careful reader would miss and choosing among what was found, before the writing."""
    sought, chosen = session.sought, session.chosen
    if session.sections or (sought and not sought[-1].missing):
        return None
    if len(sought) > len(chosen):
        return ChooseCitations(len(sought))
    return SeekCitations(len(sought) + 1) if len(sought) < CITATION_ROUNDS else None


def _support(session: Session) -> Action | None:
    """Compare what cites with what is cited; the refused goes back once, and what was rewritten is compared again."""
    refused = tuple(u.section for u in session.support[0].unsupported) if session.support else ()
    return _reading(session, CheckSupport, len(session.support), SUPPORT_ROUNDS, refused, "support")


def _judged(session: Session) -> Action | None:
    """Judge what is told; the refused goes back once, and what was rewritten is judged again."""
    refused = tuple(r.section for r in session.judgements[0].refused) if session.judgements else ()
    return _reading(session, JudgeSentences, len(session.judgements), JUDGE_ROUNDS, refused, "judge")


def _reading(
    session: Session,
    read: Callable[[int], Action],
    done: int,
    most: int,
    refused: tuple[str, ...],
    phase: SectionPhase,
) -> Action | None:
    """A reviewer reads; the sections of what the first reading refused are written once more, and read again."""
    if not done:
        return read(1)
    action = _passes(session, refused, phase)
    return read(done + 1) if action is None and refused and done < most else action


def _rewriting(session: Session) -> Action | None:
    """The pass that a revision asks for, or the mending of what it left."""
    judging = session.judging
    if judging.best is None:
        return None
    states = {name: session.sections[name] for name in WRITING_ORDER}
    if due := tuple(name for name, state in states.items() if state.revision < judging.revision):
        return WriteSections(due, "improve", 0, judging.revision)
    return _mends(states, "improve", judging.revision)


def _judging(session: Session) -> Action:
    """The compiled paper: the ensemble, then the better of two versions."""
    judging, chosen = session.judging, session.options
    revision = judging.revision
    if judging.best is not None:
        if judging.checked is None:
            return CheckRevision(revision)
        if judging.checked.failed:
            return JudgeRevision(revision)
    if judging.meta is None:
        done = len(judging.reviews)
        return ReviewPaper(revision, done + 1) if done < chosen.reviews else MetaReview(revision)
    if judging.best is not None:
        return JudgeRevision(revision)
    if revision < chosen.improve and judging.meta.overall is not None:
        return WriteSections(WRITING_ORDER, "improve", 0, revision + 1)
    return Finish()


_PHASES: tuple[SectionPhase | Literal[""], ...] = ("", *get_args(SectionPhase))
