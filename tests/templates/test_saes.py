"""The SAE library: its fast path against the readable one, what each architecture promises, and its files."""

import os
import subprocess
import sys

import pytest
import saes
import torch
from saes import sparse

from tests.support import ROOT
from tests.support import dense_saes as reference
from tests.support.small_saes import ALL, CHOSEN, D_IN, D_SAE, ROWS, STEERED, seed, trained, world

TEMPLATES = ROOT / "templates"


@pytest.fixture(autouse=True)
def seeded():
    seed()


def random_acts() -> torch.Tensor:
    return torch.rand(ROWS, D_SAE)  # no zeros: the order of ties is nobody's promise


def dictionary() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(D_SAE, D_IN), dim=1).requires_grad_()


def gradients(value: torch.Tensor, *of: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(value.square().sum(), of)


def test_sparse_decoding_of_a_rows_choice_equals_the_dense_product_with_its_gradients():
    acts, W_dec = random_acts().requires_grad_(), dictionary()
    fast = sparse.decode_sparse(*sparse.top_k(acts, 4), W_dec)
    slow = reference.top_k(acts, 4) @ W_dec

    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(gradients(fast, acts, W_dec), gradients(slow, acts, W_dec))


@pytest.mark.parametrize("widths", [(D_SAE,), (1, 5, 16, D_SAE)])
def test_decoding_all_tiers_at_once_equals_a_product_for_each_prefix_with_its_gradients(widths):
    acts, W_dec = random_acts().requires_grad_(), dictionary()
    fast = sparse.decode_tiers(*sparse.top_k_of_batch(acts, 3.5), W_dec, ROWS, widths)
    slow = reference.tiers(reference.top_k_of_batch(acts, 3.5), W_dec, widths)

    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(gradients(fast, acts, W_dec), gradients(slow, acts, W_dec))


@pytest.mark.parametrize("dead", [[3], [0, 1, 2, 5], list(range(1, 30, 2))], ids=len)
def test_aux_k_equals_the_masked_dense_form_with_its_gradients(dead):
    acts, W_dec = random_acts().requires_grad_(), dictionary()
    residual, numbers = torch.randn(ROWS, D_IN), torch.tensor(dead)
    spread = torch.tensor(7.0)
    fast, slow = (module.aux_k(acts, residual, numbers, W_dec, spread) for module in (sparse, reference))

    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(gradients(fast, acts, W_dec), gradients(slow, acts, W_dec))


def test_the_library_names_what_fired():
    acts = random_acts()
    values, latents = sparse.top_k(acts, 2)
    assert torch.equal(sparse.fired(values, latents, D_SAE), (reference.top_k(acts, 2) > 0).any(0))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.architecture)
def test_each_architecture_learns_reaches_its_l0_and_comes_back_from_its_file(kind, tmp_path):
    rows = world()
    sae, _ = trained(kind, rows)
    sae.save(tmp_path / "sae.safetensors")
    again = kind.load(tmp_path / "sae.safetensors")
    with torch.no_grad():
        z, spread = sae.encode(rows), (rows - rows.mean(0)).square().sum()
        left = (rows - sae.decode(z)).square().sum() / spread

    assert left < 0.8  # L1 shrinks; the others come below 0.5
    assert (z > 0).sum(1).float().mean() == pytest.approx(3, rel=0.25)
    assert torch.equal(again.encode(rows), z)
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(D_SAE))


def test_thresholds_that_move_slowly_do_not_end_below_the_target():
    rows = world()
    sae, _ = trained(saes.JumpReLUSAE, rows, steps=400)
    with torch.no_grad():
        found = (sae.encode(rows) > 0).sum(1).float().mean()
    assert found == pytest.approx(3, rel=0.05)  # 2.6 where the weight follows the distance alone


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.architecture)
def test_the_inference_form_looks_at_each_row_alone(kind):
    rows = world(500)
    sae, _ = trained(kind, rows, steps=50)
    with torch.no_grad():
        together, alone = sae.encode(rows), torch.cat([sae.encode(row[None]) for row in rows])
    torch.testing.assert_close(together, alone)


def test_what_changes_only_the_length_of_a_decoder_row_is_taken_from_its_gradient():
    sae = saes.StandardSAE(D_IN, D_SAE, 3)
    sae.loss(world(64), saes.Step()).total.backward()
    sae.before_step()
    assert (sae.W_dec.grad * sae.W_dec).sum(1).abs().max() < 1e-4 * sae.W_dec.grad.norm(dim=1).max()


def test_the_first_tiers_of_a_matryoshka_reconstruct_on_their_own():
    rows = world()
    (nested, _), (flat, _) = (trained(kind, rows) for kind in (saes.MatryoshkaSAE, saes.BatchTopKSAE))
    half = nested.tiers()[-2]

    def left(sae: saes.SAE) -> float:
        z = sae.encode(rows)
        return (rows - sae.b_dec - z[:, :half] @ sae.W_dec[:half]).square().sum().item()

    assert left(nested) < 0.8 * left(flat)


def test_resampled_latents_point_at_what_is_badly_explained_and_forget_their_momentum():
    rows = world(200)
    sae = saes.StandardSAE(D_IN, D_SAE, 3)
    optimizer = torch.optim.Adam(sae.parameters(), lr=0.01)
    sae.loss(rows, saes.Step()).total.backward()
    optimizer.step()
    dead = torch.tensor([1, 7])
    with torch.no_grad():
        residual = rows - sae.decode(sae.encode(rows))
    saes.resample_dead(sae, optimizer, rows, dead)

    cosines = torch.nn.functional.normalize(residual, dim=1) @ sae.W_dec[dead].T
    assert cosines.max(0).values.tolist() == pytest.approx([1, 1], abs=1e-5)
    assert optimizer.state[sae.W_dec]["exp_avg"][dead].abs().sum() == 0
    assert optimizer.state[sae.W_enc]["exp_avg"][:, dead].abs().sum() == 0
    assert sae.b_enc[dead].tolist() == [0, 0] and sae.b_enc[2] != 0


def test_learning_rates_rise_and_fall_as_the_recipe_says():
    recipe = saes.Recipe(steps=100, lr=1.0, warmup=0.1, decay=0.5)
    assert [recipe.lr_at(s) for s in (0, 4, 9, 50, 75)] == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5])


def test_an_epoch_sees_every_row_once():
    rows = torch.arange(12.0)[:, None]
    seen = torch.cat(list(saes.batches(rows, 4, 3)))
    assert sorted(seen.flatten().tolist()) == list(range(12))


def test_dead_latents_are_resampled_before_the_rate_decays():
    recipe = saes.Recipe(steps=90, lr=1e-3, dead_after=10, resamplings=3)
    assert [step + 1 for step in range(90) if recipe.resamples_at(step)] == [20, 40, 60]
    torch.manual_seed(0)
    sae = saes.StandardSAE(D_IN, D_SAE, 4)
    with torch.no_grad():
        sae.b_enc[:5] = -1e6
    rows = torch.randn(ROWS, D_IN)
    sae.start(rows)
    numbers = saes.train(sae, saes.batches(rows, 32, 90), recipe)

    assert numbers["resampled_latents"] >= 5
    assert (sae.b_enc[:5] > -1).all()


@pytest.mark.parametrize("architecture", ALL, ids=lambda a: a.architecture)
def test_an_sae_of_scaled_rows_becomes_one_of_the_rows_themselves(architecture):
    torch.manual_seed(0)
    sae = architecture(D_IN, D_SAE, 4)
    x = torch.randn(ROWS, D_IN)
    with torch.no_grad():
        for name, value in [*sae.named_parameters(), *sae.named_buffers()]:
            if name.startswith("b_") or name == "threshold":
                value.copy_(0.1 * torch.rand_like(value))
        before = sae.decode(sae.encode(x))
        sae.rescale(7.0)
        after = sae.decode(sae.encode(7 * x))

    assert torch.allclose(after, 7 * before, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rows_in_shards_come_once_an_epoch_and_scaled(tmp_path, dtype):
    import json

    import numpy as np

    rows = torch.arange(1, 101, dtype=torch.float32)[:, None].repeat(1, 4).to(getattr(torch, dtype))
    stored = (rows.view(torch.int16) if dtype == "bfloat16" else rows).numpy()
    (tmp_path / "hook").mkdir()
    for number, part in enumerate(np.split(stored, [37, 60])):
        np.save(tmp_path / "hook" / f"{number}.npy", part)
    about = {"shards": ["0.npy", "1.npy", "2.npy"], "dtype": dtype, "deviation": 20.0, "d_in": 4}
    (tmp_path / "hook" / "about.json").write_text(json.dumps(about))
    opened = saes.open_rows({"data": str(tmp_path), "hook_name": "hook", "device": "cpu", "seed": 0})
    drawn = list(opened.batches(10, 20))

    for epoch in (drawn[:10], drawn[10:]):
        assert sorted((10 * torch.cat(epoch)[:, 0]).tolist()) == pytest.approx(list(range(1, 101)))
    assert not torch.equal(torch.cat(drawn[:10]), torch.cat(drawn[10:]))
    assert [tuple(x.shape) for x in drawn] == [(10, 4)] * 20 and opened.first(3).shape == (3, 4)


@pytest.mark.parametrize("kind", STEERED, ids=lambda k: k.architecture)
def test_a_loss_over_few_latents_and_one_over_all_are_those_of_dense_autograd(kind):
    sae, _ = trained(kind, world(), steps=300)
    sae, x = sae.double(), world(64).double()
    centred, acts = sae.look(x)
    places = sparse.above(acts, sae.floor())
    few = sae.loss_of_few(centred, acts, saes.Chosen.of_places(places, D_SAE))

    assert len(places) < x.shape[0] * D_SAE
    for found in (few, sae.loss_of_all(x)):
        assert_same(found.total, reference.loss(sae, x), sae)
    torch.testing.assert_close(few, sae.loss_of_all(x))


@pytest.mark.parametrize("dead", [[], [1], [0, 5, 6, 30], list(range(1, 48, 2))], ids=len)
@pytest.mark.parametrize("kind", CHOSEN, ids=lambda k: k.architecture)
def test_a_loss_over_the_chosen_latents_equals_the_dense_one_with_its_gradients(kind, dead):
    sae, x = kind(D_IN, D_SAE, 3).double(), world(64).double()
    sae.start(x)
    found = sae.loss(x, saes.Step(dead=torch.tensor(dead) if dead else None))
    assert_same(found.total, reference.loss(sae, x, dead), sae)


def test_a_count_of_latents_moves_thresholds_alone():
    sae, _ = trained(saes.JumpReLUSAE, rows := world(), steps=300)
    found = []
    for weight in (0.0, 100.0):
        sae.weight.fill_(weight)
        found.append(torch.autograd.grad(sae.loss_of_all(rows[:64]).total, list(sae.parameters())))
    changed = {n for (n, _), a, b in zip(sae.named_parameters(), *found, strict=True) if not torch.equal(a, b)}
    assert changed == {"threshold"}


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_part_of_aux_k_in_the_loss_does_not_depend_on_the_unit_of_the_rows(scale):
    x, residual = world(64).double(), torch.randn(64, D_IN).double()
    acts, W_dec, dead = random_acts().double(), dictionary().double(), torch.tensor([1, 5, 6])
    one, other = (
        sparse.aux_k(unit * acts, unit * residual, dead, W_dec, sparse.variance(unit * x)) / unit**2
        for unit in (1.0, scale)
    )
    torch.testing.assert_close(one, other)


def test_a_subclass_with_pre_activations_of_its_own_is_trained_with_them():
    class Doubled(saes.TopKSAE):
        def pre_acts(self, x):
            return 2 * super().pre_acts(x) * self.scale

    sae, x = Doubled(D_IN, D_SAE, 3), world(64)
    sae.scale = torch.nn.Parameter(torch.tensor(0.5))
    plain = saes.TopKSAE(D_IN, D_SAE, 3)
    plain.load_state_dict({k: v for k, v in sae.state_dict().items() if k != "scale"})
    found, wanted = sae.loss(x, saes.Step()), plain.loss(x, saes.Step())

    torch.testing.assert_close(found.total, wanted.total)
    assert torch.autograd.grad(found.total, sae.scale)[0] != 0


def test_a_subclass_with_an_encoder_of_its_own_is_trained_with_it():
    class Shifted(saes.StandardSAE):
        def encode(self, x):
            return (self.pre_acts(x) - 100).relu()

    sae, x = Shifted(D_IN, D_SAE, 3), world(64)
    sae.mean_l0.fill_(1.0)  # so few that the shorter sum would be taken
    assert sae.loss(x, saes.Step()).l0 == 0


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.architecture)
def test_more_active_latents_than_latents_are_refused(kind):
    with pytest.raises(ValueError, match="at most d_sae = 48"):
        kind(D_IN, D_SAE, D_SAE + 1)


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.architecture)
def test_rows_that_ask_for_a_gradient_get_that_of_dense_autograd(kind):
    sae, _ = trained(kind, world(), steps=300)
    sae, rows = sae.double(), world(64).double()
    ours, dense = (rows.clone().requires_grad_() for _ in range(2))
    wanted = reference.loss(sae, dense)
    found = sae.loss(ours, saes.Step()).total

    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(torch.autograd.grad(found, ours), torch.autograd.grad(wanted, dense))


def test_a_gradient_that_picked_would_drop_is_refused():
    sae, x = saes.TopKSAE(D_IN, D_SAE, 3), world(64)
    centred, acts = sae.look(x)
    chosen = saes.Chosen.of_rows(sparse.top_k(acts, 3)[1], D_SAE)
    scale = torch.nn.Parameter(torch.tensor(2.0))

    for pair in ((acts, centred * scale), (2 * acts, centred), (acts.relu_(), centred)):
        with pytest.raises(ValueError, match="what look"):
            sae.picked(*pair, chosen)


def assert_same(one: torch.Tensor, other: torch.Tensor, sae: saes.SAE) -> None:
    """To the precision of float64, with the gradients of all parameters."""
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    parameters = list(sae.parameters())
    first, second = (torch.autograd.grad(value, parameters) for value in (one, other))
    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)


def stored_otherwise(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, the columns' one after the other in memory."""
    return tensor.T.contiguous().T


@pytest.mark.parametrize("of_parameter", [torch.clone, stored_otherwise])
@pytest.mark.parametrize("of_gradient", [torch.clone, stored_otherwise])
def test_adam_on_the_cpu_takes_torchs_steps(of_parameter, of_gradient):
    start, grads = torch.randn(5, 7), [torch.randn(5, 7) * 10.0**-i for i in range(6)]
    moved = []
    for make in (saes.adam, lambda p, lr, betas: torch.optim.Adam(p, lr=lr, betas=betas, foreach=False)):
        parameter, idle = torch.nn.Parameter(of_parameter(start)), torch.nn.Parameter(torch.ones(3))
        optimizer = make([parameter, idle], 0.01, (0.9, 0.999))
        for index, grad in enumerate(grads):
            optimizer.param_groups[0]["lr"] = 0.01 / (index + 1)
            parameter.grad = of_gradient(grad)
            optimizer.step()
        optimizer.zero_grad()
        assert parameter.grad is None and torch.equal(idle, torch.ones(3))
        moved.append((parameter.detach(), optimizer.state[parameter]["exp_avg_sq"]))
    torch.testing.assert_close(*moved)


def test_a_training_on_the_cpu_does_not_wait_for_torchs_compiler(tmp_path):
    script = tmp_path / "short.py"
    script.write_text(
        "import sys, torch, saes\nfor name in ('TopKSAE', 'MatryoshkaSAE', 'JumpReLUSAE'):\n"
        "    sae = getattr(saes, name)(8, 16, 2)\n"
        "    saes.train(sae, saes.batches(torch.randn(64, 8), 16, 4), saes.Recipe(steps=4, lr=0.01))\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(TEMPLATES)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.architecture)
def test_a_step_with_products_in_bfloat16_is_that_of_float32_to_three_digits(kind):
    rows, sae = world(256), kind(D_IN, D_SAE, 3)
    sae.start(rows)
    found = {}
    for halves in (False, True):
        sae.halves = halves
        sae.zero_grad()
        total = sae.loss(rows, saes.Step()).total
        total.backward()
        found[halves] = total.item(), {name: p.grad.clone() for name, p in sae.named_parameters() if p.grad is not None}

    assert found[True][0] == pytest.approx(found[False][0], rel=0.01)
    assert found[True][0] != found[False][0]  # the products were halved
    for name, exact in found[False][1].items():
        error = (found[True][1][name] - exact).norm() / exact.norm().clamp_min(1e-6)
        assert found[True][1][name].dtype == torch.float32 and error < 0.1, name


@pytest.mark.parametrize("kind", [saes.BatchTopKSAE, saes.JumpReLUSAE], ids=lambda kind: kind.architecture)
def test_a_training_with_products_in_bfloat16_ends_as_well_and_encodes_in_float32(kind, tmp_path):
    rows, ends = world(), {}
    for halves in (False, True):
        torch.manual_seed(0)
        kind.halves = halves
        try:
            sae, _ = trained(kind, rows)
        finally:
            del kind.halves
        z = sae.encode(rows)
        ends[halves] = (rows - sae.decode(z)).square().sum(1).mean().item(), (z > 0).float().sum(1).mean().item()
        sae.halves = halves
        with torch.no_grad():
            again = sae.encode(rows[:50])
        sae.save(tmp_path / "sae.safetensors")
        torch.testing.assert_close(kind.load(tmp_path / "sae.safetensors").encode(rows[:50]), again)

    assert ends[True][0] < 1.15 * ends[False][0] + 0.05
    assert ends[True][1] == pytest.approx(ends[False][1], rel=0.1)


def test_only_thresholds_within_half_the_bandwidth_of_an_activation_learn():
    moved = {}
    for bandwidth in (0.05, 0.4):
        seed()
        sae = saes.JumpReLUSAE.from_task({"d_in": D_IN, "d_sae": D_SAE, "l0": 3, "bandwidth": bandwidth})
        rows = world(64)
        sae.start(rows)
        with torch.no_grad():
            gap = (sae.pre_acts(rows) - sae.threshold).abs()
        sae.loss(rows, saes.Step()).total.backward()
        moved[bandwidth] = sae.threshold.grad != 0
        assert torch.equal(moved[bandwidth], (gap < bandwidth * sae.size / 2).any(0))
    assert moved[0.05].sum() < moved[0.4].sum()
