"""Each check of the gate on records made by hand, and its manual against the code."""

import re
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from scipy import sparse

from agent.core.compute import relative_compute
from agent.core.record import Finding, RunRecord
from agent.lab import integrity
from agent.lab.integrity import weights
from agent.lab.integrity.floor import DRAWS, at_floor, untrained
from tests.support.records import HASHES, METRICS, PROFILE, one, record, training
from tests.support.tiny import TINY


def both(**changes) -> dict:
    """Both trainings of run 1 with these changes."""
    return {"trainings": (training(0, 1, **changes), training(1, 1, **changes))}


def found(mine: RunRecord, *earlier: RunRecord) -> dict[str, str]:
    return {f.code: f.grade for f in integrity.check(mine, earlier or (record(0),), TINY.manifest)}


SIZE = {"numbers": 100.0, "bytes": 1000.0}
AT_FLOOR = {"findings": (Finding(code="at-floor", grade="flag", text="as untrained"),)}
CASES = {
    "missing-training": {"trainings": (training(0, 1),)},
    "foreign-training": {"trainings": (training(0, 1), training(1, 1), training(7, 1))},
    "missing-metric": one(metrics={"score": 0.5, "l0": 2.0}),
    "impossible-value": one(metrics={**METRICS, "score": 1.5}),
    "protected-changed": {"hashes": {**HASHES, "protected/evaluate.py": "other"}},
    "data-changed": {"hashes": {**HASHES, "data/train/x.npy": "other"}},
    "copied-artefact": both(artefact_sha256="same"),
    "copied-seed": one(artefact_sha256="a01"),
    "repeated-artefact": one(artefact_sha256="a00"),
    "same-across-seeds": both(metrics=METRICS)
    | {"trainings": (training(0, 1, metrics=METRICS), training(1, 1, metrics={**METRICS, "score": 0.80000001}))},
    "no-effect": {"trainings": (training(0, 0, artefact_sha256="x"), training(1, 0, artefact_sha256="y"))},
    "unchanged-code": {"hashes": {**HASHES, "code/experiment.py": "c0"}},
    "same-code": {"parent": None, "hashes": {**HASHES, "code/experiment.py": "c0"}},
    "no-training": one(**AT_FLOOR, curves={}),
    "no-curve": one(curves={"loss": (1.0,)}),
    "flat-loss": one(curves={"loss": (1.0, 1.0, 1.0)}),
    "little-compute": one(cpu_s=2.0),
    "much-compute": one(cpu_s=16.0),
    "too-fast": one(cpu_s=1.0),
    "over-budget": one(declared={"samples": 20_000.0}),
    "off-target": one(metrics={**METRICS, "l0": 2.39}),
    "no-count": one(declared={}),
    "smooth-loss": one(curves={"loss": tuple(3 / i**0.5 for i in range(1, 101))}),
    "same-loss": both(curves={"loss": (3.0, 2.5, 2.6, 2.4, 2.3)}),
    "log-starts-again": one(curves={"step": (1.0, 2.0, 1.0, 2.0), "loss": (3.0, 2.0, 2.9, 2.1)}),
    "other-final-loss": one(diagnostics={"final_loss": 0.1}),
    "shared-weights": one(artefact_facts={**SIZE, "aligned": 0.98, "compared": 1000.0}),
    "large-artefact": one(artefact_facts={"numbers": 400.0, "bytes": 1000.0}),
}


BASELINE = record(0, trainings=tuple(training(s, artefact_facts={**SIZE, "matched": 0.4}) for s in (0, 1)))


@pytest.mark.parametrize("code", CASES)
def test_a_check_finds_what_it_names(code):
    grades = {check.code: check.grade for check in integrity.CHECKS}

    assert found(record(**CASES[code]), BASELINE).get(code) == grades[code]


def test_every_check_has_a_case():
    assert {check.code for check in integrity.CHECKS} == CASES.keys()


def test_an_honest_run_has_no_finding():
    assert found(record()) == {}


def test_a_baseline_alone_has_no_finding():
    assert integrity.check(record(0), [], TINY.manifest) == ()


def test_a_missing_hash_of_a_protected_file_is_a_refusal():
    assert found(record(hashes={"code/experiment.py": "c1"}))["protected-changed"] == "refuse"


def test_a_confirmation_may_repeat_code_and_has_data_of_its_own():
    again = record(
        2, kind="confirmation", parent="1", hashes={**HASHES, "code/experiment.py": "c1", "data/train/x.npy": "fresh"}
    )
    assert found(again, record(0), record(1)) == {}


@pytest.mark.parametrize(
    ("scores", "refused"),
    [
        ((338 / 360, 338 / 360, 341 / 360), False),  # so many rows of 360: two seeds agree by chance
        ((338 / 360, 338 / 360), False),
        ((338 / 360, 338 / 360, 338 / 360), True),
        ((0.938765432109876, 0.938765432109876, 0.947), True),
    ],
)
def test_seeds_whose_scores_are_counts_of_rows_may_agree_by_chance_but_not_all_of_them(scores, refused):
    trainings = tuple(training(s, 1, metrics={**METRICS, "score": score}) for s, score in enumerate(scores))
    mine = record(seeds=tuple(range(len(scores))), trainings=trainings)
    assert (found(mine).get("same-across-seeds") == "refuse") is refused


def test_an_honest_failure_at_the_floor_is_flagged_and_not_refused():
    assert found(record(**one(**AT_FLOOR))) == {"at-floor": "flag"}


@pytest.mark.parametrize("how", [{"cpu_s": 1.0}, {"curves": {"loss": (2.0, 2.0)}}, {"curves": {}}])
def test_a_score_at_the_floor_without_work_or_curve_is_no_training(how):
    assert found(record(**one(**AT_FLOOR, **how)))["no-training"] == "refuse"


@pytest.mark.parametrize(("cpu_s", "flagged"), [(14.0, False), (16.0, True), (28.0, True)])
def test_compute_is_flagged_from_one_and_a_half_times_the_baselines(cpu_s, flagged):
    assert ("much-compute" in found(record(**one(cpu_s=cpu_s)))) is flagged


def test_the_compute_of_a_run_is_a_multiple_of_the_baselines_under_the_same_conditions():
    mine = record(trainings=tuple(training(seed, 1, cpu_s=21.0) for seed in (0, 1)))
    assert relative_compute(mine, record(0)) == pytest.approx(21.0 / 10.5)
    assert relative_compute(record(0), record(0)) == pytest.approx(1.0)
    assert relative_compute(record(device="cuda: another"), record(0)) is None


@pytest.mark.parametrize("code", ["same-across-seeds", "shared-weights"])
def test_seeds_that_agree_are_no_copies_where_the_manifest_says_that_there_is_one_optimum(code):
    convex = TINY.manifest.model_copy(update={"one_optimum": True})

    assert code not in {f.code for f in integrity.check(record(**CASES[code]), (BASELINE,), convex)}


@pytest.mark.parametrize(
    ("facts", "flagged"),
    [
        ({"matched": 0.99}, True),  # one training, its rows in another order
        ({"matched": 0.93}, False),  # a method whose seeds agree better than the baseline's
        ({"aligned": 0.2, "compared": 1e4}, False),
        ({"aligned": 0.6, "compared": 48.0}, False),  # so few numbers correlate by chance
        ({"aligned": 0.6, "compared": 1e4}, True),
    ],
)
def test_weights_that_seeds_share_are_told_from_features_that_they_both_found(facts, flagged):
    assert ("shared-weights" in found(record(**one(artefact_facts={**SIZE, **facts})), BASELINE)) is flagged


def test_where_every_seed_finds_everything_rows_in_another_order_are_no_hint():
    easy = record(0, trainings=tuple(training(s, artefact_facts={"matched": 0.98}) for s in (0, 1)))
    assert found(record(**one(artefact_facts={"matched": 0.985})), easy) == {}


@pytest.mark.parametrize(("size", "flagged"), [((140.0, 2000.0), False), ((160.0, 900.0), True), ((99.0, 9e5), True)])
def test_an_artefact_is_bounded_by_the_largest_baselines_in_numbers_and_in_bytes(size, flagged):
    facts = dict(zip(("numbers", "bytes"), size, strict=True))
    assert ("large-artefact" in found(record(**one(artefact_facts=facts)), BASELINE)) is flagged


def test_a_loss_with_the_noise_of_batches_is_not_too_smooth():
    noise = np.random.default_rng(0).normal(size=100)
    losses = tuple(float(3 / i**0.5 + 0.05 * n) for i, n in zip(range(1, 101), noise, strict=True))
    assert found(record(**one(curves={"loss": losses}))) == {}


def test_compute_is_not_compared_between_devices():
    assert found(record(device="cuda: another", **one(cpu_s=0.1))) == {}


def test_findings_come_gravest_first_and_once():
    mine = record(**both(artefact_sha256="same", curves={}))
    grades = [f.grade for f in integrity.check(mine, [record(0)], TINY.manifest)]
    assert grades == sorted(grades, key=["refuse", "flag", "note"].index) and "flag" in grades


# -------------------------------------------------------------------- latents


def probed(z: np.ndarray, decoder: np.ndarray, x: np.ndarray | None = None) -> dict[str, str]:
    x = np.random.default_rng(0).normal(size=(len(z), decoder.shape[1])) if x is None else x
    evidence = (x, sparse.csr_matrix(z), decoder)
    return {f.code: f.grade for probe in integrity.PROBES for f in probe(*evidence)}


@pytest.fixture
def latents():
    draw = np.random.default_rng(1)
    return np.where(draw.random((50, 8)) < 0.3, draw.exponential(size=(50, 8)), 0)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def decoder():
    return unit(np.random.default_rng(2).normal(size=(8, 16)))


def test_plain_latents_pass_every_probe(latents, decoder):
    assert probed(latents, decoder) == {}


def test_constant_latents_are_refused(latents, decoder):
    assert probed(np.tile(latents[:1] + 1, (50, 1)), decoder) == {"constant-latents": "refuse"}


def test_latents_that_are_the_same_in_nearly_every_row_are_refused(latents, decoder):
    assert probed(np.concatenate([np.tile(latents[:1] + 1, (45, 1)), latents[:5]]), decoder)["constant-latents"]


def test_rows_that_are_the_same_may_have_the_same_latents(latents, decoder):
    x = np.random.default_rng(0).normal(size=(50, 16))
    x[:40], latents[:40] = x[0], latents[0]
    assert probed(latents, decoder, x) == {}


def test_latents_that_never_fire_are_flagged(latents, decoder):
    assert probed(0 * latents, decoder) == {"no-latents": "flag"}


@pytest.mark.parametrize("size", [1e4, 1e9])
def test_cancelling_latents_are_refused(latents, decoder, size):
    decoder[1] = -decoder[0]
    latents[:, 0], latents[:, 1] = size + latents[:, 0], size
    assert probed(latents, decoder)["latents-too-precise"] == "refuse"


@pytest.mark.parametrize("magnitude", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_data_does_not_matter(latents, decoder, magnitude):
    x = np.random.default_rng(0).normal(size=(50, 16)) * magnitude
    assert probed(latents * magnitude, decoder, x) == {}


def test_twins_and_negative_latents_are_told(latents, decoder):
    decoder[3] = decoder[2]
    assert probed(latents, decoder) == {"duplicate-latents": "flag"}
    assert probed(-latents, unit(np.random.default_rng(3).normal(size=(8, 16)))) == {"negative-latents": "note"}


# -------------------------------------------------------------------- weights


def test_one_dictionary_in_another_order_matches_and_independent_ones_do_not():
    draw = np.random.default_rng(4)
    one, other = draw.normal(size=(60, 32)), draw.normal(size=(60, 32))
    assert weights.matched(one, one[draw.permutation(60)] * 3.0) == pytest.approx(1.0)
    assert weights.matched(one, other) < 0.7
    assert weights.aligned(one, one + 0.05 * other) > 0.99
    assert weights.aligned(one, other) < 0.1
    assert weights.aligned(one, 0 * one) == 0.0


@pytest.mark.parametrize("kept", [lambda x: x, lambda x: -2.5 * x, lambda x: x.astype(np.float16).astype(float)])
def test_training_rows_are_found_in_any_scale_and_in_half_precision(kept):
    draw = np.random.default_rng(5)
    data = draw.normal(size=(500, 32))
    rows = np.concatenate([kept(data[:20]), draw.normal(size=(30, 32))])
    assert weights.rows_of_data(rows, data) == 20


# -------------------------------------------------------------------- the floor


def test_the_floor_is_measured_once_for_a_world_and_a_shape(tmp_path):
    from agent.lab.worlds import load_module, prepared

    world = prepared(TINY, "tiny", PROFILE.settings, 5, tmp_path)
    evaluation = load_module(TINY.path("evaluate.py"))
    truth = evaluation.load_truth(world.truth, PROFILE.settings)
    args = (TINY.path("evaluate.py"), evaluation, truth, world.train.parent)
    first = untrained(*args, 6, 2, PROFILE.settings)
    (kept,) = (world.train.parent / "floor").iterdir()
    kept.write_text(kept.read_text().replace('"l0": ', '"l0": 1'))

    assert {name for one in first for name in one} == TINY.manifest.metrics.keys()
    assert untrained(*args, 6, 2, PROFILE.settings)[0]["l0"] == pytest.approx(first[0]["l0"] + 10, abs=0.1)
    assert untrained(*args, 6, 1, PROFILE.settings)[0]["l0"] <= 1 < first[0]["l0"]
    assert untrained(*args, 6, 2, {**PROFILE.settings, "layer": 1})[0] == first[0]


SHIFTS = (-0.02, -0.01, 0, 0, 0, 0, 0.01, 0.02)  # with two metrics the bound lies 0.044 above their mean


@pytest.mark.parametrize(
    ("score", "error", "low"),
    [(0.6, 0.85, True), (0.4, 1.2, True), (0.64, 0.85, True), (0.65, 0.85, False), (0.6, 0.5, False)],
)
def test_at_the_floor_means_that_no_metric_is_better_than_luck_explains(score, error, low):
    floor = [{"score": 0.6 + shift, "error": 0.85 + 2 * shift, "l0": 2} for shift in SHIFTS]
    assert bool(at_floor({"score": score, "error": error, "l0": 9.0}, floor, TINY.manifest.metrics)) is low


def test_a_constant_beside_the_floor_must_be_beaten_and_does_not_widen_its_spread():
    floor = [{"score": 0.3, "error": 2 + shift, "l0": 2} for shift in SHIFTS]
    mean = {"score": 0.3, "error": 1.0, "l0": 2}
    assert at_floor({"score": 0.3, "error": 1.2, "l0": 2.0}, floor, TINY.manifest.metrics, [mean])
    assert not at_floor({"score": 0.3, "error": 0.9, "l0": 2.0}, floor, TINY.manifest.metrics, [mean])


def share_at_floor(count: int, worlds: int, ahead: float = 0.0) -> float:
    """Of worlds with so many independent metrics, in which one is `ahead` by so many of the floor's deviations."""
    names = [f"m{i}" for i in range(count)]
    metrics = dict.fromkeys(names, TINY.manifest.metrics["score"])
    drawn = np.random.default_rng(count).normal(size=(worlds, DRAWS + 1, count))
    drawn[:, 0, -1] += ahead
    rows = [[dict(zip(names, row, strict=True)) for row in world] for world in drawn.tolist()]
    return fmean(bool(at_floor(world[0], world[1:], metrics)) for world in rows)


@pytest.mark.parametrize("count", range(1, 13))
def test_with_any_number_of_metrics_99_of_100_untrained_dictionaries_are_at_the_floor(count):
    assert share_at_floor(count, worlds=300) > 0.97  # 0.99 is meant; this is three and a half deviations below


@pytest.mark.parametrize("count", range(1, 13))
def test_one_metric_far_ahead_takes_a_training_off_the_floor_however_many_say_nothing(count):
    assert share_at_floor(count, worlds=100, ahead=20) == 0


@pytest.mark.parametrize("cpu_s", [6.5, 10.0, 1000.0])  # the baseline's are about 10
def test_no_luck_with_the_floor_refuses_a_weak_run_that_trained(cpu_s):
    """At the floor is a flag; a refusal asks for a flat curve, little compute, or a decoder that stayed."""
    weak = [
        training(seed, 1, metrics={"score": 0.01 * seed, "error": 9.0, "l0": 2.0}, cpu_s=cpu_s, **AT_FLOOR)
        for seed in (0, 1)
    ]
    assert "refuse" not in found(record(trainings=tuple(weak))).values()


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("score", True),
        ("final_score", True),
        ("l0", True),
        ("error_mean", True),
        ("p_value_vs_topk", True),
        ("pvalue", True),
        ("significance", True),
        ("residual_heldout", True),
        ("loss_test_set", True),
        ("t_test", True),
        ("first_tier_error", False),
        ("share_of_rows", False),
        ("p_annealed", False),
        ("held_back_share", False),
        ("latest_value", False),
    ],
)
def test_a_diagnostic_may_not_be_called_a_metric_a_test_or_held_out(name, claims):
    assert bool(list(integrity.REPORTS[0]([name], TINY.manifest))) is claims


# -------------------------------------------------------------------- the manual


def test_every_code_is_listed_once_with_what_it_catches():
    rows = integrity.catalogue()
    assert len({code for code, _, _ in rows}) == len(rows)
    assert all(re.fullmatch("[a-z-]+", code) and about.strip().endswith(".") for code, _, about in rows)


def test_the_manual_and_the_measurement_name_the_same_refusals():
    folder = Path(integrity.__file__).parent.parent / "measuring"
    text = "".join(
        (folder / f"{name}.py").read_text()
        for name in ("box", "contents", "dictionary", "model", "outputs", "repeat", "saebench", "train", "verdict")
    )
    used = set(re.findall(r'Stopped\(\s*"refused",\s*"([a-z-]+)"', text)) | set(
        re.findall(r'BadAnswer\(\s*"([a-z-]+)"', text)
    )
    assert used == integrity.REFUSED_BY_THE_MEASUREMENT.keys()
