"""An exported SAE that is evaluated gets the metrics that its run was recorded with."""

from pathlib import Path

import pytest

from agent.core.template import load_template
from agent.lab.published.evaluation import Place, evaluate
from agent.lab.published.source import read_published
from agent.lab.templating.trial import Trial
from agent.sandbox.boxes import NoSandbox
from tests.support import ROOT

SYNTH = load_template(ROOT / "templates" / "synth_sae")


def test_the_export_of_a_run_gets_the_metrics_of_its_record(tmp_path):
    trial = Trial(SYNTH, "demo", tmp_path, NoSandbox(), print)
    world = trial.world(11)
    run = trial.train("run", world, "baselines/batchtopk.py", 0, samples=30_000)
    export = next(Path(tmp_path, "run", "trainings").glob("*/export"))
    found = read_published("x", export, tmp_path / "read", NoSandbox())
    record = evaluate(found, Place(SYNTH, "demo", trial.condition, world, NoSandbox(), "cpu", 1), tmp_path / "again")

    assert run.export.startswith("SAELens")
    assert record.metrics == {name: pytest.approx(value, rel=1e-4) for name, value in run.metrics.items()}
