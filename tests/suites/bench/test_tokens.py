"""What the conversations of a session have in common stands first, so that a provider's cache serves it."""

import pytest

from agent.session.policy import MakePlan
from tests.suites.bench import tokens


@pytest.fixture(scope="module")
def session(tmp_path_factory, stages):
    whole = stages.copied(tmp_path_factory.mktemp("tokens"), MakePlan, runs=3)
    whole.play()
    return whole.paths.root


def test_writers_reviewers_and_planners_begin_alike(session):
    sent = {e.step: e.sent for e in tokens.recorded(session)}
    for step in ("paper.write-2", "paper.polish"):
        assert tokens.known(sent[step], [sent["paper.write-1"]]) >= tokens.PREFIX, step
    assert sent["review-2"].startswith(sent["review-1"].partition("Review it as for")[0])
    reflections = [sent[f"run-{n}.reflect"] for n in (1, 2)]
    study = reflections[0].partition("# The runs so far")[0]
    assert reflections[1].startswith(study) and sent["plan"].startswith(study.partition("You plan")[0])


def test_what_is_sent_for_a_run_does_not_grow_from_run_to_run(session):
    sent = {e.step: tokens.tokens(e.sent) for e in tokens.recorded(session)}
    for step in ("edit-1", "comment", "reflect"):
        first, *_, last = (sent[f"run-{n}.{step}"] for n in (1, 2, 3))
        assert last < first + 250, step  # a line of the list of runs, and one of the table


def test_the_ancestors_way_costs_several_times_as_much_and_grows(session):
    ours = tokens.count(tokens.recorded(session))
    theirs = list(tokens.as_ancestors(session))
    assert tokens.count(theirs).sent > 2 * ours.sent
    written = [tokens.tokens(e.sent) for e in theirs if e.step.endswith(".write")]
    assert written == sorted(written)


def test_a_cache_serves_beginnings_of_enough_length_alone():
    short, long = "word " * 500, "word " * 5000
    assert tokens.known(short + "a", [short + "b"]) == 0
    assert tokens.known(long + "a", ["other", long + "b"]) == tokens.tokens(long)
