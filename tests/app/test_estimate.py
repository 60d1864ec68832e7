"""The estimate of a session uses what was measured here with the same profile, and says what is not known."""

import re

import pytest

from agent.app.estimate import estimate, trained_s
from agent.core.options import ROLES, Models
from agent.core.template import load_template
from agent.session.policy import MakePlan
from agent.storage.workspace import Workspace, read_session
from tests.support import TEMPLATE
from tests.support.provided import BROUGHT
from tests.support.records import record
from tests.support.whole import options

STOPS = ("plan", "runs", "paper", None)


def said(workspace, model="openai/gpt-4o", **chosen):
    models = Models(**dict.fromkeys(ROLES, model))
    return estimate(options(runs=2, models=models, **chosen), load_template(TEMPLATE), Workspace(workspace))


def money(text):
    return float(re.search(r"about \$(\d+\.\d+)", text)[1])


@pytest.fixture(scope="module")
def measured(stages):
    return stages.before(MakePlan, **BROUGHT)


def test_the_seconds_of_a_run_are_those_of_this_profile_and_device(measured):
    assert re.search(r"a run trains for about \d+ s here \(as did 2 runs of 2026\w+\): \d+ min", said(measured))
    assert "not known yet: how long a run of profile tiny trains here" in said(measured, device="cuda")


def test_runs_that_were_trained_at_once_are_not_counted_twice():
    spans = ((0.0, 10.0), (5.0, 10.0), (20.0, 4.0))
    assert trained_s(record(started_at=at, wall_s=lasted) for at, lasted in spans) == 19.0


def test_what_comes_after_the_stop_that_is_asked_for_is_not_estimated(tmp_path):
    stages = [re.search(r"about (\d+) model calls.*; (\d+) trainings", said(tmp_path, stop_after=s)) for s in STOPS]
    assert [stage.groups() for stage in stages] == sorted((stage.groups() for stage in stages), key=lambda g: int(g[0]))
    assert int(stages[0][1]) == 3 and "judge the paper" not in said(tmp_path, stop_after="runs")


def test_what_no_session_here_has_shown_is_said_to_be_unknown(tmp_path):
    text = said(tmp_path)
    assert "not known yet: how long a run of profile tiny trains here; none has been measured" in text
    assert "not known yet: what a call takes with this profile" in text
    assert "price of openai/nobody-knows not known (state it with --price IN,OUT)" in said(
        tmp_path, "openai/nobody-knows"
    )


def test_the_tokens_of_a_call_are_those_of_a_finished_session_of_this_profile(stages, tmp_path):
    finished = stages.before(None, runs=1, pdf=False, skip_novelty=True)
    text = said(finished)
    assert re.search(r"a call takes about \d+ tokens \(as in 2026\w+\)", text)
    assert money(text) < money(said(tmp_path)) / 10  # the scripted model's calls are short


def test_the_calls_are_about_those_that_a_session_takes(stages):
    finished = stages.before(None, runs=1, pdf=False, skip_novelty=True)
    taken = len(read_session(Workspace(finished).sessions()[-1]).calls)
    text = estimate(options(runs=1, skip_novelty=True), load_template(TEMPLATE), Workspace(finished))

    assert taken <= int(re.search(r"about (\d+) model calls", text)[1]) <= 2 * taken  # it makes no mistakes


def test_a_bound_below_the_estimate_is_warned_of(tmp_path):
    assert "warning: --max-usd 0.1 is below this estimate" in said(tmp_path, max_usd=0.1)
    assert "warning: --max-tokens 5000 is below this estimate" in said(tmp_path, max_tokens=5000)
    assert "warning" not in said(tmp_path, max_usd=100.0, max_tokens=10**8)


def test_a_stated_price_makes_the_money_known(tmp_path):
    assert money(said(tmp_path, "openai/nobody-knows", price=(2.5, 10.0))) == money(said(tmp_path))
