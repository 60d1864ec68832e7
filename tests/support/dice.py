"""Answers every action with a random event that is possible there, to test properties of policy and fold."""

from __future__ import annotations

from collections.abc import Callable

from agent.actions.revision import verdict
from agent.core.ideas import Idea
from agent.core.options import Models, Options
from agent.core.plan import Comparison, Plan, PlannedRun, Reflection
from agent.core.reviews import Review, tally
from agent.core.works import Chosen, Missing
from agent.core.writing import WRITING_ORDER, FigureText, Refusal, Unsupported
from agent.session import events as ev
from agent.session import policy
from agent.session.session import Session, apply, fold

IDEA = Idea(Name="dice", Title="Dice", Experiment="Throw them.")
MODELS = Models(planner="m", editor="m", writer="m", reviewer="m")


def options(**changes: object) -> Options:
    values = {"template": "t", "profile": "p", "models": MODELS, "baselines": ("base", "other")}
    return Options(**{**values, **changes})


def planned(name: str) -> PlannedRun:
    return PlannedRun(name=name, label=name, change="change something", hypothesis="it helps")


class Dice:
    """`throw(n)` returns a number from 0 to n - 1; it decides everything that is random."""

    def __init__(self, throw: Callable[[int], int]) -> None:
        self.throw = throw
        self.names = 0

    def plan(self, most: int) -> tuple[PlannedRun, ...]:
        runs = []
        for _ in range(self.throw(most + 1)):
            self.names += 1
            runs.append(planned(f"r{self.names}"))
        return tuple(runs)

    def answer(self, action: policy.Action, session: Session) -> ev.Event:
        at, commit = (session.last_at or 0.0) + 1.0, "c"
        match action:
            case policy.PrepareData():
                return ev.DataPrepared(at=at, key="k", hashes={}, commit=commit)
            case policy.CheckNovelty():
                over = action.round == policy.NOVELTY_ROUNDS or self.throw(2) == 0
                return ev.NoveltyChecked(
                    at=at,
                    round=action.round,
                    searched=("q",),
                    sources=("library",),
                    reason="r",
                    queries=() if over else ("more",),
                    verdict="novel" if over else None,
                    closest=(),
                    commit=commit,
                )
            case policy.SeekCitations():
                missing = (Missing(what="a work", query="a work"),) * self.throw(2)
                return ev.CitationsSought(at=at, round=action.round, missing=missing, sources=())
            case policy.ChooseCitations():
                chosen = tuple(
                    Chosen(key=f"k{i}", section=WRITING_ORDER[self.throw(8)], reason="near")
                    for i in range(self.throw(3))
                )
                return ev.CitationsChosen(at=at, round=action.round, chosen=chosen, refused=(), commit=commit)
            case policy.CheckSupport():
                refused = tuple(
                    Unsupported(section=WRITING_ORDER[self.throw(8)], sentence="s", key="k", why="no")
                    for _ in range(self.throw(3))
                )
                return ev.SupportChecked(at=at, round=action.round, judged=("p",), unsupported=refused)
            case policy.MakePlan():
                runs = self.plan(session.options.runs) or (planned("r0"),)
                comparison = Comparison(metric="f1", baseline="base", why="because")
                return ev.Planned(at=at, plan=Plan(comparison=comparison, runs=runs), commit=commit)
            case policy.EditRun():
                if self.throw(3) == 0:
                    return self.failure(at, action.run, action.attempt, "edit")
                return ev.Edited(at=at, run=action.run, attempt=action.attempt, commit=commit)
            case policy.LintRun():
                if self.throw(4) == 0:
                    return self.failure(at, action.run, action.attempt, "lint")
                return ev.LintPassed(at=at, run=action.run, attempt=action.attempt)
            case policy.SubmitRun():
                return ev.RunSubmitted(at=at, run=action.run, attempt=action.attempt, key="k", commit=commit)
            case policy.CollectRun():
                return self.collected(at, action, session)
            case policy.CollectAny():
                run = session.runs[action.runs[self.throw(len(action.runs))]]
                return self.collected(at, policy.CollectRun(run.run, run.attempt), session)
            case policy.GiveUpRun():
                return ev.RunFailed(at=at, run=action.run, attempts=1, reason="spent", commit=commit)
            case policy.CommentRun():
                return ev.Commented(at=at, run=action.run, text="hm", feedback="")
            case policy.Reflect():
                left = session.options.runs - len(session.experiments)
                reflection = Reflection(interpretation="so", completed=self.throw(6) == 0, runs=self.plan(left))
                return ev.Reflected(at=at, run=action.run, reflection=reflection, commit=commit)
            case policy.PlanConfirmation():
                measured = [run.run for run in session.experiments if run.phase == "measured"]
                return ev.ConfirmationPlanned(at=at, best=measured[0] if measured else None, baseline="0")
            case policy.DrawFigures():
                return ev.FiguresDrawn(at=at, figures=(figure("runner"),), by="runner", commit=commit)
            case policy.EditPlot():
                if self.throw(3) == 0:
                    return ev.PlotFailed(at=at, attempt=action.attempt, reason="lint", detail="", commit=commit)
                return ev.PlotEdited(at=at, attempt=action.attempt, commit=commit)
            case policy.RunPlot():
                if self.throw(3) == 0:
                    return ev.PlotFailed(at=at, attempt=action.attempt, reason="exit", detail="", commit=commit)
                return ev.FiguresDrawn(at=at, figures=(figure("agent"),), by="agent", commit=commit)
            case policy.GiveUpPlots():
                return ev.PlotsGivenUp(at=at, reason="spent")
            case policy.DescribeFigures():
                return ev.FiguresDescribed(at=at, descriptions={}, commit=commit)
            case policy.WriteSections():
                return ev.SectionsWritten(
                    at=at,
                    sections={name: self.throw(2) for name in action.sections},
                    phase=action.phase,
                    round=action.round,
                    revision=action.revision,
                    refused="",
                    commit=commit,
                )
            case policy.CompilePaper():
                return ev.Compiled(
                    at=at,
                    round=action.round,
                    ok=self.throw(2) == 0,
                    pages=6,
                    problems=(),
                    dropped=(),
                    broken=(),
                    commit=commit,
                    returned=(("method", "wide"),) if action.round == 0 and self.throw(2) else (),
                )
            case policy.JudgeSentences():
                refused = tuple(refusal(section) for section in WRITING_ORDER if self.throw(4) == 0)
                failed = "" if self.throw(4) else "no JSON"
                return ev.SentencesJudged(
                    at=at,
                    round=action.round,
                    model="m",
                    judged=("t",),
                    refused=() if failed else refused,
                    failed=failed,
                )
            case policy.ReviewPaper():
                usable = review(1 + self.throw(10)) if self.throw(5) else None
                return ev.ReviewGiven(
                    at=at,
                    revision=action.revision,
                    number=action.number,
                    review=usable,
                    failed="" if usable else "no JSON",
                )
            case policy.MetaReview():
                numbers = tally([g.review for g in session.judging.reviews if g.review])
                return ev.PaperReviewed(
                    at=at,
                    overall=numbers and numbers.overall,
                    decision="reject",
                    commit=commit,
                    revision=action.revision,
                )
            case policy.CheckRevision():
                failed = () if self.throw(3) else ("it changes nothing",)
                return ev.RevisionChecked(at=at, revision=action.revision, failed=failed)
            case policy.JudgeRevision():
                kept, reason = verdict(session.judging)
                return ev.RevisionJudged(at=at, revision=action.revision, kept=kept, reason=reason, commit=commit)
            case policy.Finish():
                return ev.SessionFinished(at=at, commit=commit)
        raise AssertionError(action)

    def failure(self, at: float, run: str, attempt: int, stage: str) -> ev.AttemptFailed:
        return ev.AttemptFailed(at=at, run=run, attempt=attempt, stage=stage, reason="dice", detail="", commit="c")

    def collected(self, at: float, action: policy.CollectRun, session: Session) -> ev.Event:
        thrown = self.throw(5)
        baseline = session.runs[action.run].is_baseline
        if thrown == 0 and not baseline:
            return self.failure(at, action.run, action.attempt, "training")
        if thrown == 1:
            return self.failure(at, action.run, action.attempt, "runner")
        return ev.RunMeasured(
            at=at,
            run=action.run,
            attempt=action.attempt,
            record_sha256="s",
            primary=0.5,
            wall_s=1.0,
            flags=(),
            code="c",
            commit="c",
        )


def refusal(section: str) -> Refusal:
    return Refusal(name="t", section=section, sentence="A sentence.", kind="outcome", why="nothing shows it")


def review(overall: int) -> Review:
    return Review(
        summary="s",
        strengths=(),
        weaknesses=(),
        questions=(),
        limitations=(),
        soundness=2,
        presentation=2,
        contribution=2,
        overall=overall,
        confidence=3,
        decision="reject",
    )


def figure(by: str) -> FigureText:
    return FigureText(name=f"fig:{by}", file="f.pdf", caption="A figure.", description="", by=by)


def play(dice: Dice, chosen: Options, most: int = 2000) -> tuple[list[ev.Event], Session]:
    """A whole session of dice; fails if it does not end."""
    events: list[ev.Event] = [ev.SessionStarted(at=0.0, session="s", idea=IDEA, options=chosen)]
    session = fold(events)
    for _ in range(most):
        action = policy.next_action(session)
        if action is None or isinstance(action, policy.Stop):
            return events, session
        event = dice.answer(action, session)
        events.append(event)
        session = apply(session, event)
    raise AssertionError(f"no end after {most} actions")
