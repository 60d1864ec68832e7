"""Defaults of one's own: their order, what may be set at all, and one line for what may not."""

import re

import pytest

from agent.app.arguments import parse
from agent.app.commands import OPTIONS, TYPED_ONLY
from agent.app.settings import FILE, SETTINGS, sources, with_defaults
from agent.core.errors import UserError
from tests.support import ROOT


@pytest.fixture
def settled(tmp_path):
    """The arguments of some words beside files and variables."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()

    def settle(words, own="", project="", **environment):
        (tmp_path / "own.toml").write_text(own)
        (checkout / FILE).write_text(project)
        variables = {"EXPERIMENT_RUNNER_CONFIG": str(tmp_path / "own.toml"), **environment}
        return with_defaults(parse(words.split()), sources(variables, checkout))

    return settle


def test_the_command_line_wins_over_the_environment_over_the_checkout_over_the_person_over_what_is_built_in(settled):
    files = {
        "own": "runs = 1\nattempts = 1\nreviews = 1\nslots = 1\n",
        "project": "runs = 2\nattempts = 2\nreviews = 2\n",
    }
    args = settled(
        "run x --runs 4",
        **files,
        EXPERIMENT_RUNNER_RUNS="3",
        EXPERIMENT_RUNNER_ATTEMPTS="3",
        XDG_CONFIG_HOME="/nowhere",
    )
    assert (args.runs, args.attempts, args.reviews, args.slots, args.improve) == (4, 3, 2, 1, None)


def test_a_session_that_goes_on_keeps_its_own_options(settled):
    args = settled("resume last", own='runs = 1\nworkspace = "ws"\non-event = "true"\n')
    assert (args.runs, args.workspace, args.on_event) == (None, "ws", "true")


def test_a_model_for_all_roles_that_is_typed_takes_the_place_of_roles_in_a_file(settled):
    args = settled("run x --model a/b", own='planner = "c/d"\n')
    assert (args.model, args.planner) == ("a/b", None)
    assert settled("run x --playback f", own='model = "c/d"\n').model is None


def test_a_command_takes_only_what_belongs_to_it(settled):
    assert settled("list", own="runs = 3\n").runs is None


def test_a_switch_of_a_file_is_turned_off_by_a_variable(settled):
    assert settled("run x", project="no-pdf = true\n").no_pdf is True
    assert settled("run x", project="no-pdf = true\n", EXPERIMENT_RUNNER_NO_PDF="false").no_pdf is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"own": 'modle = "a/b"'}, "own.toml: modle: there is no such setting; did you mean model?"),
        ({"project": "max_usd = 5"}, "max_usd: there is no such setting; did you mean max-usd?"),
        ({"own": 'max-usd = "much"'}, "own.toml: max-usd: give a number, found much"),
        ({"own": 'no-pdf = "yes"'}, "no-pdf = yes: give true or false"),
        ({"own": "runs = true"}, "runs = True: give a text or a number"),
        ({"own": "runs = "}, "not valid TOML"),
        ({"own": 'literature = "of"'}, "literature = of: give auto or offline"),
        ({"own": "unsafe-no-sandbox = true"}, "--unsafe-no-sandbox holds for one command alone, so it has to be typed"),
        ({"EXPERIMENT_RUNNER_TRUST": "1"}, "EXPERIMENT_RUNNER_TRUST: --trust holds for one command alone"),
        ({"EXPERIMENT_RUNNER_MODLE": "a/b"}, "did you mean EXPERIMENT_RUNNER_MODEL?"),
        ({"EXPERIMENT_RUNNER_RUNS": "two"}, "EXPERIMENT_RUNNER_RUNS: give a whole number, found two"),
    ],
)
def test_what_is_no_setting_is_one_line_with_its_place(settled, given, said):
    with pytest.raises(UserError, match=re.escape(said)):
        settled("run x", **given)


def test_what_takes_walls_down_can_only_be_typed():
    walls = {name for name in OPTIONS if re.search("unsafe|trust|allow", name)}
    assert len(walls) == 4 and walls <= set(TYPED_ONLY)
    assert set(TYPED_ONLY) <= set(OPTIONS)


def test_the_page_names_every_setting():
    page = (ROOT / "docs" / "scripts.md").read_text()
    assert set(re.findall(r"`([a-z-]+)`", page.partition("## Settings")[2])) >= set(SETTINGS)
