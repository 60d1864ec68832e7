"""The example templates of docs/examples: --check-template finds nothing in any of them."""

import re
import shutil
from functools import partial

import pytest

from agent.core.ideas import find_idea
from agent.core.template import load_template
from agent.lab.templating.check import check_template
from agent.publishing.colophon import statement
from agent.publishing.verify.trust import prepare_walled
from agent.sandbox.boxes import BubblewrapSandbox
from agent.session import events as ev
from agent.session.session import fold
from tests.support import ROOT, sampling
from tests.support.dice import options

FOLDER = ROOT / "docs/examples"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
pytestmark = [
    pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap"),
    pytest.mark.timeout(600),  # on a machine that may be busy
]


@pytest.mark.parametrize("name", sampling.sample(EXAMPLES, 2, "examples"))
def test_nothing_is_found_in_an_example(name, tmp_path):
    said: list[str] = []
    assert check_template(FOLDER / name, tmp_path / "cache", BubblewrapSandbox(), said.append) == []
    assert any("hardly trained" in line for line in said)


@pytest.mark.parametrize("name", sampling.sample(["cartpole", "diffusion", "pruning"], 1, "strangers' examples"))
def test_an_example_of_a_stranger_is_measured_with_its_evaluation_behind_walls(name, tmp_path):
    sandbox, said = BubblewrapSandbox(), []
    folder = shutil.copytree(FOLDER / name, tmp_path / name)
    check = partial(check_template, prepare=prepare_walled(sandbox))
    with pytest.MonkeyPatch.context() as here:
        here.chdir(tmp_path)
        assert check(folder, tmp_path / "cache", sandbox, said.append) == []
    assert any("hardly trained" in line for line in said)


def test_a_call_that_no_model_could_answer_is_a_flaw_of_the_template(tmp_path):
    folder = shutil.copytree(FOLDER / "pruning", tmp_path / "pruning")
    text = (folder / "evaluate.py").read_text()
    (folder / "evaluate.py").write_text(text.replace("model.predict(truth.x)", "model.predict(truth.x[:, :2])"))
    (flaw,) = check_template(folder, tmp_path / "cache", BubblewrapSandbox(), print)
    assert flaw.code == "evaluation-fails" and "x: float32 [n, 16] was declared" in flaw.text


def test_each_example_is_named_in_the_manual_and_has_a_form_of_its_own():
    page = (ROOT / "docs/templates.md").read_text()
    assert set(re.findall(r"examples/([a-z_]+)", page)) == set(EXAMPLES) and len(EXAMPLES) == 5
    manifests = {name: load_template(FOLDER / name).manifest for name in EXAMPLES}
    assert manifests["diffusion"].model.stateful == ("Sampler.sample",)
    assert all(not manifest.model.stateful for name, manifest in manifests.items() if name != "diffusion")


def test_a_paper_marks_the_methods_that_may_answer_by_the_whole_call():
    idea = find_idea("hierarchical_sae", ROOT / "ideas")
    session = fold([ev.SessionStarted(at=0.0, session="s", idea=idea, options=options())])
    said = {name: statement(session, load_template(FOLDER / name).manifest) for name in ("diffusion", "cartpole")}
    assert "Stateful: Sampler.sample may answer by the whole call" in said["diffusion"]
    assert "tateful" not in said["cartpole"]
