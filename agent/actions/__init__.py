"""Actions: each has one effect, is safe to repeat, and returns the event that says what happened."""

from __future__ import annotations

from collections.abc import Callable

from agent.actions import experiment, figures, literature, plan, review, revision, setup, training, writeup
from agent.core.errors import disk_named
from agent.session import policy
from agent.session.events import Event
from agent.session.tools import Tools

_PERFORM: dict[type, Callable[..., Event]] = {
    policy.PrepareData: setup.prepare_data,
    policy.Finish: setup.finish,
    policy.MakePlan: plan.make_plan,
    policy.CommentRun: plan.comment_run,
    policy.Reflect: plan.reflect,
    policy.EditRun: experiment.edit_run,
    policy.LintRun: experiment.lint_run,
    policy.GiveUpRun: experiment.give_up_run,
    policy.SubmitRun: training.submit_run,
    policy.CollectRun: training.collect_run,
    policy.PlanConfirmation: plan.plan_confirmation,
    policy.DrawFigures: figures.draw_figures,
    policy.EditPlot: figures.edit_plot,
    policy.RunPlot: figures.run_plot,
    policy.GiveUpPlots: figures.give_up_plots,
    policy.DescribeFigures: figures.describe_figures,
    policy.WriteSection: writeup.write_section,
    policy.CompilePaper: writeup.compile_paper,
    policy.CheckNovelty: literature.check_novelty,
    policy.SeekCitations: literature.seek_citations,
    policy.ChooseCitations: literature.choose_citations,
    policy.CheckSupport: literature.check_support,
    policy.ReviewEvidence: review.review_evidence,
    policy.ReviewPaper: review.review_paper,
    policy.MetaReview: review.meta_review,
    policy.CheckRevision: revision.check_revision,
    policy.JudgeRevision: revision.judge_revision,
}


def perform(action: policy.Action, tools: Tools) -> Event:
    with disk_named():
        return _PERFORM[type(action)](action, tools)
