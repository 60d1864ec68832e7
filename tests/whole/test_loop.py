"""The loop end to end: what a model may do wrong, and what the session makes of it."""

import json

import pytest

from agent.core.errors import InfrastructureError
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support.whole import RATES, Script, block, fenced, options, plan, planned, rate_block

RUNS_ONLY = {"stop_after": "runs"}
DRAW = '    draw = np.random.default_rng(task["seed"])'
AXIS = 'axis.set_ylabel("score")'


def failures(whole):
    return [
        (e.run, e.attempt, e.stage, e.reason)
        for e in EventLog(whole.paths.events).read()
        if isinstance(e, ev.AttemptFailed)
    ]


def test_an_idea_becomes_a_paper(whole):
    session = (it := whole(pdf=True)).play()

    assert session.finished
    assert [r.phase for r in session.experiments] == ["measured", "measured"]
    repo = it.paths.repo
    assert (repo / "paper/paper.pdf").read_bytes().startswith(b"%PDF")
    record = json.loads((repo / "records/1.json").read_text())
    assert record["status"] == "measured"
    assert len(record["trainings"]) == 2
    assert "step 0.05" in (repo / "notes.txt").read_text()
    assert json.loads((repo / "review/review.json").read_text())["meta"]["numbers"]["overall"] == 5
    log = it.log()
    assert log[0].startswith("idea:")
    assert log[-1] == "session finished"
    assert any(line.startswith("run 1: step 0.05: score") for line in log)


def test_the_best_run_is_confirmed_on_fresh_seeds_and_a_fresh_world(whole):
    session = (it := whole()).play()
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

    def world(record):
        return {k: v for k, v in record["hashes"].items() if k.startswith("data/")}

    assert world(arms[0]) == world(arms[1])
    assert world(arms[0]) != world(best)


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


def test_a_block_that_does_not_match_is_answered_and_repaired(whole):
    it = whole(
        {("run-1.edit-1", 1): rate_block(0.5, 0.1), ("run-1.edit-1", 2): rate_block(RATES[0], RATES[1])},
        runs=1,
        **RUNS_ONLY,
    )
    session = it.play()
    assert session.experiments[0].phase == "measured"
    assert ("run-1.edit-1", 2) in it.model.asked
    assert "RATE = 0.02" in it.model.prompt("run-1.edit-1", 2)
    assert failures(it) == []


def test_an_answer_without_a_block_costs_an_attempt_and_is_told(whole):
    it = whole({"run-1.edit-1": "I would rather not."}, runs=1, **RUNS_ONLY)
    session = it.play()
    assert failures(it) == [("1", 1, "edit", "no-block")]
    assert "no SEARCH/REPLACE block" in it.model.prompt("run-1.edit-2")
    assert session.experiments[0].phase == "measured"


def test_an_edit_that_changes_nothing_is_refused(whole):
    it = whole({"run-1.edit-1": rate_block(RATES[0], RATES[0])}, runs=1, **RUNS_ONLY)
    it.play()
    assert failures(it)[0][3] == "no-change"


def test_an_edit_of_a_forbidden_file_is_refused(whole):
    it = whole(
        {"run-1.edit-1": block("evaluate.py", "", "def evaluate(*a):\n    return {'score': 1.0}")}, runs=1, **RUNS_ONLY
    )
    it.play()
    assert failures(it)[0][:3] == ("1", 1, "edit")
    assert not (it.paths.repo / "evaluate.py").exists()


def test_a_lint_error_goes_back_with_its_line_and_is_mended(whole):
    bad = block("experiment.py", f"RATE = {RATES[0]}  # step size", "RATE = rate_that_is_nowhere  # step size")
    mend = block("experiment.py", "RATE = rate_that_is_nowhere  # step size", "RATE = 0.05  # step size")
    it = whole({"run-1.edit-1": bad, "run-1.edit-2": mend}, runs=1, **RUNS_ONLY)
    session = it.play()
    assert failures(it) == [("1", 1, "lint", "F821")]
    assert "rate_that_is_nowhere" in it.model.prompt("run-1.edit-2")
    assert session.experiments[0].phase == "measured"
    assert any("lint failed (F821)" in line for line in it.log())


def test_an_exception_goes_back_as_the_end_of_its_traceback(whole):
    bad = block("experiment.py", DRAW, f"    raise ValueError('shapes (8,) and (9,)')\n{DRAW}")
    mend = block("experiment.py", f"    raise ValueError('shapes (8,) and (9,)')\n{DRAW}", DRAW)
    it = whole(
        {"run-1.edit-1": bad, "run-1.edit-2": mend, "run-1.edit-3": rate_block(RATES[0], 0.05)},
        runs=1,
        attempts=3,
        **RUNS_ONLY,
    )
    it.play()
    assert failures(it)[0] == ("1", 1, "training", "exit")
    told = it.model.prompt("run-1.edit-2")
    assert "ValueError: shapes (8,) and (9,)" in told
    assert "Traceback" in told


def test_missing_metrics_are_a_refusal_with_its_reason(whole):
    saving = '    train(task, out_dir).save(out_dir / task["artefact"])'
    gone = block("experiment.py", saving, "    train(task, out_dir)")
    it = whole({"run-1.edit-1": gone, "run-1.edit-2": "no"}, runs=1, **RUNS_ONLY)
    session = it.play()
    assert failures(it)[0][2] in ("integrity", "training")
    assert "sae.safetensors" in it.model.prompt("run-1.edit-2")
    assert session.experiments[0].phase == "failed"


def test_a_time_out_is_told_with_the_limit(whole, tmp_path):
    import shutil

    from tests.support.whole import TEMPLATE

    quick = tmp_path / "quick"
    shutil.copytree(TEMPLATE, quick)
    manifest = quick / "manifest.toml"
    limits = "limits          = { wall_s = "
    manifest.write_text(manifest.read_text().replace(f"{limits}60.0", f"{limits}4.0", 1))
    slow = block("experiment.py", DRAW, f"    while True:\n        pass\n{DRAW}")
    it = whole({"run-1.edit-1": slow, "run-1.edit-2": "no"}, runs=1, template=str(quick), **RUNS_ONLY)
    it.play()
    assert failures(it)[0] == ("1", 1, "training", "timeout")
    assert "4 s" in it.model.prompt("run-1.edit-2")


def test_a_run_whose_attempts_are_spent_is_recorded_and_the_session_goes_on(whole):
    it = whole({"run-1.edit-1": "no", "run-1.edit-2": "no"}, **RUNS_ONLY)
    session = it.play()
    assert [r.phase for r in session.experiments] == ["failed", "measured"]
    record = json.loads((it.paths.repo / "records/1.json").read_text())
    assert (record["status"], record["attempts"], record["trainings"]) == ("failed", 2, [])
    assert "failed; its attempts are spent" in it.model.prompt("run-1.reflect")


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
    assert "comparison: Field required" in it.model.prompt("plan", 3)


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


def test_plot_py_that_fails_is_mended_and_a_hopeless_one_given_up(whole):
    crash = block("plot.py", AXIS, f'raise SystemExit("no axes")\n{AXIS}')
    it = whole({"plot.edit-1": crash, "plot.edit-2": "no"}, runs=1)
    session = it.play()
    assert session.plots_over
    assert [f.by for f in session.figures].count("agent") == 0
    assert "no axes" in it.model.prompt("plot.edit-2")


def test_a_figure_that_does_not_follow_the_records_is_refused_and_told(whole):
    typed = block("plot.py", AXIS, f'figure.text(0.3, 0.5, "82% loss reduction")\n{AXIS}')
    mend = block("plot.py", 'figure.text(0.3, 0.5, "82% loss reduction")', "")
    it = whole({"plot.edit-1": typed, "plot.edit-2": mend}, runs=1)
    session = it.play()
    assert "82%" in it.model.prompt("plot.edit-2")
    assert [f.reason for f in session.plot_failures] == ["figures"]
    assert [f.by for f in session.figures].count("agent") == 1


def test_a_typed_result_is_refused_told_to_the_writer_and_cut_at_last(whole):
    lie = "The tiered run reaches a score of 0.97, a 42% improvement."
    it = whole({"paper.results.write": block("paper/sections/results.md", "Nothing is written here yet.", lie)}, runs=1)
    session = it.play()
    assert session.sections["results"].complaints > 0
    assert "typed-number" in it.model.prompt("paper.results.write-mend-1")
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "0.97" not in tex.split("app:cut")[0]
    assert session.compiled.dropped

    again = it.play(changed=options(runs=1, allow=(lie,)))

    assert again.finished
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "0.97" in tex.split("app:cut")[0]
    assert "kept by a person's decision" in tex
    assert ("paper.results.write", 1) not in it.model.asked[-3:], "another edition writes nothing anew"


def test_what_tex_cannot_set_is_dropped_and_said(whole):
    bad = "The rows follow what is left. The step is $\\eta\\limits_a$ at first."
    it = whole(
        {"paper.method.write": block("paper/sections/method.md", "Nothing is written here yet.", bad)}, runs=1, pdf=True
    )
    session = it.play()
    assert session.compiled.ok
    assert session.compiled.round > 0
    assert any("does-not-compile" in text for text in session.compiled.dropped)
    assert any("cut from the paper" in line and "eta" in line for line in it.console.lines)
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "The rows follow what is left" in tex.split("app:cut")[0]
    assert (it.paths.repo / "paper/paper.pdf").read_bytes().startswith(b"%PDF")


def test_an_empty_reply_stops_the_session_and_is_no_edit(whole):
    it = whole({"run-1.edit-1": "  "}, runs=1, **RUNS_ONLY)
    with pytest.raises(InfrastructureError, match="empty"):
        it.play()
    assert not any(isinstance(e, ev.Edited) for e in EventLog(it.paths.events).read())
    it.model.script = Script(1)
    assert it.play().experiments[0].phase == "measured"


def test_stop_after_and_a_changed_option_are_events(whole):
    it = whole(stop_after="plan", runs=1)
    it.play()
    session = it.play(changed=options(runs=1, stop_after="runs"))
    assert session.experiments[0].phase == "measured"
    assert any(isinstance(e, ev.OptionsChanged) for e in EventLog(it.paths.events).read())
