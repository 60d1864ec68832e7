"""Our core metrics are those of sae_lens.evals.run_evals on the same model, SAE and sequences."""

import numpy as np
import pytest
import torch
from scipy import sparse

from agent.lab.worlds import load_module
from tests.support.lens import flat, named_as_here
from tests.support.lm_world import FOLDER, HOOK, evaluation

core = load_module(FOLDER / "evaluate.py").core
TOLERANCE = {"rel": 2e-5, "abs": 2e-6}  # float32 sums there, float64 here
SEQUENCES, CONTEXT, BATCH, D_IN, D_SAE, BOS = 96, 24, 32, 32, 80, 0


class HeldOut:
    """What run_evals asks of an ActivationsStore: our own sequences, batch by batch, from the start again."""

    store_batch_size_prompts, context_size = BATCH, CONTEXT

    def __init__(self, tokens: np.ndarray) -> None:
        self._batches = [torch.from_numpy(part.astype(np.int64)) for part in np.split(tokens, SEQUENCES // BATCH)]
        self._next = 0

    def get_batch_tokens(self, batch_size: int) -> torch.Tensor:
        batch = self._batches[self._next % len(self._batches)]
        self._next += 1
        assert len(batch) == batch_size
        return batch

    def reset_input_dataset(self) -> None:
        self._next = 0


@pytest.fixture(scope="module")
def model():
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    torch.manual_seed(0)
    config = HookedTransformerConfig(
        n_layers=2,
        d_model=D_IN,
        n_heads=2,
        d_head=16,
        d_mlp=64,
        n_ctx=CONTEXT,
        d_vocab=50,
        act_fn="gelu",
        normalization_type="LN",
        device="cpu",
        seed=0,
    )
    model = HookedTransformer(config).eval().requires_grad_(False)
    for parameter in model.parameters():  # the usual start is so small that nothing a hook does matters
        parameter.mul_(4)
    return model


def random_sae(kind: str):
    from sae_lens.saes.sae import SAEMetadata
    from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig
    from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig

    torch.manual_seed(1)
    shared = {"d_in": D_IN, "d_sae": D_SAE, "metadata": SAEMetadata(hook_name=HOOK)}
    sae = TopKSAE(TopKSAEConfig(k=4, **shared)) if kind == "topk" else StandardSAE(StandardSAEConfig(**shared))
    with torch.no_grad():
        sae.W_dec.copy_(torch.nn.functional.normalize(torch.randn(D_SAE, D_IN), dim=1))
        sae.W_enc.copy_(0.5 * sae.W_dec.T)
        sae.b_enc.copy_(0.3 * torch.randn(D_SAE) - 0.2)
        sae.b_dec.copy_(0.2 * torch.randn(D_IN))
    return sae


@pytest.mark.parametrize("kind", ["topk", "standard"])
def test_core_metrics_equal_those_of_sae_lens(model, kind):
    from sae_lens.evals import get_eval_everything_config, run_evals
    from sae_lens.training.activation_scaler import ActivationScaler

    sae = random_sae(kind)
    tokens = np.random.default_rng(2).integers(1, 50, size=(SEQUENCES, CONTEXT)).astype(np.int32)
    tokens[:, 0] = BOS
    batches = SEQUENCES // BATCH
    theirs, features = run_evals(
        sae,
        HeldOut(tokens),
        model,
        ActivationScaler(),
        get_eval_everything_config(BATCH, batches, batches),
        exclude_special_tokens=[BOS],
    )

    acts = core.activations(model, torch.from_numpy(tokens.astype(np.int64)), [HOOK])[HOOK]
    x = acts[:, 1:].flatten(0, 1)
    with torch.no_grad():
        z = sae.encode(x).double().numpy()
    x_hat = z @ sae.W_dec.detach().double().numpy() + sae.b_dec.detach().double().numpy()
    ours = {
        **core.reconstruction(x.numpy(), x_hat),
        **core.activity(sparse.csr_matrix(z)),
        **core.behaviour(model, tokens, HOOK, x_hat, core.cross_entropy(model, tokens, BATCH, HOOK), BATCH),
    }

    density = np.array(features["feature_density"])
    lens = flat(theirs)
    wanted = {
        **named_as_here(lens),
        "dead_latents": (density == 0).mean(),
        "dense_latents": (density > 0.1).mean(),
    }
    assert ours == {name: pytest.approx(value, **TOLERANCE) for name, value in wanted.items()}
    assert ours["kl"] > 0.01 and abs(ours["delta_ce"]) > 1e-3  # there was something to compare
    assert core.cross_entropy(model, tokens, BATCH) == pytest.approx(lens["ce_loss_without_sae"], **TOLERANCE)


def test_the_evaluation_measures_with_these_formulas():
    assert evaluation().core.__name__.endswith("lm.core")
