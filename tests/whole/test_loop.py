"""The loop end to end: from an idea to a paper, and who may change its course."""

import json

import pytest

from agent.actions import perform
from agent.core.errors import InfrastructureError
from agent.core.record import RunRecord
from agent.session import events as ev
from agent.session.action import MakePlan, PlanConfirmation
from agent.storage.log import EventLog
from tests.support.whole import RATES, Script, Whole, fenced, options, plan, planned, rate_block

RUNS_ONLY = {"stop_after": "runs"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, stages):
    """A session of two runs, played to its end, and its last state."""
    # beside the other baseline, which leads in some worlds, there may be nothing to confirm
    it = Whole(tmp_path_factory.mktemp("finished"), Script(2), cache=stages.cache, pdf=True, baselines=("topk",))
    return it, it.play()


def test_an_idea_becomes_a_paper(finished):
    it, session = finished

    assert session.finished
    assert [r.phase for r in session.experiments] == ["measured", "measured"]
    repo = it.paths.repo
    assert (repo / "paper/paper.pdf").read_bytes().startswith(b"%PDF")
    record = json.loads((repo / "records/1.json").read_text())
    assert record["status"] == "measured"
    assert len(record["trainings"]) == 2
    assert "step 5" in (repo / "notes.txt").read_text()
    assert json.loads((repo / "review/review.json").read_text())["meta"]["numbers"]["overall"] == 5
    log = it.log()
    assert log[0].startswith("idea:")
    assert log[-1] == "session finished"
    assert any(line.startswith("run 1: step 5: score") for line in log)


def test_the_best_run_is_confirmed_on_fresh_seeds_in_fresh_worlds(finished):
    it, session = finished
    records = {
        name: json.loads((it.paths.repo / f"records/{name}.json").read_text())
        for name in ("0", session.confirmation.best, "confirm.baseline", "confirm.best")
    }
    best, arms = records[session.confirmation.best], [records["confirm.baseline"], records["confirm.best"]]
    assert [arm["kind"] for arm in arms] == ["confirmation", "confirmation"]
    assert arms[1]["parent"] == best["run"]
    assert arms[1]["commit"] == best["commit"]
    assert arms[0]["seeds"] == arms[1]["seeds"]
    assert len(arms[0]["seeds"]) >= 5
    assert not set(arms[0]["seeds"]) & set(best["seeds"])

    def worlds(record):
        return [set(world.values()) for world in RunRecord.model_validate_json(json.dumps(record)).worlds]

    assert session.confirmation.worlds == 2  # as the profile asks for
    assert worlds(arms[0]) == worlds(arms[1])
    assert len(worlds(arms[0])) == 2 and not set.intersection(*worlds(arms[0]))
    assert not set.union(*worlds(arms[0])) & set.union(*worlds(best))


def test_a_record_that_was_changed_stops_the_session_with_its_name(whole):
    it = whole(runs=1, stop_after="runs")
    it.play()
    record = it.paths.repo / "records/1.json"
    record.write_text(record.read_text().replace('"outcome": "measured"', '"outcome":  "measured"', 1))
    with pytest.raises(InfrastructureError, match=r"records/1\.json: changed since run 1 was measured"):
        it.play(changed=options(runs=1))


def test_without_a_measured_experiment_there_is_nothing_to_confirm(whole):
    it = whole({"run-1.edit-1": "no"}, runs=1, attempts=1)
    session = it.play()
    assert session.confirmation.best is None
    assert session.finished
    assert not list((it.paths.repo / "records").glob("confirm*"))


def test_a_finished_session_resumed_asks_and_trains_nothing(whole):
    it = whole(**RUNS_ONLY, runs=1)
    it.play()
    asked = len(it.model.history)
    it.play()
    assert len(it.model.history) == asked


def test_a_number_that_a_model_invents_is_marked_in_the_notes(whole):
    lie = {"interpretation": "The loss fell by 47.25 and 92% of features showed it.", "completed": True, "runs": []}
    it = whole({"run-1.reflect": fenced(lie)}, runs=1, **RUNS_ONLY)
    it.play()
    notes = (it.paths.repo / "notes.txt").read_text()
    assert "[not verified: 47.25, 92%]" in notes


def test_all_completed_at_once_ends_the_runs(whole):
    it = whole({"run-1.reflect": fenced({"interpretation": "enough", "completed": True, "runs": []})}, **RUNS_ONLY)
    assert len(it.play().experiments) == 1


def test_a_malformed_plan_is_asked_for_again_with_the_fault(whole):
    it = whole(
        {("plan", 1): "Let me think.", ("plan", 2): fenced({"runs": []}), ("plan", 3): fenced(plan(1))},
        runs=1,
        stop_after="plan",
    )
    assert it.play().plan is not None
    assert "cannot be taken" in it.model.prompt("plan", 2)
    assert "comparison: is missing; add it" in it.model.prompt("plan", 3)


def test_a_planner_that_never_answers_in_form_stops_the_session_and_a_resume_asks_anew(whole):
    it = whole({"plan": "I cannot."}, runs=1, stop_after="plan")
    with pytest.raises(InfrastructureError, match="no usable answer"):
        it.play()
    it.model.script = Script(1, {("plan", n): fenced(plan(1)) for n in range(4, 7)})
    assert it.play().plan is not None
    assert [n for step, n in it.model.asked if step == "plan"] == [1, 2, 3, 4]


def test_the_comparison_is_fixed_on_the_primary_metric(whole):
    wrong = plan(1)
    wrong["comparison"]["metric"] = "error"
    it = whole({("plan", 1): fenced(wrong), ("plan", 2): fenced(plan(1))}, runs=1, stop_after="plan")
    assert it.play().plan.comparison.metric == "score"
    assert "primary metric" in it.model.prompt("plan", 2)


def test_feedback_of_a_person_reaches_the_planner_once(whole):
    it = whole(**RUNS_ONLY)
    it.paths.feedback.write_text("Try smaller steps.\n")
    it.play()
    assert "Try smaller steps." in it.model.prompt("run-1.reflect")
    assert "Try smaller steps." not in it.model.prompt("run-2.reflect")


def test_a_person_s_word_on_a_failed_run_is_not_said_again(whole):
    it = whole({"run-1.edit-1": "I would rather not."}, attempts=1, **RUNS_ONLY)
    it.paths.feedback.write_text("Try smaller steps.\n")
    it.play()
    assert "Try smaller steps." in it.model.prompt("run-1.reflect")
    assert "Try smaller steps." not in it.model.prompt("run-2.reflect")
    assert (it.paths.repo / "notes.txt").read_text().count("Try smaller steps.") == 1


def test_a_revised_plan_is_followed(whole):
    revised = planned(3) | {"name": "other", "label": "other way"}
    it = whole(
        {
            "run-1.reflect": fenced({"interpretation": "i", "completed": False, "runs": [revised]}),
            "run-2.edit-1": rate_block(RATES[0], RATES[3]),
        },
        **RUNS_ONLY,
    )
    assert it.play().experiments[1].planned.name == "other"


def test_a_run_can_start_from_an_earlier_run(whole):
    both = plan(2)
    both["runs"][1]["start_from"] = "step1"
    reflection = {"interpretation": "i", "completed": False, "runs": both["runs"][1:]}
    it = whole(
        {"plan": fenced(both), "run-1.reflect": fenced(reflection), "run-2.edit-1": rate_block(RATES[1], RATES[2])},
        **RUNS_ONLY,
    )
    it.play()
    assert json.loads((it.paths.repo / "records/2.json").read_text())["parent"] == "1"


def test_stop_after_and_a_changed_option_are_events(whole):
    it = whole(stop_after="plan", runs=1)
    it.play()
    session = it.play(changed=options(runs=1, stop_after="runs"))
    assert session.experiments[0].phase == "measured"
    assert any(isinstance(e, ev.OptionsChanged) for e in EventLog(it.paths.events).read())


def confirmation_of(it):
    """What is decided about the confirmation once the runs are over."""
    it.play()
    with it.tools(changed=options(runs=1)) as tools:
        return perform(PlanConfirmation(), tools)


def test_a_run_that_is_behind_its_baseline_is_not_sent_to_the_confirmation(whole):
    it = whole({"run-1.edit-1": rate_block(RATES[0], 0.001)}, runs=1, **RUNS_ONLY)
    planned = confirmation_of(it)

    assert planned.best is None and "no run is ahead of" in planned.reason
    assert [line for line in it.console.lines if line.startswith("Confirmation: none; no run is ahead of")]


def test_the_planner_may_decline_the_confirmation(whole):
    declined = {"interpretation": "i", "completed": True, "no_confirmation": "the lead is noise"}
    far_ahead = rate_block(RATES[0], RATES[2])
    it = whole({"run-1.edit-1": far_ahead, "run-1.reflect": fenced(declined)}, runs=1, **RUNS_ONLY)
    planned = confirmation_of(it)

    assert (planned.best, planned.reason) == (None, "the planner declined: the lead is noise")


def test_the_comparison_is_with_the_strongest_baseline_whichever_the_planner_names(whole):
    it = whole(before=MakePlan, runs=1, stop_after="plan")
    scores = {
        record["name"]: sum(t["metrics"]["score"] for t in record["trainings"])
        for record in (json.loads(path.read_text()) for path in (it.paths.repo / "records").glob("*.json"))
    }
    weaker, strongest = sorted(scores, key=scores.get)
    named = plan(1)
    named["comparison"]["baseline"] = weaker
    it.model.script = Script(1, {"plan": fenced(named)})
    session = it.play()
    [made] = [e for e in EventLog(it.paths.events).read() if isinstance(e, ev.Planned)]

    assert session.comparison.baseline == strongest and made.instead_of == weaker
    assert f"the planner named {weaker}: it is the code" in session.comparison.why
    assert any(f"compared with {strongest}" in line and weaker in line for line in it.console.lines)
