"""Releases by name, fetched by sae_lens from a cache of the hub that was filled here; no network."""

import json
import sys

import numpy as np
import pytest
from safetensors.torch import save_file

from agent.core.errors import InfrastructureError, UserError
from agent.lab.published.releases import fetched
from agent.lab.published.source import read_published
from agent.sandbox.boxes import NoSandbox
from tests.support.published import B_DEC, B_ENC, W_DEC, W_ENC

REVISION = "0" * 40
TENSORS = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder for a repository's files, as the hub's client keeps them."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def repository(name: str):
        place = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text(REVISION)
        return place / "snapshots" / REVISION

    return repository


def test_a_listed_release_of_gemma_scope_is_fetched_and_read(hub, tmp_path):
    name = "gemma-scope-2b-pt-res/layer_0/width_16k/average_l0_105"
    folder = hub("google/gemma-scope-2b-pt-res") / "layer_0" / "width_16k" / "average_l0_105"
    folder.mkdir(parents=True)
    shapes = {"W_enc": (2304, 16384), "W_dec": (16384, 2304), "b_dec": 2304, "b_enc": 16384, "threshold": 16384}
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}  # sae_lens takes no other sizes
    np.savez_compressed(folder / "params.npz", **arrays)
    place = fetched(name, tmp_path / "cache", print)
    about = read_published(name, place, tmp_path / "read", NoSandbox()).about

    assert (about.architecture, about.subtracts_b_dec, about.d_in, about.d_sae) == ("jumprelu", False, 2304, 16384)
    assert about.known == {"model": "gemma-2-2b", "hook_name": "blocks.0.hook_resid_post"}
    assert fetched(name, tmp_path / "cache", lambda text: sys.exit(text)) == place  # kept: nothing is said


def test_a_repository_of_the_hub_in_the_form_of_sae_lens_is_fetched_and_read(hub, tmp_path):
    folder = hub("somebody/saes") / "layer0"
    folder.mkdir(parents=True)
    config = {"architecture": "standard", "d_in": 8, "d_sae": 12, "dtype": "float32", "device": "cpu"}
    config |= {"apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none"}
    config |= {"metadata": {"sae_lens_version": "6.0.0", "hook_name": "blocks.0.hook_resid_post"}}
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(TENSORS, folder / "sae_weights.safetensors")
    about = read_published(
        "x", fetched("somebody/saes/layer0", tmp_path / "cache", print), tmp_path / "read", NoSandbox()
    ).about

    assert about.architecture == "standard" and about.known == {"hook_name": "blocks.0.hook_resid_post"}


def test_a_hub_out_of_reach_and_an_unlisted_name_are_one_line_each(hub, tmp_path):
    with pytest.raises(InfrastructureError, match="the hub cannot be reached; connect once, or name a folder"):
        fetched("somebody/else/layer0", tmp_path / "cache", print)
    with pytest.raises(UserError, match="did you mean gemma-scope-2b-pt-res"):
        fetched("gemma-scope-2b-pt-re/layer_0", tmp_path / "cache", print)
