"""A planner that asks for a sweep gets a curve, and comparisons stay at what all runs share."""

import re

import pytest

from agent.core.record import RunRecord
from agent.pages.command import page_of
from agent.publishing.verify.command import verify
from paper.evidence.sweeps import curve_of
from tests.support.whole import Script, Whole, block, fenced, plan, planned

SWEEP = {"setting": "rate", "values": [0.02, 0.1, 0.3]}
STEP = "            sae.W_dec += RATE * z.T @ residual / len(x)"
EDIT = block("experiment.py", STEP, STEP.replace("RATE", 'task.get("rate", RATE)'))
TOLD = '{{ swept("step1", "score") }} (see [@fig:sweep_rate] and [@tab:sweeps]).'


@pytest.fixture(scope="module")
def played(tmp_path_factory, stages):
    refused = plan(1) | {"runs": [planned(1) | {"sweep": {"setting": "l0", "values": [1, 3]}}]}
    asked = plan(1) | {"runs": [planned(1) | {"sweep": SWEEP}]}
    answers = {
        ("plan", 1): fenced(refused),
        ("plan", 2): fenced(asked),
        "run-1.edit-1": EDIT,
        "paper.results.write": block("paper/sections/results.md", "Nothing is written here yet.", TOLD),
    }
    it = Whole(
        tmp_path_factory.mktemp("swept"), Script(1, answers), cache=stages.cache, runs=1, reviews=1, baselines=("topk",)
    )
    session = it.play()
    assert session.finished
    return it, session


def test_what_cannot_be_swept_goes_back_to_the_planner(played):
    it, _ = played
    assert "run 'step1' cannot sweep l0: the manifest's `data_settings`" in it.model.prompt("plan", 2)


def test_points_of_a_sweep_stand_apart_from_the_conditions_that_runs_share(played):
    it, _ = played
    record = RunRecord.model_validate_json((it.paths.repo / "records/1.json").read_text())
    assert [c.name for c in record.conditions] == ["k2"] == sorted({t.condition for t in record.trainings})
    assert [p.value for p in curve_of(record, "score")] == SWEEP["values"]
    assert all(p.series.n == 2 for p in curve_of(record, "score"))
    assert len({p.series.mean for p in curve_of(record, "score")}) == 3
    assert "`rate` at 0.02, 0.1, 0.3: read it from task.json" in it.model.prompt("run-1.edit-1")


def test_a_sweep_is_a_clause_a_table_and_a_figure_of_the_paper_and_stands_on_the_page(played):
    it, _ = played
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "swept over rate, is" in tex
    assert "{tab:sweeps}{Each sweep" in tex and r"\label{fig:sweep_rate}" in tex
    assert "score, swept over rate:" in page_of(it.paths, lambda event, session: "").decode()


def test_a_paper_with_a_sweep_is_verified_with_every_artefact(played, capsys):
    it, _ = played
    assert verify(str(it.paths.root), it.workspace, artefacts=True) == 0
    done = re.search(r"(\d+) of 10 artefacts re-evaluated", capsys.readouterr().out)
    assert done and int(done[1]) >= 8  # a baseline's two may lie with an earlier session that trained it
