"""The embedded template: its metrics against sae_lens's own, its world, and its code end to end on a small size."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import sparse

from agent.core.template import load_template
from agent.lab.measuring.artefact import read_artefact
from agent.lab.worlds import load_module
from tests.support import ROOT

FOLDER = ROOT / "templates" / "synth_sae"
TEMPLATE = load_template(FOLDER)
SMALL = {
    **TEMPLATE.manifest.profiles["demo"].settings,
    "num_features": 160,
    "d_in": 32,
    "roots": 4,
    "depth": 2,
    "d_sae": 48,
    "l0": 4,
    "pool": 4000,
    "held_out": 1500,
    "orthogonal_steps": 20,
    "samples": 20_000,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    (folder / "train").mkdir()
    (folder / "truth").mkdir()
    load_module(FOLDER / "prepare.py").prepare(SMALL, 2**200 + 1, folder / "train", folder / "truth")
    return folder


def trained(folder: Path, world: Path, script: str, settings: dict = SMALL) -> Path:
    """Run a script of the template as the runner would, without the sandbox."""
    task = {
        **settings,
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "data": str(world / "train"),
        "artefact": "sae.safetensors",
        "condition": "k4",
    }
    (folder / "task.json").write_text(json.dumps(task))
    (folder / "run_0").mkdir()
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), "--out_dir=run_0"],
        cwd=folder,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
    )  # for saes
    assert done.returncode == 0, done.stderr
    return folder / "run_0"


@pytest.mark.parametrize("script", [baseline.file for baseline in TEMPLATE.manifest.baselines])
def test_training_leaves_an_artefact_a_curve_that_falls_and_diagnostics(tmp_path, world, script):
    out = trained(tmp_path, world, script)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]

    assert read_artefact(out / "sae.safetensors", SMALL).decoder.shape == (48, 32)
    assert lines[-1]["step"] == lines[-1]["steps"] == 20_000 // 128
    # A steered penalty grows until l0 is at its target.
    falls = "l0_in_training" if "penalty_weight" in lines[0] else "loss"
    assert lines[-1][falls] < 0.7 * lines[0][falls]
    assert json.loads((out / "diagnostics.json").read_text())


def test_every_metric_of_the_manifest_agrees_with_sae_lens(tmp_path, world):
    """To 1e-5: float32 sums there, double here. Absorption and F1 by frequency are counted here by hand."""
    from sae_lens.evals import ExplainedVarianceCalculator
    from sae_lens.synthetic import evals

    out = trained(tmp_path, world, "experiment.py")
    sae = load_module(FOLDER / "experiment.py").SAE.load(str(out / "sae.safetensors"))
    evaluation = load_module(FOLDER / "evaluate.py")
    truth = evaluation.load_truth(world / "truth", SMALL)
    x = torch.from_numpy(truth.x)
    with torch.no_grad():
        z = sae.encode(x)
        x_hat = z @ sae.W_dec + sae.b_dec
    decoder = sae.W_dec.detach().double().numpy()

    ours = evaluation.evaluate(truth.x, sparse.csr_matrix(z.numpy()), x_hat.double().numpy(), decoder, truth)

    acts = torch.from_numpy(truth.fires.toarray().astype(np.float32))
    directions = torch.from_numpy(truth.directions).float()
    detected = evals.compute_classification_metrics(z, acts, sae.W_dec.detach(), directions)
    theirs = {
        "f1": detected.f1_score,
        "precision": detected.precision,
        "recall": detected.recall,
        "mcc": evals.mean_correlation_coefficient(sae.W_dec.detach(), directions),
        "uniqueness": evals.feature_uniqueness(sae.W_dec.detach(), directions),
    }
    for name, calculator, batch in (
        ("explained_variance", ExplainedVarianceCalculator(), (x_hat, x)),
        ("l0", evals.L0Calculator(), (z,)),
        ("shrinkage", evals.ShrinkageCalculator(), (x_hat, x)),
        ("dead_latents", evals.DeadLatentsCalculator(48), (z,)),
    ):
        calculator.add_batch(*batch)
        theirs[name] = calculator.compute() / (48 if name == "dead_latents" else 1)

    nearest = np.abs(evaluation.unit_rows(decoder) @ truth.directions.T).argmax(axis=1)
    theirs["absorption"] = absorbed(z.numpy() != 0, truth, nearest)
    theirs |= by_frequency(z.numpy() != 0, truth, nearest)

    assert ours.keys() == TEMPLATE.manifest.metrics.keys()
    assert ours == pytest.approx(theirs, abs=1e-5)


def absorbed(active, truth, nearest):
    """Row by row: of the rows in which a child fires, those in which every latent of its parent is silent."""
    fires, shares = truth.fires.toarray(), []
    for parent in sorted(set(nearest)):
        children = np.flatnonzero(truth.parent == parent)
        rows = [row for row in range(len(fires)) if fires[row, children].any()]
        silent = [row for row in rows if not active[row, nearest == parent].any()]
        shares += [len(silent) / len(rows)] if rows else []
    assert shares and 0 < np.mean(shares) < 1
    return np.mean(shares)


def by_frequency(active, truth, nearest):
    fires = truth.fires.toarray()
    best = [0.0] * fires.shape[1]
    for latent, feature in enumerate(nearest):
        both, either = (active[:, latent] & fires[:, feature]).sum(), active[:, latent].sum() + fires[:, feature].sum()
        best[feature] = max(best[feature], 2 * both / either if either else 0.0)
    order = sorted(range(len(best)), key=lambda f: -fires[:, f].sum())
    size = -(-len(best) // 3)
    thirds = {
        "f1_frequent": order[:size],
        "f1_middling": order[size : -(len(best) // 3)],
        "f1_rare": order[-(len(best) // 3) :],
    }
    return {name: np.mean([best[f] for f in third]) for name, third in thirds.items()}


def test_the_true_dictionary_scores_one(world):
    evaluation = load_module(FOLDER / "evaluate.py")
    truth = evaluation.load_truth(world / "truth", SMALL)
    fires = sparse.csr_matrix(truth.fires, dtype=np.float64)
    metrics = evaluation.evaluate(truth.x, fires, truth.x, truth.directions, truth)

    silent = (truth.fires.getnnz(axis=0) == 0).mean()
    assert metrics["f1"] == pytest.approx(1 - silent)
    assert (metrics["mcc"], metrics["uniqueness"], metrics["explained_variance"]) == pytest.approx((1, 1, 1))
    assert (metrics["absorption"], metrics["shrinkage"]) == pytest.approx((0, 1))


def test_two_worlds_have_no_file_in_common_so_that_a_confirmation_may_call_them_fresh(world, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "truth").mkdir()
    load_module(FOLDER / "prepare.py").prepare(SMALL, 7, tmp_path / "train", tmp_path / "truth")

    names = [path.relative_to(world) for path in world.rglob("*") if path.is_file()]
    assert len(names) == 4
    assert not [name for name in names if (world / name).read_bytes() == (tmp_path / name).read_bytes()]


def test_the_world_is_hierarchical_sparse_and_repeatable(world, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "truth").mkdir()
    prepare = load_module(FOLDER / "prepare.py")
    prepare.prepare(SMALL, 2**200 + 1, tmp_path / "train", tmp_path / "truth")
    fires = sparse.load_npz(world / "truth" / "feature_acts.npz") > 0

    assert (tmp_path / "train/activations.npy").read_bytes() == (world / "train/activations.npy").read_bytes()
    assert 1 < fires.nnz / fires.shape[0] < 20
    children = fires[:, 4:8].toarray()  # breadth first: the first root's children follow the four roots
    assert children.any() and not (children.any(axis=1) & ~fires[:, [0]].toarray().ravel()).any()
    assert children.sum(axis=1).max() == 1  # siblings exclude each other


@pytest.mark.parametrize("other", [1, 2**200 + 1 + 2**32])
def test_a_secret_that_agrees_in_its_low_bits_makes_another_world(world, tmp_path, other):
    """torch.manual_seed keeps 32 bits of its seed; the world must not."""
    seeds = [np.random.SeedSequence(secret) for secret in (2**200 + 1, other)]
    prepare = load_module(FOLDER / "prepare.py")
    drawn = [prepare.draw_world(SMALL, seed).feature_dict.feature_vectors.detach().numpy() for seed in seeds]

    assert not np.allclose(drawn[0], drawn[1])


def test_the_16k_profile_differs_from_what_is_tested_here_in_size_alone(tmp_path):
    """Its settings, with every size divided, go the whole way: world, training, measurement."""
    size = TEMPLATE.manifest.profiles["16k"].settings
    settings = {
        **size,
        "num_features": 512,
        "d_in": 48,
        "roots": 4,
        "pool": 3000,
        "held_out": 1000,
        "d_sae": 64,
        "samples": 20_000,
        "orthogonal_steps": 5,
        "batch": 256,
        "l0": 8,
        "lr": 0.01,
    }
    for part in ("train", "truth"):
        (tmp_path / "world" / part).mkdir(parents=True)
    prepare = load_module(FOLDER / "prepare.py")
    prepare.prepare(TEMPLATE.data_settings(settings), 7, tmp_path / "world/train", tmp_path / "world/truth")
    out = trained(tmp_path, tmp_path / "world", "experiment.py", settings)
    evaluation = load_module(FOLDER / "evaluate.py")
    truth = evaluation.load_truth(tmp_path / "world/truth", settings)
    decoder = read_artefact(out / "sae.safetensors", settings).decoder
    z = sparse.csr_matrix(np.maximum(truth.x @ decoder.T - 4, 0))

    metrics = evaluation.evaluate(truth.x, z, z @ decoder, decoder, truth)
    assert metrics.keys() == TEMPLATE.manifest.metrics.keys() and metrics["mcc"] > 0.3


def test_rows_are_drawn_in_chunks_whose_bytes_do_not_grow_with_the_number_of_features(world, tmp_path):
    """At 16k features a chunk is a sixteenth of what it is at 1k; no row is lost between chunks."""
    prepare = load_module(FOLDER / "prepare.py")
    asked = []

    class World:
        cfg = SimpleNamespace(num_features=16_384, hidden_dim=4)

        def sample_with_features(self, rows):
            asked.append(rows)
            return torch.full((rows, 4), len(asked)), torch.zeros(rows, 2)

    prepare.write_rows(World(), 2500, tmp_path / "x.npy", tmp_path / "acts.npz")
    assert asked == [1024, 1024, 452]
    assert np.load(tmp_path / "x.npy")[[0, 1023, 1024, 2499], 0].tolist() == [1, 1, 2, 3]


def plot_records() -> list[dict]:
    """records.json with a baseline, a run with diagnostics of its own, and a failed run."""
    value = {"k8": {"mean": 0.5, "se": 0.01, "n": 3, "values": [0.49, 0.5, 0.51]}}
    tiers = {"first_tier_active_share": [0.3, 0.31, 0.32], "first_tier_explained_variance": [0.4, 0.41, 0.42]}
    return [
        {
            "run": str(i),
            "name": f"r{i}",
            "label": f"Run {i}",
            "kind": "experiment",
            "status": status,
            "look": {"color": "#D55E00", "marker": "s", "markersize": 4.5},
            "curves": [],
            "diagnostics": diagnostics,
            "metrics": {"dead_latents": value, "uniqueness": value},
        }
        for i, (status, diagnostics) in enumerate([("measured", {}), ("measured", tiers), ("failed", {})])
    ]


def test_the_figures_are_drawn_from_the_records(tmp_path):
    (tmp_path / "records.json").write_text(json.dumps(plot_records()))
    subprocess.run([sys.executable, str(FOLDER / "plot.py")], cwd=tmp_path, check=True)

    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [f["file"] for f in figures] == ["capacity"] and all(f["caption"] for f in figures)
    assert all((tmp_path / f"{f['file']}.{end}").stat().st_size > 1000 for f in figures for end in ("png", "pdf"))
