"""Baselines that others trained: what of their entry is refused, and a session that could not use one."""

import shutil

import pytest

from agent.core.errors import UserError
from agent.core.template import load_template, parse_manifest
from agent.lab.published.source import read_published
from agent.lab.templating.pretrained_trial import pretrained_flaws
from agent.lab.templating.trial import Trial
from agent.sandbox.boxes import NoSandbox
from tests.support.published import in_form_of_sae_lens, with_hub
from tests.support.whole import Script, Whole


@pytest.fixture
def template(tmp_path):
    return with_hub(tmp_path / "with_hub")


def test_one_that_does_not_fit_stops_the_session_before_anything_is_trained(tmp_path, template):
    shutil.rmtree(template / "hub_sae")
    in_form_of_sae_lens(template / "hub_sae", 9, 12)
    whole = Whole(tmp_path / "ws", Script(1), template=str(template), runs=1, baselines=("topk", "hub"))

    with pytest.raises(
        UserError, match="baseline hub: hub_sae: does not fit condition k2: the autoencoder has d_in = 9"
    ):
        whole.play()
    assert not whole.paths.runs.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('pretrained = "hub_sae"', "", "give either `file` \\(it is trained\\) or `pretrained`"),
        ('pretrained = "hub_sae"', 'pretrained = "hub_sae"\nfile = "baselines/rows.py"', "give either `file`"),
        ('pretrained = "hub_sae"', 'file = "baselines/rows.py"', "`trained_on` goes with `pretrained`"),
        ('name  = "hub"', 'name  = "../hub"', "the name is of letters"),
        ('file  = "experiment.py"', 'pretrained = "hub_sae"', "the agent starts from the first one's code"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(template, old, new, said):
    text = (template / "manifest.toml").read_text().replace(old, new, 1)
    with pytest.raises(UserError, match=said):
        parse_manifest(text.encode(), "manifest.toml")


def test_the_check_of_a_template_measures_it_and_says_what_is_wrong_with_it(tmp_path, template):
    said = []
    trial = Trial(load_template(template), "tiny", tmp_path / "trial", NoSandbox(), said.append)
    world = trial.world(11)

    def flaws(name: str):
        return list(
            pretrained_flaws(
                trial.template,
                "tiny",
                lambda spec: read_published(spec.name, template / spec.pretrained, tmp_path / name, NoSandbox()),
                lambda spec, given: trial.train(name, world, spec.script, 0, given=given),
            )
        )

    assert flaws("first") == []
    assert any("pretrained/hub.py, seed 0: score" in line for line in said)
    (template / "hub_sae" / "cfg.json").write_text('{"architecture": "temporal"}')
    (flaw,) = flaws("second")
    assert (flaw.code, flaw.where) == ("baseline-fails", "manifest.toml") and "architecture 'temporal'" in flaw.text
