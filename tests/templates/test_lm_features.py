"""How lm_sae shows its rows: the page of features of an SAE on the small grammar model."""

import numpy as np
import torch
from scipy import sparse

from agent.core.template import load_template
from agent.lab.published.features import features, shown_by
from agent.pages.rendering import features_page
from agent.pages.views.features import features_view
from tests.support.lm_world import FOLDER, TASK, evaluation, world


def planted(truth) -> tuple[sparse.csr_matrix, np.ndarray, int]:
    """Latents of which the first is active at one token alone, and writes that token's unembedding."""
    rows = truth.tokens[:, 1:].flatten()
    token = int(np.bincount(rows).argmax())
    z = np.zeros((len(truth.x), 3))
    z[: truth.held, 0] = rows == token
    z[::50, 1] = 1.0
    decoder = np.random.default_rng(0).normal(size=(3, truth.x.shape[1]))
    decoder[0] = (truth.model.W_U[:, token] * truth.model.ln_final.w).detach().numpy()
    return sparse.csr_matrix(z), decoder / np.linalg.norm(decoder, axis=1, keepdims=True), token


def test_a_latent_that_was_planted_for_a_token_is_shown_with_it():
    truth = evaluation().load_truth(world() / "truth", TASK)
    z, decoder, token = planted(truth)
    shown = shown_by(load_template(FOLDER), truth)
    found = features(z, decoder, shown, 2)
    first = next(one for one in found if one.latent == 0)

    assert first.up[0][0] == f"w{token}"
    assert len(first.contexts) == 8 and all(context.peak == 1.0 for context in first.contexts)
    for context in first.contexts:
        assert {text for text, share in context.tokens if share > 0} == {f"w{token}"}
    html = features_page(features_view("planted", {}, found)).decode()
    assert f'<span class="heat-5">w{token}</span>' in html


def test_logits_are_those_of_the_models_own_unembedding():
    truth = evaluation().load_truth(world() / "truth", TASK)
    _, decoder, _ = planted(truth)
    moved = shown_by(load_template(FOLDER), truth).logits(decoder)

    with torch.no_grad():
        steps = torch.from_numpy(decoder).float() * truth.model.ln_final.w
        theirs = truth.model.unembed(steps[None])[0] - truth.model.b_U
    expected = (theirs - theirs.mean(dim=1, keepdim=True)).numpy()
    np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-5)
