"""Exported SAEs: SAELens reads them and gives the latents that were measured; what it cannot read keeps its class."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import saes
import torch
from safetensors.numpy import load_file, save_file
from scipy import sparse

from agent.lab.measuring.export import export, recognised
from agent.session.policy import EditPlot
from tests.support.small_saes import D_IN, D_SAE, IN_SAELENS, seed, trained, world

CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # float32 sums in another order
SAELENS = {"batchtopk": "jumprelu", "matryoshka": "jumprelu"}


@pytest.fixture(autouse=True)
def seeded():
    seed()


def saved(kind, folder: Path) -> tuple[Path, np.ndarray, sparse.csr_matrix]:
    """A trained SAE's file, rows, and the latents that its own class gives for them."""
    rows = world(600)
    sae, _ = trained(kind, rows, steps=300)
    sae.save(folder / "sae.safetensors")
    with torch.no_grad():
        z = kind.load(folder / "sae.safetensors").encode(rows)
    return folder / "sae.safetensors", rows.numpy(), sparse.csr_matrix(z.numpy())


@pytest.mark.parametrize("kind", IN_SAELENS, ids=lambda kind: kind.architecture)
def test_saelens_loads_each_architecture_and_gives_the_same_latents_and_reconstruction(kind, tmp_path):
    from sae_lens import SAE

    artefact, rows, z = saved(kind, tmp_path)
    settings = {"model": "pythia-70m", "hook_name": "blocks.2.hook_resid_post", "context": 128, "lr": 1.0}
    said = export(artefact, tmp_path, rows, z, settings, {"run": "3"}, tmp_path / "export")
    loaded = SAE.load_from_disk(tmp_path / "export")
    with torch.no_grad():
        theirs = loaded.encode(torch.from_numpy(rows))
        ours = kind.load(artefact).decode(torch.from_numpy(z.toarray()))
        again = loaded.decode(theirs)

    assert said == f"SAELens: {SAELENS.get(kind.architecture, kind.architecture)}"
    torch.testing.assert_close(theirs, torch.from_numpy(z.toarray()), **CLOSE)
    torch.testing.assert_close(again, ours, **CLOSE)
    about = loaded.cfg.metadata
    assert (about.model_name, about.hook_name, about.context_size) == ("pythia-70m", settings["hook_name"], 128)
    assert about.run == "3" and "lr" not in about


def test_an_encoder_without_the_decoders_bias_and_a_threshold_for_all_are_recognised(tmp_path):
    draw = np.random.default_rng(0)
    tensors = {
        "W_enc": draw.normal(size=(D_IN, D_SAE)),
        "W_dec": draw.normal(size=(D_SAE, D_IN)),
        "b_dec": draw.normal(size=D_IN),
        "b_enc": draw.normal(size=D_SAE),
        "threshold": np.array([3.0]),
    }
    tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
    save_file(tensors, tmp_path / "sae.safetensors")
    rows = draw.normal(size=(200, D_IN)).astype(np.float32)
    acts = rows @ tensors["W_enc"] + tensors["b_enc"]
    form = recognised(tmp_path / "sae.safetensors", rows, sparse.csr_matrix(np.where(acts > 3, acts, 0)), {})

    assert (form.architecture, form.apply_b_dec_to_input) == ("jumprelu", False)


def test_another_inference_form_is_kept_with_the_class_that_loads_it_and_says_so(tmp_path):
    """A choice that no form of SAELens makes: the two largest of each half."""
    artefact, rows, z = saved(saes.StandardSAE, tmp_path)
    code = tmp_path / "code"
    (code / "saes").mkdir(parents=True)
    (code / "experiment.py").write_text("raise SystemExit('code of an agent ran in the runner')")
    (code / "saes" / "__init__.py").write_text("")
    other = sparse.csr_matrix(np.where(np.arange(D_SAE) % 2, z.toarray(), 0))
    said = export(artefact, code, rows, other, {"l0": 3}, {}, tmp_path / "export")

    assert said == "own class"
    there = {p.relative_to(tmp_path / "export").as_posix() for p in (tmp_path / "export").rglob("*.*")}
    assert there == {"README.md", "experiment.py", "sae.safetensors", "saes/__init__.py"}
    assert "from experiment import SAE" in (tmp_path / "export" / "README.md").read_text()


@pytest.mark.parametrize(
    "extra",
    [
        {"threshold": np.full(D_SAE, np.nan)},
        {"b_enc": np.full(D_SAE, 1e38)},
        {"threshold": np.zeros((2, 2))},
        {"W_enc": np.zeros((3, 3))},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_odd_tensors_are_no_form_and_no_error(tmp_path, extra):
    artefact, rows, z = saved(saes.StandardSAE, tmp_path)
    tensors = load_file(artefact) | {name: value.astype(np.float32) for name, value in extra.items()}
    save_file(tensors, artefact)
    form = recognised(artefact, rows, z, {})

    assert (form and form.architecture) == (None if extra.keys() & {"b_enc", "W_enc"} else "standard")


def test_a_run_leaves_its_export_beside_its_artefact_and_the_record_says_how_to_load_it(whole):
    session = whole(before=EditPlot, runs=1)
    record = json.loads((session.paths.repo / "records" / "1.json").read_text())
    training = next(iter((session.paths.runs / "1" / "attempt-1" / "trainings").iterdir()))
    loading = "from experiment import SAE; print(SAE.load('sae.safetensors'))"

    assert {t["export"] for t in record["trainings"]} == {"own class"}
    assert (training / "export" / "experiment.py").is_file()
    subprocess.run([sys.executable, "-c", loading], cwd=training / "export", check=True, capture_output=True)
