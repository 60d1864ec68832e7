"""A session whose second baseline others trained: measured as the rest, never trained, told with its own budget."""

import json
import shutil

import pytest

from agent.core.errors import UserError
from agent.core.template import parse_manifest
from agent.publishing.verify.command import verify
from agent.storage.workspace import Workspace
from tests.support import TEMPLATE
from tests.support.published import in_form_of_sae_lens
from tests.support.whole import Script, Whole

ENTRY = """
[[baselines]]
name  = "hub"
label = "Hub SAE"
pretrained = "hub_sae"
trained_on = "4 billion tokens"
about = "An autoencoder from a hub."

[profiles.tiny]"""


@pytest.fixture
def template(tmp_path):
    folder = tmp_path / "with_hub"
    shutil.copytree(TEMPLATE, folder)
    in_form_of_sae_lens(folder / "hub_sae", 8, 12, bias=-1.0)
    text = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(text.replace("\n[profiles.tiny]", ENTRY, 1))
    return folder


def test_a_pretrained_baseline_is_measured_and_told_with_its_own_budget(tmp_path, template):
    whole = Whole(tmp_path / "ws", Script(1), template=str(template), runs=1, baselines=("topk", "hub"), pdf=False)
    session = whole.play()
    record = json.loads((whole.paths.repo / "records" / "0.hub.json").read_text())
    tex = (whole.paths.repo / "paper" / "paper.tex").read_text()
    notes = (whole.paths.repo / "notes.txt").read_text()

    assert session.finished
    assert (record["label"], record["status"], record["seeds"]) == ("Hub SAE (pretrained)", "measured", [0])
    assert record["trainings"][0]["cpu_s"] == 0 and record["trainings"][0]["metrics"]["l0"] > 0
    assert {f["code"] for f in record["findings"]} == {"at-floor", "off-target"}  # random weights: told, not refused
    assert record["pretrained"]["trained_on"] == "4 billion tokens" and record["pretrained"]["d_sae"] == 12
    assert record["pretrained"]["files"].keys() == {"cfg.json", "sae_weights.safetensors"}
    assert "pretrained" not in json.loads((whole.paths.repo / "records" / "0.json").read_text())
    caption = "Hub SAE (pretrained) was trained by others, on 4 billion tokens, and measured as it is."
    assert caption in " ".join(tex.split()) and "on 4 billion tokens" in notes
    assert "class SAE" in (whole.paths.repo / "template" / "pretrained" / "hub.py").read_text()
    said = []
    assert verify(str(whole.paths.repo), Workspace(tmp_path / "ws"), artefacts=True, say=said.append) == 0


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
