"""The actions of the loop. Each is a function of an action and the tools that returns one event.

An action may be repeated, because a process can be killed after its effect and before its event is in the log.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.actions import (
    experiment,
    figures,
    judge,
    literature,
    novelty,
    plan,
    plots,
    review,
    revision,
    setup,
    training,
    writeup,
)
from agent.core.errors import disk_named
from agent.session import action as act
from agent.session.events import Event
from agent.session.tools import Tools

_PERFORM: dict[type, Callable[..., Event]] = {
    act.PrepareData: setup.prepare_data,
    act.Finish: setup.finish,
    act.MakePlan: plan.make_plan,
    act.CommentRun: plan.comment_run,
    act.Reflect: plan.reflect,
    act.EditRun: experiment.edit_run,
    act.LintRun: experiment.lint_run,
    act.GiveUpRun: experiment.give_up_run,
    act.SubmitRun: training.submit_run,
    act.CollectRun: training.collect_run,
    act.CollectAny: training.collect_any,
    act.PlanConfirmation: plan.plan_confirmation,
    act.DrawFigures: figures.draw_figures,
    act.EditPlot: plots.edit_plot,
    act.RunPlot: plots.run_plot,
    act.GiveUpPlots: plots.give_up_plots,
    act.DescribeFigures: figures.describe_figures,
    act.WriteSections: writeup.write_sections,
    act.CompilePaper: writeup.compile_paper,
    act.CheckNovelty: novelty.check_novelty,
    act.SeekCitations: literature.seek_citations,
    act.ChooseCitations: literature.choose_citations,
    act.CheckSupport: literature.check_support,
    act.JudgeSentences: judge.judge_sentences,
    act.ReviewPaper: review.review_paper,
    act.MetaReview: review.meta_review,
    act.CheckRevision: revision.check_revision,
    act.JudgeRevision: revision.judge_revision,
}


def perform(action: act.Action, tools: Tools) -> Event:
    """Perform one action and return the event that says what happened.

    Raises:
        InfrastructureError, BudgetSpent: the session has to stop; it can be resumed.
    """
    with disk_named():
        return _PERFORM[type(action)](action, tools)
