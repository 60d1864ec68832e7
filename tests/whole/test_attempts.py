"""What a model may do wrong in an attempt at a run, and what it is told."""

import json
import shutil

import pytest

from agent.core.errors import InfrastructureError
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support import TEMPLATE
from tests.support.whole import RATES, Script, block, rate_block

RUNS_ONLY = {"stop_after": "runs"}
DRAW = '    draw = np.random.default_rng(task["seed"])'


def failures(whole):
    return [
        (e.run, e.attempt, e.stage, e.reason)
        for e in EventLog(whole.paths.events).read()
        if isinstance(e, ev.AttemptFailed)
    ]


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
    (line,) = [said for said in it.console.lines if "attempt 1 of run 1 failed" in said]
    assert line.endswith("no-block: the answer held no SEARCH/REPLACE block, so nothing was changed.")
    assert "no SEARCH/REPLACE block" in it.model.prompt("run-1.edit-2")
    assert session.experiments[0].phase == "measured"


def test_an_edit_that_changes_nothing_is_refused(whole):
    it = whole({"run-1.edit-1": rate_block(RATES[0], RATES[0])}, runs=1, attempts=1, **RUNS_ONLY)
    it.play()
    assert failures(it)[0][3] == "no-change"


def test_an_edit_of_a_forbidden_file_is_refused(whole):
    forge = block("evaluate.py", "", "def evaluate(*a):\n    return {'score': 1.0}")
    it = whole({"run-1.edit-1": forge}, runs=1, attempts=1, **RUNS_ONLY)
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
    quick = tmp_path / "quick"
    shutil.copytree(TEMPLATE, quick)
    manifest = quick / "manifest.toml"
    limits = "limits          = { wall_s = "
    manifest.write_text(manifest.read_text().replace(f"{limits}60.0", f"{limits}4.0", 1))
    slow = block("experiment.py", DRAW, f"    __import__('time').sleep(600)\n{DRAW}")
    it = whole(
        {"run-1.edit-1": slow, "run-1.edit-2": "no"}, runs=1, template=str(quick), baselines=("topk",), **RUNS_ONLY
    )
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


def test_an_empty_reply_stops_the_session_and_is_no_edit(whole):
    it = whole({"run-1.edit-1": "  "}, runs=1, **RUNS_ONLY)
    with pytest.raises(InfrastructureError, match="empty"):
        it.play()
    assert not any(isinstance(e, ev.Edited) for e in EventLog(it.paths.events).read())
    it.model.script = Script(1)
    assert it.play().experiments[0].phase == "measured"
