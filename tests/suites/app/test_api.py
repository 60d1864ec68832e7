"""Sessions from Python: `from agent import run`, with one's own model, runner and console."""

import os
import subprocess
import sys

import pytest

import agent
from agent import BudgetSpent, Idea, UserError, resume, run
from agent.lab.jobs.local import LocalRunner
from tests.support import ROOT, TEMPLATE
from tests.support.scripted import ScriptedModel
from tests.support.whole import IDEA, Heard, Script


class CountingRunner(LocalRunner):
    """This machine's runner, counted."""

    def __init__(self):
        super().__init__()
        self.runs = set()

    def submit(self, job):
        self.runs.add(job.run)
        super().submit(job)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A session with parts of one's own, stopped after its runs."""
    parts = {"model": ScriptedModel(Script(1)), "runner": CountingRunner(), "console": Heard()}
    outcome = run(
        Idea(**IDEA),
        template=TEMPLATE,
        workspace=tmp_path_factory.mktemp("ws"),
        baselines=("topk",),
        runs=1,
        pdf=False,
        literature="offline",
        stop_after="runs",
        **parts,
    )
    return outcome, parts


def test_a_session_with_ones_own_parts(stopped):
    outcome, parts = stopped
    assert [r.run for r in outcome.records] == ["0", "1"] and not outcome.session.finished
    assert parts["runner"].runs == {"0", "1"} and parts["model"].prompt("plan")
    assert any("Run 1" in line for line in parts["console"].lines)
    assert len(repr(outcome)) < 300


def test_it_goes_on_to_its_end(stopped):
    outcome, parts = stopped
    done = resume(outcome.folder, **parts)
    assert done.session.finished and done.folder == outcome.folder and done.pdf is None
    assert "confirm.best" in {r.run for r in done.records}


def test_a_bound_stops_it_and_is_an_exception(tmp_path):
    with pytest.raises(BudgetSpent, match="max-tokens"):
        run(
            Idea(**IDEA),
            template=TEMPLATE,
            workspace=tmp_path,
            model=ScriptedModel(Script(1)),
            baselines=("topk",),
            max_tokens=0,
            pdf=False,
            literature="offline",
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"idea": "no_such_idea"}, "not found"),
        ({"idea": Idea(**IDEA)}, "name a model"),
        ({"idea": Idea(**IDEA), "model": ScriptedModel(Script(1)), "rnus": 3}, "no such option"),
        ({"idea": Idea(**IDEA), "model": ScriptedModel(Script(1)), "runs": 201}, "--runs"),
        ({"idea": Idea(**IDEA), "model": ScriptedModel(Script(1)), "profile": "huge"}, "--profile huge"),
        ({"idea": Idea(**IDEA), "model": ScriptedModel(Script(1)), "baselines": ("topk", "topk")}, "named twice"),
        ({"idea": Idea(**IDEA), "model": "nobody/knows-this"}, "no provider"),
        ({"idea": Idea(**IDEA), "template": "/nowhere"}, "--template"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(tmp_path, words, said):
    with pytest.raises(UserError, match=said):
        run(**{"template": TEMPLATE, "workspace": tmp_path / "ws", "pdf": False, **words})
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"rnus": 3}, r"resume\(rnus=...\): no such option"),
        ({"template": "synth_sae"}, "--template cannot change within a session"),
        ({"slots": 0}, "--slots 0: give 1 to"),
    ],
)
def test_a_resume_is_refused_before_anything_is_written(stopped, words, said):
    outcome, parts = stopped
    before = (outcome.folder / "events.jsonl").read_bytes()
    with pytest.raises(UserError, match=said):
        resume(outcome.folder, **parts, **words)
    assert (outcome.folder / "events.jsonl").read_bytes() == before


def test_a_session_without_a_beginning_cannot_go_on(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "events.jsonl").touch()
    with pytest.raises(UserError, match="its log is empty"):
        resume(tmp_path / "empty")


def test_every_public_name_loads_and_none_loads_early():
    assert all(getattr(agent, name) for name in agent.__all__)
    code = "import agent, sys; assert not {'agent.app.api', 'torch', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_example_of_the_documentation_runs(tmp_path):
    place = f"workspace={str(tmp_path)!r}"
    text = (ROOT / "docs/own_model.py").read_text().replace('workspace="workspace"', place)
    assert place in text and "PYTHONPATH=. .venv/bin/python docs/own_model.py" in (ROOT / "docs/python.md").read_text()
    script = tmp_path / "own_model.py"
    script.write_text(text)
    environment = {**os.environ, "PYTHONPATH": "."}
    command = [sys.executable, script]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "TopK" in done.stdout and "--resume" in done.stdout
