"""synth_sae on a world that was published: SyntheticModel's own files, rows by the secret, fresh ones for each step."""

import json

import numpy as np
import pytest
import torch

from agent.core.errors import InfrastructureError, UserError
from agent.core.template import load_template
from agent.lab.worlds import load_module
from tests.support import ROOT
from tests.templates.test_synth_sae import SMALL

FOLDER = ROOT / "templates" / "synth_sae"
PREPARE, FEED = load_module(FOLDER / "prepare.py"), load_module(FOLDER / "feed.py")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A stand-in of the hub's folder, as sae_lens writes one."""
    folder = tmp_path_factory.mktemp("published")
    PREPARE.draw_world(SMALL, np.random.SeedSequence(5)).save(folder)
    return folder


def prepared(folder, settings, secret=2**200 + 1):
    for name in ("train", "truth"):
        (folder / name).mkdir(parents=True)
    PREPARE.prepare(settings, secret, folder / "train", folder / "truth")
    return folder


@pytest.fixture(scope="module")
def world(published, tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("w") / "world", {**SMALL, "world": str(published), "streamed": True})


def test_features_are_the_published_ones_and_rows_the_secrets(published, world, tmp_path):
    from safetensors.torch import load_file

    (weights,) = published.glob("*.safetensors")
    truth = np.load(world / "truth/features.npz")
    np.testing.assert_array_equal(truth["directions"], load_file(weights)["feature_vectors"].numpy())
    assert (truth["parent"] >= 0).any()
    other = prepared(tmp_path / "other", {**SMALL, "world": str(published)}, secret=7)
    np.testing.assert_array_equal(np.load(other / "truth/features.npz")["directions"], truth["directions"])
    assert not np.array_equal(np.load(other / "truth/x.npy"), np.load(world / "truth/x.npy"))


def fed(world, seed, start, count):
    torch.set_num_threads(1)
    blocks, found = FEED.rows({"threads": 1, "device": "cpu"}, world / "truth", seed, start), []
    while sum(map(len, found)) < count:
        found.append(next(blocks))
    return np.concatenate(found)[:count]


def test_fresh_rows_are_the_same_for_every_method_from_any_row_on_and_of_the_world_that_is_measured(world):
    rows = fed(world, seed=0, start=0, count=4000)
    held = np.load(world / "truth/x.npy")

    np.testing.assert_array_equal(fed(world, seed=0, start=1234, count=2000), rows[1234:3234])
    assert not np.array_equal(fed(world, seed=1, start=0, count=4000), rows)
    twice = np.unique(np.concatenate([rows, held]), axis=0, return_counts=True)[1] > 1
    assert twice.sum() <= 1  # the row in which no feature fires
    np.testing.assert_allclose(rows.mean(0), held.mean(0), atol=0.25)
    np.testing.assert_allclose(np.square(rows).sum(1).mean(), np.square(held).sum(1).mean(), rtol=0.05)


def test_a_training_reads_the_stream_in_its_own_scale(world):
    from saes.stream import StreamRows

    rows = StreamRows(world / "train", "cpu", world / "ask.json")
    assert rows.scale == pytest.approx(1.0)
    np.testing.assert_allclose(rows.first(100).numpy(), np.load(world / "train/activations.npy")[:100], rtol=1e-6)
    assert json.loads((world / "train/about.json").read_text())["shards"] == ["activations.npy"]


def test_a_world_that_cannot_be_had_or_does_not_fit_is_said_in_a_line(published, tmp_path):
    with pytest.raises(
        InfrastructureError, match=r"^world \./nowhere: cannot be loaded from a folder or the hub: .*nowhere"
    ):
        prepared(tmp_path / "a", {**SMALL, "world": "./nowhere"})
    with pytest.raises(UserError, match="num_features = 160 and d_in = 32, unlike the profile's"):
        prepared(tmp_path / "b", {**SMALL, "world": str(published), "num_features": 161})
    with pytest.raises(UserError, match="streamed: rows can only be streamed from a published `world`"):
        prepared(tmp_path / "c", {**SMALL, "streamed": True})


def test_the_published_recipe_is_the_profiles():
    profile = load_template(FOLDER).manifest.profiles["synth-sae-bench-16k"]
    settings = profile.settings
    assert (settings["samples"], settings["batch"], settings["lr"], settings["decay"]) == (200_000_000, 1024, 3e-4, 0.0)
    assert settings["world"] == "decoderesearch/synth-sae-bench-16k-v1" and settings["streamed"]
    assert profile.untuned
