"""What --evaluate reads of an SAE that sae_lens saved gives sae_lens's own latents and its own figures.

For every architecture that templates/saes exports: trained, exported, loaded by sae_lens, saved by sae_lens, and read.
"""

import numpy as np
import pytest
import torch
from scipy import sparse

from agent.lab.measuring.artefact import read_artefact
from agent.lab.measuring.export import export
from agent.lab.published.encoder import SAE as Encoder
from agent.lab.published.source import read_published
from agent.sandbox.boxes import NoSandbox
from tests.support.lens import flat, named_as_here
from tests.support.lm_world import HOOK, TASK, evaluation, world
from tests.support.small_saes import IN_SAELENS, seed

TOLERANCE = {"rel": 2e-5, "abs": 2e-6}  # float32 sums there, float64 here
BATCH = 32


class HeldOut:
    """What run_evals asks of an ActivationsStore: the world's held-out sequences."""

    store_batch_size_prompts, context_size = BATCH, TASK["context"]

    def __init__(self, tokens: np.ndarray) -> None:
        self._batches, self._next = [torch.from_numpy(t.astype(np.int64)) for t in np.split(tokens, 3)], 0

    def get_batch_tokens(self, batch_size: int) -> torch.Tensor:
        self._next += 1
        return self._batches[(self._next - 1) % 3]

    def reset_input_dataset(self) -> None:
        self._next = 0


@pytest.fixture(scope="module")
def truth():
    return evaluation().load_truth(world() / "truth", TASK)


def saved_by_sae_lens(kind, folder, x):
    """The SAE as sae_lens has it, and the folder that its own `save_model` wrote."""
    import saes
    from sae_lens import SAE

    seed()
    rows = torch.from_numpy(x)
    sae = kind(x.shape[1], 48, 4)
    sae.start(rows)
    scale = rows.std().item()
    saes.train(sae, saes.batches(rows / scale, 64, 200), saes.Recipe(steps=200, lr=0.01, dead_after=2000))
    sae.rescale(scale)
    sae.save(folder / "sae.safetensors")
    with torch.no_grad():
        z = sparse.csr_matrix(kind.load(folder / "sae.safetensors").encode(rows).numpy())
    export(folder / "sae.safetensors", folder, x, z, {"hook_name": HOOK, "model": "grammar"}, {}, folder / "export")
    theirs = SAE.load_from_disk(folder / "export")
    theirs.save_model(folder / "saved")
    return theirs, folder / "saved"


@pytest.mark.parametrize("kind", IN_SAELENS, ids=lambda kind: kind.architecture)
def test_latents_and_figures_are_those_of_sae_lens(kind, tmp_path, truth):
    from sae_lens.evals import get_eval_everything_config, run_evals
    from sae_lens.training.activation_scaler import ActivationScaler

    x = truth.x[: truth.held]
    theirs, folder = saved_by_sae_lens(kind, tmp_path, x)
    found = read_published("x", folder, tmp_path / "read", NoSandbox())
    with torch.no_grad():
        z = Encoder.load(str(found.artefact)).encode(torch.from_numpy(truth.x))
        torch.testing.assert_close(z[: truth.held], theirs.encode(torch.from_numpy(x)), rtol=1e-5, atol=1e-5)

    artefact = read_artefact(found.artefact, {})
    scaled = sparse.csr_matrix(z.double().numpy() * artefact.scale)
    ours = evaluation().evaluate(truth.x, scaled, scaled @ artefact.decoder + artefact.bias, artefact.decoder, truth)
    config = get_eval_everything_config(BATCH, 3, 3)
    scaler, bos = ActivationScaler(), [int(truth.tokens[0, 0])]
    groups, _ = run_evals(theirs, HeldOut(truth.tokens), truth.model, scaler, config, exclude_special_tokens=bos)
    wanted = named_as_here(flat(groups))
    assert {name: ours[name] for name in wanted} == {n: pytest.approx(v, **TOLERANCE) for n, v in wanted.items()}
    assert 0.2 < ours["explained_variance"] < 1 and ours["l0"] > 1  # it has learned, so there was something to compare
    assert found.about.known == {"model": "grammar", "hook_name": HOOK}
