"""A session whose second baseline others trained: measured as the rest, never trained, told with its own budget."""

import json

from agent.publishing.verify.command import verify
from agent.storage.workspace import Workspace
from tests.support.published import with_hub
from tests.support.whole import Script, Whole


def test_a_pretrained_baseline_is_measured_and_told_with_its_own_budget(tmp_path):
    template = with_hub(tmp_path / "with_hub")
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
