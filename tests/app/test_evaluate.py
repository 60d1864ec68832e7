"""`launch.py evaluate`: a table or JSON, a record in the workspace, and one line for what cannot be measured."""

import json
import shutil

import pytest

from tests.support import TEMPLATE
from tests.support.launched import launch
from tests.support.published import LAYOUTS


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_an_autoencoder_is_measured_and_its_record_lies_in_the_workspace(workspace, tmp_path):
    folder = tmp_path / "k3"
    folder.mkdir()
    LAYOUTS["AutoEncoderTopK"](folder)
    words = ("evaluate", folder, "--template", TEMPLATE, "--trust", "--workspace", workspace)
    done = launch(*words)

    assert done.returncode == 0, done.stderr
    assert "dictionary_learning, topk, d_in 8, d_sae 12, k 3; trained on: 2,048,000 tokens" in done.stdout
    record = next((workspace / "evaluations").iterdir())
    assert str(record.name) in done.stdout
    said = json.loads(record.read_text())
    assert said["metrics"].keys() == {"score", "error", "l0"} and 0 < said["metrics"]["l0"] <= 3
    assert (said["template"], said["profile"], said["condition"], said["sandbox"]) == ("tiny", "tiny", "k2", "bwrap")
    assert f"{said['metrics']['score']:.4g}" in done.stdout
    assert "its files say that it is of the model" not in done.stderr  # rows that are of no model


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: no such file or folder, and not of the form release/id"),
        ((".", "--profile", "dem"), "--profile dem: synth_sae has "),
        (("README.md",), "README.md: neither a folder nor a file that ends with .safetensors, .npz, .pt"),
        ((".", "--template", TEMPLATE), "was not made by this installation"),
    ],
)
def test_what_cannot_be_measured_is_one_line(workspace, words, said):
    done = launch("evaluate", *words, "--workspace", workspace)

    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
