"""templates/lm_sae on a small grammar world: what is hidden, what is measured, and its code end to end."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from agent.lab.integrity.floor import _draw as untrained_draw
from agent.lab.measuring.artefact import read_artefact
from agent.lab.worlds import load_module
from tests.support.lm_world import FOLDER, HOOK, SMALL, TASK, TEMPLATE, draw, evaluation, trained, world


@pytest.fixture(scope="module")
def truth():
    return evaluation().load_truth(world() / "truth", TASK)


def measured(truth, z, decoder, bias):
    z = sparse.csr_matrix(z)
    return evaluation().evaluate(truth.x, z, z @ decoder + bias, decoder, truth)


@pytest.mark.parametrize("script", ["experiment.py", "baselines/standard.py"])
def test_training_leaves_an_artefact_that_beats_untrained_dictionaries(tmp_path, truth, script):
    out = trained(tmp_path, world(), script)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    artefact = read_artefact(out / "sae.safetensors", TASK)
    module = load_module(FOLDER / script)
    with torch.no_grad():
        z = module.SAE.load(str(out / "sae.safetensors")).encode(torch.from_numpy(truth.x))
    metrics = measured(truth, z.double().numpy() * artefact.scale, artefact.decoder, artefact.bias)
    floor = untrained_draw(evaluation(), truth, 48, 4, 0)

    assert metrics.keys() == TEMPLATE.manifest.metrics.keys()
    assert lines[-1]["step"] == lines[-1]["steps"] == 40_000 // 64
    assert json.loads((out / "diagnostics.json").read_text())
    assert metrics["explained_variance"] > floor["explained_variance"]
    assert metrics["l0"] == pytest.approx(4, abs=1)


def test_the_training_data_hold_activations_and_nothing_else():
    names = sorted(p.relative_to(world() / "train").as_posix() for p in (world() / "train").rglob("*") if p.is_file())
    about = json.loads((world() / "train" / HOOK / "about.json").read_text())

    assert names == sorted(f"{HOOK}/{name}" for name in ["about.json", *about["shards"]])
    assert about.keys() == {"rows", "d_in", "dtype", "shards", "deviation"}
    assert len(about["shards"]) == 3


def test_the_model_has_learned_and_is_not_saturated(truth):
    about = json.loads((world() / "truth" / "about.json").read_text())
    coarse = untrained_draw(evaluation(), truth, 48, 2, 0)
    fine = untrained_draw(evaluation(), truth, 48, 16, 0)

    assert about["ce_floor"] < about["ce"] < 0.7 * about["ce_uniform"]
    assert coarse["delta_ce"] > fine["delta_ce"] + 0.2
    assert truth.ce_zero > about["ce"] + 1


def test_a_perfect_reconstruction_loses_nothing_and_zeros_lose_all(truth):
    rows = truth.held
    eye = sparse.csr_matrix(np.eye(truth.x.shape[1]))
    exact = measured(truth, truth.x, eye.toarray(), 0)
    nothing = measured(truth, np.zeros((len(truth.x), 32)), eye.toarray(), np.zeros(32))

    assert (exact["delta_ce"], exact["kl"], exact["mse"]) == pytest.approx((0, 0, 0), abs=1e-6)
    assert (exact["ce_loss_score"], exact["explained_variance"], exact["cosine"], exact["relative_norm"]) == (
        pytest.approx((1, 1, 1, 1), abs=1e-6)
    )
    assert rows == 96 * 15 and exact["l0"] == 32 and exact["dense_latents"] == 1
    assert nothing["dead_latents"] == 1 and nothing["delta_ce"] > 0.5 and nothing["relative_norm"] == 0


def test_a_world_is_repeatable_and_hangs_on_all_of_its_secret(tmp_path):
    settings = {**SMALL, "tokens": 4000, "lm_steps": 120, "held_out": 48, "labelled": 400}
    with pytest.raises(Exception, match="did not learn"):
        draw(tmp_path / "short", {**settings, "lm_steps": 1})
    drawn = [
        draw(tmp_path / str(i), settings, secret)
        for i, secret in enumerate((2**200 + 1, 2**200 + 1, 2**200 + 1 + 2**64))
    ]
    shards = [(folder / "train" / HOOK / "00000.npy").read_bytes() for folder in drawn]

    assert shards[0] == shards[1] != shards[2]
    assert (drawn[0] / "truth/tokens.npy").read_bytes() != (drawn[2] / "truth/tokens.npy").read_bytes()


def test_other_weights_than_those_the_data_came_from_are_refused(tmp_path):
    import shutil

    copy = tmp_path / "truth"
    shutil.copytree(world() / "truth", copy)
    about = json.loads((copy / "about.json").read_text())
    (copy / "about.json").write_text(json.dumps({**about, "weights_sha256": "0" * 64}))
    with pytest.raises(ValueError, match="other weights"):
        evaluation().load_truth(copy, TASK)


def test_the_figures_are_drawn_from_the_records(tmp_path):
    value = {"k4": {"mean": 0.5, "se": 0.01, "n": 3, "values": [0.49, 0.5, 0.51]}}
    records = [
        {
            "run": str(i),
            "name": f"r{i}",
            "label": f"Run {i}",
            "kind": "experiment",
            "status": status,
            "look": {"color": "#D55E00", "marker": "s", "markersize": 4.5},
            "curves": [],
            "diagnostics": {},
            "metrics": {"dead_latents": value, "dense_latents": value},
        }
        for i, status in enumerate(["measured", "failed"])
    ]
    (tmp_path / "records.json").write_text(json.dumps(records))
    subprocess.run([sys.executable, str(FOLDER / "plot.py")], cwd=tmp_path, check=True)

    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures and all(
        (tmp_path / f"{f['file']}.{end}").stat().st_size > 1000 for f in figures for end in ("png", "pdf")
    )
