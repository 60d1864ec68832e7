"""A session that continues another one: from its best code, with its findings, and with none of its numbers."""

import json
from dataclasses import replace

import pytest

from agent.actions.runs import confirmed_worlds, seeds_of
from agent.app.assemble import Parts
from agent.app.start import begin
from agent.core.errors import UserError
from agent.core.options import Models
from agent.core.paths import SessionPaths
from agent.loop import play
from agent.publishing.colophon import command, continued, statement
from agent.publishing.earlier import read_earlier
from agent.session import events as ev
from agent.session.session import fold
from agent.session.states import RunState
from agent.session.tools import Console
from agent.storage.log import EventLog
from agent.storage.workspace import Workspace
from tests.support import TEMPLATE
from tests.support.frozen import finished
from tests.support.scripted import ScriptedModel
from tests.support.whole import Script, block, fenced, planned

MODELS = Models(**dict.fromkeys(("planner", "editor", "writer", "reviewer"), "scripted"))
CHOSEN = {"template": str(TEMPLATE), "models": MODELS.names(), "literature": "offline", "pdf": False}


def begun(paths, model=None, **chosen):
    parts = Parts(Console(), model or ScriptedModel(Script(2)))
    given = {**CHOSEN, "after": paths.root.name, **chosen}
    return begin(None, given, Workspace(paths.root.parent), parts, trust=True)


@pytest.fixture
def earlier(tmp_path):
    """A finished session of another installation, alone in a workspace."""
    workspace = tmp_path / "ws"
    workspace.mkdir()
    return SessionPaths(finished(tmp_path / "archive").rename(workspace / "20260101_000000_tiny_idea"))


def test_the_best_code_of_the_earlier_session_is_measured_again_as_the_first_run(earlier, stages):
    (earlier.root.parent / ".cache").symlink_to(stages.cache)
    follow_up = {**planned(2), "name": "further", "start_from": "earlier"}
    comparison = {"metric": "score", "baseline": "topk", "why": "it is there"}
    reflection = {"interpretation": "It is as it was.", "completed": False, "runs": [follow_up]}
    answers = {
        "plan": fenced({"comparison": comparison, "runs": [follow_up]}),
        "run-1.reflect": fenced(reflection),
        "run-2.edit-1": block("experiment.py", "RATE = 0.05  # step size", "RATE = 0.1  # step size"),
    }
    model = ScriptedModel(Script(2, answers))
    start = begun(earlier, model, runs=2, attempts=1, slots=2, stop_after="runs")
    with start.opened() as tools:
        play(tools)
        session, paths = tools.session, tools.paths

    assert session.idea.Name == "tiny_idea" and session.options.after == earlier.root.name
    first, second = (json.loads((paths.repo / f"records/{n}.json").read_text()) for n in (1, 2))
    assert (first["name"], first["label"], first["parent"], first["status"]) == (
        "earlier",
        "step 0.05",
        "0",
        "measured",
    )
    assert not any(step.startswith("run-1.edit") for step, _ in model.asked), "nobody edits what is taken over"
    assert (second["parent"], second["status"]) == ("1", "measured"), "RATE = 0.05 was there to be changed"
    for step in ("plan", "run-1.reflect"):
        assert f"This session continues the session {earlier.root.name}" in model.prompt(step)
    assert "the improvement is confirmed" in model.prompt("plan")
    assert "used other data than this session's" in (paths.repo / "earlier.md").read_text()
    old = json.loads((earlier.repo / "records/1.json").read_text())
    assert [t["metrics"] for t in old["trainings"]] != [t["metrics"] for t in first["trainings"]]
    again = fold(EventLog(paths.events).read())
    assert again.earlier == session.earlier, "the log alone holds what was taken over"


def test_the_paper_says_where_the_code_comes_from_and_how_many_runs_it_was_chosen_among(earlier):
    taken, before = read_earlier(earlier, trust=True)
    start = ev.SessionStarted(at=0.0, session="new", idea=before.idea, options=before.options, earlier=taken)
    session = fold([start])
    manifest = begun(earlier).template.manifest

    assert "its first run is the best code of 1 run there, measured again here" in statement(session, manifest)
    ((_, told),) = continued(session)
    assert "profile tiny, other data" in told and "no number of this paper is taken from there" in told
    assert continued(replace(session, earlier=None)) == ()
    after = before.options.model_copy(update={"after": "one"})
    assert " --after one " in command(replace(session, options=after))


def test_a_confirmation_keeps_to_worlds_and_seeds_that_no_session_of_the_chain_has_used(earlier, whole):
    taken, _ = read_earlier(earlier, trust=True)
    arms = [json.loads((earlier.repo / f"records/{name}.json").read_text()) for name in ("confirm.best", "0")]
    assert (taken.worlds, taken.last_seed) == (1, max(arms[0]["seeds"]))
    with whole().tools() as tools:
        session = tools.session
        planned_one = ev.ConfirmationPlanned(at=1.0, best="1", baseline="0", worlds=2)
        arm = RunState("confirm.best", "confirmation", repeats="0")
        alone = replace(session, confirmation=planned_one)
        tools.journal.session = alone
        own_seeds = seeds_of(tools, arm)
        tools.journal.session = replace(alone, earlier=taken.model_copy(update={"worlds": 5, "last_seed": 40}))

        assert confirmed_worlds(alone) == (1, 2)
        assert confirmed_worlds(tools.session) == (6, 7)
        assert seeds_of(tools, arm) == tuple(range(41, 41 + len(own_seeds)))


def test_one_that_is_not_finished_says_so_in_one_line(whole):
    it = whole()
    with it.tools():
        pass
    with pytest.raises(UserError, match=r"^--after \S+: it is not finished \(stage: prepare\); resume it first$"):
        begun(it.paths)


def test_one_without_a_measured_run_says_so_in_one_line(earlier):
    lines = list(EventLog(earlier.events).read())
    log = EventLog(earlier.root.parent / "events.jsonl")
    for event in lines:
        if isinstance(event, ev.RunMeasured) and event.run == "1":
            failed = ev.AttemptFailed(
                at=event.at, run="1", attempt=1, stage="training", reason="exit", detail="", commit=event.commit
            )
            log.append(failed)
        elif getattr(event, "run", "") != "1" or not isinstance(event, ev.Commented):
            log.append(event)
    log.close()
    earlier.events.write_bytes((earlier.root.parent / "events.jsonl").read_bytes())
    with pytest.raises(UserError, match="none of its experiments was measured, so there is no code to start from$"):
        begun(earlier)


def test_one_that_another_installation_made_is_continued_only_where_a_person_trusts_it(earlier):
    with pytest.raises(UserError, match="was not made by this installation"):
        read_earlier(earlier)


def test_another_template_and_a_shipped_recording_are_refused_before_anything_starts(earlier):
    with pytest.raises(UserError, match="it worked on the template tiny, and this session is to work on synth_sae"):
        begun(earlier, template="synth_sae", profile="tiny")
    with pytest.raises(UserError, match="a shipped recording knows no other session; name a model"):
        begun(earlier, models=None)
