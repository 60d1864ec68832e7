"""Transcoders: the library trains from one activation to another, lm_sae measures them, and SAELens loads them."""

import json

import numpy as np
import pytest
import torch
from scipy import sparse

from agent.core.errors import UserError
from agent.lab.integrity.floor import _draw as untrained_draw
from agent.lab.measuring.artefact import read_artefact
from agent.lab.measuring.export import export
from agent.lab.published.evaluation import fitting
from agent.lab.worlds import load_module
from tests.support.lm_world import FOLDER, REDUCED, TASK, TEMPLATE, draw, evaluation, trained

READ, WRITTEN = "blocks.0.ln2.hook_normalized", "blocks.0.hook_mlp_out"
PROFILE = TEMPLATE.manifest.profiles["tiny-transcoder"]
TRANSCODED = {**PROFILE.settings, **REDUCED, "d_out": 32}
GIVEN = {**TASK, **TRANSCODED, **PROFILE.conditions[0].settings}

from saes import BatchTopKSAE, GatedSAE, JumpReLUSAE, MatryoshkaSAE, StandardSAE, TopKSAE  # noqa: E402
from saes.base import Step  # noqa: E402
from saes.transcode import loss, make_transcoder, start  # noqa: E402

KINDS = (TopKSAE, BatchTopKSAE, MatryoshkaSAE, StandardSAE, JumpReLUSAE)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("pairs") / "world", TRANSCODED)


def of_pairs(kind, d_read=5, d_written=7):
    torch.manual_seed(1)
    sae = kind(d_written, 16, 3)
    make_transcoder(sae, d_read)
    rows = torch.randn(64, d_read + d_written)
    start(sae, rows)
    return sae, rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_reconstructs_what_is_written_from_latents_of_what_is_read(kind):
    """The same loss as that of an autoencoder of y whose pre-activations happen to be those of x."""
    sae, rows = of_pairs(kind)
    x, y = rows[:, :5], rows[:, 5:]
    twin = kind(7, 16, 3)
    twin.load_state_dict({**sae.state_dict(), "W_enc": twin.W_enc.detach()}, strict=False)
    twin.size, twin.weight = getattr(sae, "size", 1.0), getattr(sae, "weight", 0.0)
    twin.pre_acts = lambda rows: x @ sae.W_enc + sae.b_enc
    twin.look = lambda rows: (rows - twin.b_dec, twin.pre_acts(rows))

    mine, theirs = loss(sae, rows, Step()), twin.loss(y, Step())
    mine.total.backward()
    read = sae.W_enc.grad.clone()
    sae.W_enc.grad = None
    theirs.total.backward()

    assert mine.total.item() == pytest.approx(theirs.total.item(), rel=1e-6)
    torch.testing.assert_close(read, sae.W_enc.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(sae.W_dec.grad, twin.W_dec.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transcoder_of_scaled_pairs_becomes_one_of_the_pairs_themselves(kind, tmp_path):
    sae, rows = of_pairs(kind)
    before = sae.decode(sae.encode(rows[:, :5]))
    sae.rescale(torch.tensor([4.0] * 5 + [0.5] * 7))
    sae.save(tmp_path / "sae.safetensors")

    again = kind.load(tmp_path / "sae.safetensors")

    torch.testing.assert_close(again.decode(again.encode(4.0 * rows[:, :5])), 0.5 * before)


def test_an_architecture_with_an_encoder_of_its_own_is_refused_in_a_line():
    with pytest.raises(ValueError, match=r"^GatedSAE has an encoder of its own, which cannot read another activation$"):
        make_transcoder(GatedSAE(7, 16, 3), 5)


def test_a_training_row_holds_both_activations_of_one_token(pairs):
    about = json.loads((pairs / "train" / READ / "about.json").read_text())
    rows = np.load(pairs / "train" / READ / about["shards"][0])
    assert sorted(p.name for p in (pairs / "train").iterdir()) == [READ]
    assert (about["d_in"], about["d_out"], rows.shape[1]) == (32, 32, 64)
    truth = evaluation().load_truth(pairs / "truth", GIVEN)
    mlp, norm = truth.model.blocks[0].mlp, truth.model.blocks[0].ln2
    with torch.no_grad():
        written = mlp(torch.from_numpy(rows[None, :50, :32]) * norm.w + norm.b)[0]
    np.testing.assert_allclose(written.numpy(), rows[:50, 32:], atol=1e-4)
    assert truth.x.shape == truth.reconstructed.shape and not np.allclose(truth.x, truth.reconstructed)


def test_the_mlps_own_output_loses_nothing_and_zeros_lose_all(pairs):
    truth = evaluation().load_truth(pairs / "truth", GIVEN)
    eye, empty = np.eye(32), sparse.csr_matrix((len(truth.x), 32))
    exact = evaluation().evaluate(truth.x, sparse.csr_matrix(truth.x), truth.reconstructed, eye, truth)
    zeros = evaluation().evaluate(truth.x, empty, np.zeros_like(truth.reconstructed), eye, truth)
    assert (exact["explained_variance"], exact["ce_loss_score"], exact["delta_ce"]) == pytest.approx(
        (1, 1, 0), abs=1e-6
    )
    assert zeros["ce_loss_score"] < 0.5 and zeros["delta_ce"] > 0


@pytest.mark.parametrize("script", ["experiment.py", "baselines/batchtopk.py"])
def test_a_transcoder_is_trained_measured_and_loaded_by_saelens(pairs, tmp_path, script):
    out = trained(tmp_path, pairs, script, GIVEN)
    truth = evaluation().load_truth(pairs / "truth", GIVEN)
    artefact = read_artefact(out / "sae.safetensors", GIVEN)
    module = load_module(FOLDER / script)
    with torch.no_grad():
        z = module.SAE.load(str(out / "sae.safetensors")).encode(torch.from_numpy(truth.x)).numpy()
    z_hat = sparse.csr_matrix(z.astype(np.float64) * artefact.scale)
    x_hat = z_hat @ artefact.decoder + artefact.bias
    metrics = evaluation().evaluate(truth.x, z_hat, x_hat, artefact.decoder, truth)

    assert metrics.keys() == TEMPLATE.manifest.metrics.keys()
    assert metrics["explained_variance"] > untrained_draw(evaluation(), truth, 48, 4, 0)["explained_variance"] + 0.2
    assert metrics["ce_loss_score"] > 0.5
    loads = export(out / "sae.safetensors", tmp_path, truth.x, sparse.csr_matrix(z), GIVEN, {}, tmp_path / "export")
    if script == "experiment.py":  # SAELens has no transcoder that keeps the k largest
        assert loads == "own class"
        return
    from sae_lens import SAE

    sae = SAE.load_from_disk(str(tmp_path / "export"))
    assert loads == "SAELens: jumprelu_transcoder" == f"SAELens: {sae.cfg.architecture()}"
    assert (sae.cfg.metadata.hook_name, sae.cfg.metadata.hook_name_out) == (READ, WRITTEN)
    with torch.no_grad():
        given = sae(torch.from_numpy(truth.x)).numpy()
    np.testing.assert_allclose(given, x_hat, atol=1e-3)


def test_what_cannot_be_drawn_or_measured_as_pairs_is_said(tmp_path):
    with pytest.raises(UserError, match="rows of a transcoder are not streamed"):
        draw(tmp_path / "streamed", {**TRANSCODED, "streamed": True})
    with pytest.raises(UserError, match="d_out = 31, but blocks.0.hook_mlp_out has 32 dimensions"):
        draw(tmp_path / "narrow", {**TRANSCODED, "d_out": 31, "lm_steps": 1, "lm_tokens": 2000, "tokens": 500})
    with pytest.raises(UserError, match="profile tiny-transcoder measures transcoders"):
        fitting(TEMPLATE.manifest, "tiny-transcoder", None)
