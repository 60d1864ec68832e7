"""A primary metric with a target, where the profile asks for another value than the metric's own: all judge by one."""

import shutil

import pytest

from agent.publishing.records import session_facts
from tests.support import TEMPLATE
from tests.support.whole import Script, Whole, block, fenced, plan

OWN, ASKED, BASELINE = 4, 1, 4  # the metric's own target, the l0 that the profile sets, that of the baseline
MADE = '    sae = SAE(W_dec / np.linalg.norm(W_dec, axis=1, keepdims=True), data.mean(0), task["l0"])'
L0 = f"""[metrics.l0]
label   = "L0"
better  = "target"
primary = true
target  = {OWN}.0
"""


def far(number: int) -> str:
    """An edit after which a row has `number` more active latents than the profile asks for."""
    old = MADE.replace('task["l0"]', f'task["l0"] + {BASELINE - ASKED}')
    return block("experiment.py", old, MADE.replace('task["l0"]', f'task["l0"] + {number}'))


def planned() -> str:
    """Two runs, both nearer to what the profile asks for than the baseline; the baseline meets the metric's own."""
    made = plan(2)
    made["comparison"]["metric"] = "l0"
    return fenced(made)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    template = root / "template"
    shutil.copytree(TEMPLATE, template)
    manifest = (template / "manifest.toml").read_text().replace("primary = true\n", "")
    manifest = manifest.replace('[metrics.l0]\nlabel  = "L0"\nbetter = "target"\ntarget = 2.0\n', L0)
    (template / "manifest.toml").write_text(manifest.replace(", l0 = 2 }", f", l0 = {ASKED} }}"))
    code = template / "experiment.py"
    code.write_text(code.read_text().replace(MADE, MADE.replace('task["l0"]', f'task["l0"] + {BASELINE - ASKED}')))
    answers = {"plan": planned(), "run-1.edit-1": far(1), "run-2.edit-1": far(2)}
    it = Whole(root / "work", Script(2, answers), template=str(template), baselines=("topk",))
    it.play()
    return it


@pytest.fixture
def prompts(played):
    return {step: played.model.prompt(step) for step in ("plan", "run-2.reflect", "paper.write-1")}


def test_the_planner_reads_the_target_that_the_profile_asks_for(prompts):
    assert f"`l0` (L0, the primary metric): target {ASKED}. " in prompts["plan"]
    assert f"L0 (target {ASKED})" in prompts["plan"] and f"target {OWN}" not in prompts["plan"]


def test_the_loop_goes_on_from_the_run_that_is_nearest_to_it(prompts):
    assert "Best so far: `step1`" in prompts["run-2.reflect"]


def test_the_run_that_is_confirmed_is_the_one_that_the_paper_describes(played, prompts):
    with played.tools() as tools:
        facts, confirmed = session_facts(tools), tools.session.confirmation.best

    assert confirmed == facts.record("ours").run == facts.described.run == "1"
    assert "The whole code of the described run, `step1`" in prompts["paper.write-1"]


def test_the_confirmation_measures_the_distance_from_it(played):
    with played.tools() as tools:
        found = session_facts(tools).confirmation

    assert found.baseline.mean > 1.5 > 1.1 > found.ours.mean > 0.8  # some of the chosen latents are not above zero
    assert found.verdict == "improvement"
