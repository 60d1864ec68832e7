"""The bench for a GPU where there is none: its accounting, its table, its turns, and two of its arms on a CPU."""

import dataclasses
import re

import pytest
import torch

from tests.suites.bench import peers
from tests.suites.bench.gpu import measure
from tests.suites.bench.gpu_arms import RUNS
from tests.suites.bench.gpu_table import HEADS, Measured, analysis, row, rows
from tests.suites.bench.gpu_turns import Task, serve
from tests.suites.bench.gpu_work import GEMMA, PASSES, SMALL, dense_flops, floor_s, needed_flops, phases
from tests.support import ROOT

TINY = dataclasses.replace(SMALL, d_in=8, d_sae=32, k=2, batches=(16,), square=32, copied_mb=1, warm=1, steps=2)
SLOW, FAST = (1e6, 1e6), (2e6, 1e6)  # machines: FLOP/s and bytes/s


def test_a_step_needs_one_dense_product_and_four_sums_over_the_chosen():
    encoder, chosen = 2 * 2048 * 2304 * 16384, 2 * 2048 * 40 * 2304
    assert needed_flops(GEMMA, 2048) == encoder + 4 * chosen
    assert dense_flops(GEMMA, 2048) == 5 * encoder


def test_the_update_moves_gradient_and_both_moments_whatever_the_batch():
    parameters = 2 * 2304 * 16384 + 16384 + 2304
    assert {phases(GEMMA, batch)[-1].moved for batch in (1, 2048)} == {7 * 4 * parameters}


def test_a_decoder_row_that_many_rows_choose_is_read_once():
    few, many = (phases(GEMMA, batch)[1].moved for batch in (4096, 4097))  # both reach the whole dictionary
    assert many - few == 4 * 16384 + 3 * 4 * 2304  # a row's activations, and the row three times


def test_phases_wait_for_each_other_and_the_slower_side_of_each_counts():
    steps = phases(TINY, 16)
    assert floor_s(steps, 1.0, 1e30) == pytest.approx(needed_flops(TINY, 16))
    assert floor_s(steps, 1e30, 1.0) == pytest.approx(sum(step.moved for step in steps))
    assert floor_s(steps, *SLOW) >= floor_s(steps, *FAST) >= max(step.seconds(*FAST) for step in steps)


def results(**seconds: list[float]) -> dict[str, Measured]:
    found = {name.replace("_c", "-c"): Measured(took, peak_gb=1.5) for name, took in seconds.items()}
    return {**found, "product": Measured([2 * 32**3 / 1e6]), "copy": Measured([2.0])}  # 1 MFLOP/s and 1 MB/s


def cells(found: dict[str, Measured], name: str) -> dict[str, str]:
    return dict(zip(HEADS, row(TINY, ("tf32", 16), name, found), strict=True))


def test_arms_are_compared_with_the_fastest_peer_within_each_round():
    found = results(ours=[1.0, 2.0, 4.0], sparsify=[2.0, 4.0, 8.0], dictionary_learning=[4.0, 8.0, 16.0])

    ours, peer = cells(found, "ours"), cells(found, "sparsify")

    assert (ours["against the fastest peer"], peer["against the fastest peer"]) == ("2.00x", "1.00x")
    assert ours["samples/s"] == "8" and ours["ms a step (all blocks)"] == "2000.00 (1000.00 to 4000.00)"
    assert "Fastest: templates/saes beside sparsify" in analysis(TINY, ("tf32", 16), found)


def test_the_share_of_the_roofline_is_of_rates_measured_in_the_same_setting():
    floor = floor_s(phases(TINY, 16), 1e6, 1e6)
    found = results(ours=[4 * floor], sae_lens=[8 * floor])
    assert cells(found, "ours")["share of the roofline"] == "25%"
    assert cells(found, "sae_lens")["TFLOP/s of the needed work"] == f"{needed_flops(TINY, 16) / floor / 8e12:.3g}"


def test_a_sign_method_has_the_lower_floor_of_what_it_keeps():
    found = results(ours=[0.1], sparsify=[0.1])
    assert PASSES["schedule-free sign"] < PASSES["Adam"]
    assert cells(found, "sparsify")["share of the roofline"] < cells(found, "ours")["share of the roofline"]


def test_a_slower_arm_of_ours_is_said_to_be_slower_and_where_its_time_goes():
    found = results(ours=[3.0], ours_compiled=[2.0], sparsify=[1.0])
    found["ours-compiled"].kernels = [("void at::native::sbtopk<float>", 700.0)]

    said = analysis(TINY, ("bf16", 16), found)

    assert "Not the fastest: templates/saes, torch.compile beside sparsify, 2000.00 ms against 1000.00 ms." in said
    assert "In a step of templates/saes, torch.compile, ms: `at::native::sbtopk<float>` 700.00." in said


def test_an_arm_that_failed_is_a_row_that_says_why_and_is_compared_with_nothing():
    found = results(ours=[1.0], sae_lens=[0.5])
    found["sae_lens"].failed = "OutOfMemoryError: a|b"

    table = rows(TINY, {("tf32", 16): found})

    assert [line[2] for line in table] == ["templates/saes", "sae_lens"]
    assert table[1][4] == "left out: OutOfMemoryError: a/b" and all(len(line) == len(HEADS) for line in table)
    assert "no peer was measured" in analysis(TINY, ("tf32", 16), found)


def asked(*turns: dict) -> list[dict]:
    setting = {"sizes": dataclasses.asdict(TINY), "batch": 16, "precision": "tf32", "device": "cpu"}
    return [command for turn in turns for command in ({**setting}, turn, {"steps": 0})]


def test_a_turn_trains_as_many_steps_as_it_says_and_is_answered_when_the_last_is_done():
    said, trained = [], []

    def arm(task: Task) -> None:
        for x in task.turns:
            trained.append(x.shape)
            said.append("step")

    serve(arm, iter(asked({"steps": 3}, {"steps": 2})), lambda answer: said.append(sorted(answer)))

    answer = ["kernels", "peak_gb", "seconds"]
    assert said == ["step"] * 3 + [answer] + ["step"] * 2 + [answer]
    assert set(trained) == {torch.Size([16, 8])}


def test_an_arm_that_fails_answers_its_turn_with_the_reason_and_takes_part_in_the_next_setting():
    said, tried = [], []

    def arm(task: Task) -> None:
        tried.append(task.batch)
        if len(tried) == 1:
            raise RuntimeError("no such\nkernel")
        list(task.turns)

    serve(arm, iter(asked({"steps": 3}, {"steps": 2})), said.append)

    assert said[0] == {"failed": "RuntimeError: no such kernel"} and said[1]["seconds"] > 0 and len(said) == 2


def test_what_a_python_has_at_another_version_is_not_installed_over_it():
    assert peers.missing(["sae-lens==1", "Better_ABC==2", "natsort==3"], ["sae_lens", "better-abc"]) == ["natsort==3"]


def test_every_peer_is_pinned_to_the_version_that_the_project_is_locked_to():
    locked = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text()))
    pinned = dict(pin.split("==") for pin in peers.pins(peers.PINS.read_text()))
    assert {"sae-lens", "dictionary-learning", "eai-sparsify"} < pinned.keys()
    assert {name: locked[name] for name in pinned.keys() & locked.keys()} == {
        name: version for name, version in pinned.items() if name in locked
    }


@pytest.mark.parametrize("name", ["ours", "sae_lens"])
def test_an_arm_trains_at_a_tiny_size_in_either_precision(name):
    said = []
    half = [command | {"precision": "bf16"} if "sizes" in command else command for command in asked({"steps": 2})]

    serve(RUNS[name], iter([*asked({"steps": 2}), *half]), said.append)

    assert [answer.get("failed") for answer in said] == [None, None]


@pytest.mark.suite  # four processes that import torch
def test_arms_take_turns_in_processes_of_their_own_and_the_quickest_are_profiled():
    found, about = measure(TINY, "cpu", ("ours", "sae_lens", "product", "copy"))

    assert about["torch"] == torch.__version__ and set(found) == {("tf32", 16), ("bf16", 16)}
    for setting, one in found.items():
        assert all(arm.whole and len(arm.seconds) == 2 for arm in one.values()), one
        assert one["ours"].kernels and one["sae_lens"].kernels and not one["copy"].kernels
        assert "%" in row(TINY, setting, "ours", one)[-1]
