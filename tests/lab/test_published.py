"""Autoencoders that others trained: each published layout gives its own library's latents, and no file runs code."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from agent.core.errors import InfrastructureError, UserError
from agent.core.template import load_template
from agent.lab.published import layouts, releases
from agent.lab.published.encoder import SAE
from agent.lab.published.evaluation import Place, evaluate, fitting, remarks
from agent.lab.published.forms import ABOUT, ARTEFACT, PROBLEM
from agent.lab.published.layouts import ABOVE
from agent.lab.published.source import About, read_published
from agent.lab.worlds import load_module, prepared
from agent.sandbox.boxes import NoSandbox
from tests.support import ROOT
from tests.support.published import B_DEC, KNOWN, LAYOUTS, OF_DICTIONARY_LEARNING, W_DEC, W_ENC, place, rows
from tests.support.tiny import SETTINGS, TINY

LM = load_template(ROOT / "templates" / "lm_sae").manifest
OURS = {"W_enc": W_ENC, "W_dec": W_DEC}


def told(folder, tmp_path, where="here") -> str:
    """The line that the reader leaves of a folder that holds no autoencoder."""
    out = tmp_path / "out"
    out.mkdir()
    layouts.main(str(folder), str(out), where)
    assert not (out / ARTEFACT).exists()
    return json.loads((out / PROBLEM).read_text())


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "given"
    place.mkdir()
    return place


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_gives_the_latents_of_its_own_library(tmp_path, folder, layout):
    encode = LAYOUTS[layout](folder)
    there = place(folder, layout)
    given = _as_the_reader_sees_it(there, tmp_path / "seen")
    layouts.main(str(given), str(tmp_path), str(there))
    found = json.loads((tmp_path / ABOUT).read_text())
    x = rows()
    loaded = SAE.load(str(tmp_path / ARTEFACT))

    torch.testing.assert_close(loaded.encode(x), encode(x), rtol=1e-5, atol=1e-5)
    assert (encode(x) > 0).any() and (encode(x) == 0).any()
    assert (found["d_in"], found["d_sae"]) == tuple(W_ENC.shape)
    assert found["known"] == KNOWN.get(layout, OF_DICTIONARY_LEARNING)


def _as_the_reader_sees_it(there: Path, seen: Path) -> Path:
    """The files of one folder, and sparsify's configuration above it."""
    folder = there if there.is_dir() else there.parent
    shutil.copytree(folder, seen)
    if there.name.startswith("layers"):
        shutil.copyfile(folder.parent / "config.json", seen / "above.json")
    return seen


@pytest.mark.parametrize("layout", ["gemma-scope", "sparsify"])
def test_a_file_or_folder_is_read_in_the_sandbox_with_what_its_path_says(tmp_path, folder, layout):
    LAYOUTS[layout](folder)
    found = read_published("x", place(folder, layout), tmp_path / "read", NoSandbox())

    assert found.about.known == KNOWN[layout] and found.trained_on == "unknown"
    assert found.files.keys() == ({"params.npz"} if layout == "gemma-scope" else {"sae.safetensors", "cfg.json", ABOVE})


class Runs:
    """Pickled, it runs a command when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, folder):
    LAYOUTS["AutoEncoder"](folder)
    torch.save({"encoder.weight": Runs(f"touch {tmp_path}/ran")}, folder / "ae.pt")

    assert told(folder, tmp_path) == "ae.pt is not read: it asks for more than tensors, which could run code"
    assert not (tmp_path / "ran").exists()


def objects(folder):
    np.savez(folder / "params.npz", W_enc=np.array([{"a": 1}], dtype=object))


def bomb(folder):
    with zipfile.ZipFile(folder / "params.npz", "w") as file:
        file.writestr("W_enc.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9, -1)}")


def nan(folder):
    save_file({"W_enc": W_ENC * float("nan"), "W_dec": W_DEC}, folder / "a.safetensors")
    (folder / "a.json").write_text("{}")


def header(folder):
    (folder / "a.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")


def weights(config, **tensors):
    def make(folder):
        save_file({name: value.contiguous() for name, value in {**OURS, **tensors}.items()}, folder / "a.safetensors")
        if config is not None:
            (folder / "cfg.json").write_text(config if isinstance(config, str) else json.dumps(config))

    return make


def truncated(folder):
    LAYOUTS["AutoEncoder"](folder)
    whole = (folder / "ae.pt").read_bytes()
    (folder / "ae.pt").write_bytes(whole[: len(whole) // 2])


def nameless(folder):
    LAYOUTS["AutoEncoder"](folder)
    (folder / "config.json").write_text('{"trainer": {"dict_class": "Evil\\u001b[31m"}}')


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (objects, "params.npz is not a readable npz file"),
        (bomb, "params.npz is not a readable npz file"),
        (nan, "W_enc holds NaN or infinite values"),
        (header, "a header of 1099511627776 bytes"),
        (truncated, "ae.pt is not read: "),
        (nameless, "trainer.dict_class = 'Evil'; known are AutoEncoder, "),
        (weights(None), "no configuration beside a.safetensors; put a cfg.json there, such as {"),
        (weights("[1]"), "cfg.json: no JSON object"),
        (weights("[" * 100), "cfg.json: JSON nested deeper than 16 levels"),
        (weights({"architecture": "temporal"}), "architecture 'temporal': only standard, topk, jumprelu, gated can"),
        (weights({"architecture": "batchtopk"}), "save it with sae_lens's save_inference_model"),
        (weights({"architecture": "topk"}), "k = 0: a TopK autoencoder of 12 latents needs a k from 1 to 12"),
        (weights({"architecture": "jumprelu"}), "no tensor threshold, which architecture jumprelu needs"),
        (weights({"normalize_activations": "layer_norm"}), "normalize_activations = layer_norm: each row is changed"),
        (weights({"activation_fn": "tanh-relu"}), "activation function 'tanh-relu'; only relu and topk"),
        (weights({}, b_enc=torch.zeros(3)), "b_enc has shape [3]; [12] was expected"),
        (weights({}, scaling_factor=torch.full((12,), 2.0)), "its latents are scaled once more (scaling_factor)"),
        (weights({"transcode": True, "num_latents": 12}, **{"encoder.weight": W_ENC.T}), "a transcoder"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(tmp_path, folder, make, said):
    make(folder)
    line = told(folder, tmp_path)

    assert said in line and "\n" not in line and "\x1b" not in line


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "the folder holds none of sae_weights.safetensors, params.npz, ae.pt, sae.safetensors"),
        (lambda folder: [(folder / f"{n}.pt").touch() for n in "ab"], "the folder holds 2 files of weights; name one"),
        (lambda folder: (folder / "ae.pt").symlink_to("ae.pt"), "the folder holds none of"),
        (lambda folder: os.mkfifo(folder / "ae.pt"), "the folder holds none of"),
    ],
)
def test_a_folder_without_one_plain_file_of_weights_is_refused(tmp_path, folder, make, said):
    make(folder)
    with pytest.raises(UserError, match=said):
        read_published("mine", folder, tmp_path / "read", NoSandbox())


def test_a_hard_link_and_the_links_of_the_hubs_cache_are_read(tmp_path, folder):
    LAYOUTS["AutoEncoder"](folder)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "ae.pt").symlink_to(folder / "ae.pt")
    os.link(folder / "config.json", cache / "config.json")

    assert read_published("x", cache, tmp_path / "read", NoSandbox()).about.architecture == "standard"


# -------------------------------------------------------------------- measured


def test_the_evaluation_of_a_template_gets_the_latents_of_the_library(tmp_path, folder):
    encode = LAYOUTS["AutoEncoderTopK"](folder)
    world = prepared(TINY, "tiny", SETTINGS, 7, tmp_path / "cache")
    found = read_published("x", folder, tmp_path / "read", NoSandbox())
    spot = Place(TINY, "tiny", TINY.manifest.profiles["tiny"].conditions[0], world, NoSandbox(), "cpu", 1)
    record = evaluate(found, spot, tmp_path / "job")

    module = load_module(TINY.path("evaluate.py"))
    truth = module.load_truth(world.truth, SETTINGS)
    with torch.no_grad():
        z = encode(torch.from_numpy(truth.x).float()).double().numpy()
    lengths = W_DEC.double().norm(dim=1).numpy()
    residual = np.square(truth.x - z @ W_DEC.double().numpy() - B_DEC.double().numpy()).sum()
    assert record.metrics["l0"] == pytest.approx((z != 0).sum() / len(z))
    assert record.metrics["error"] == pytest.approx(residual / np.square(truth.x - truth.x.mean(0)).sum(), rel=1e-4)
    unit = W_DEC.double().numpy() / lengths[:, None]
    assert record.metrics["score"] == pytest.approx(np.abs(unit @ truth.directions.T).max(axis=1).mean())
    assert (record.settings["d_sae"], record.sae.trained_on) == (12, "2,048,000 tokens")
    assert record.hashes.keys() >= {"protected/evaluate.py", "protected/manifest.toml", "data/truth/x.npy"}
    assert record.sae.files.keys() == {"ae.pt", "config.json"}


# -------------------------------------------------------------------- where it is measured


def of(**known: str) -> About:
    return About(
        layout="x",
        d_in=2304,
        d_sae=16,
        architecture="standard",
        subtracts_b_dec=True,
        k=0,
        by_decoder_norm=False,
        known=known,
        remarks=(),
    )


def test_the_condition_is_the_one_whose_hook_the_autoencoder_names():
    named = of(hook_name="blocks.19.hook_resid_post")

    assert fitting(LM, "gemma-2-2b", named).name == "layer19-2304"
    assert fitting(LM, "gemma-2-2b", of()).name == "layer12-2304"
    assert fitting(LM, "gemma-2-2b", of(), "layer19-16384").name == "layer19-16384"


@pytest.mark.parametrize(
    ("known", "profile", "wanted", "said"),
    [
        ({"hook_name": "blocks.3.hook_mlp_out"}, "gemma-2-2b", None, "belongs to blocks.3.hook_mlp_out, and profile"),
        ({}, "tiny", None, "the autoencoder has d_in = 2304, the data of profile tiny have 64"),
        ({}, "gemma-2-2b", "layer7", "--condition layer7: profile gemma-2-2b has layer12-2304, "),
    ],
)
def test_an_autoencoder_that_fits_no_condition_is_refused(known, profile, wanted, said):
    with pytest.raises(UserError, match=said):
        fitting(LM, profile, of(**known), wanted)


def test_another_model_and_an_unknown_hook_are_remarked():
    settings = {"model": "gemma-2-2b", "hook_name": "blocks.12.hook_resid_post"}

    assert remarks(settings, of(model="google/gemma-2-2b", hook_name="blocks.12.hook_resid_post")) == []
    found = remarks(settings, of(model="gpt2"))
    assert "measured at blocks.12.hook_resid_post" in found[0] and "of the model gpt2" in found[1]


# -------------------------------------------------------------------- releases

LISTED = {"gemma-scope-2b-pt-res-canonical": {"layer_12/width_16k/canonical": "x"}, "gpt2-small-res-jb": {"a": "b"}}


def test_a_name_is_a_listed_release_or_a_repository_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    canonical = "gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical"

    assert releases.is_release(canonical) and not releases.is_release("/a/b") and not releases.is_release("./a/b")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").mkdir()
    assert not releases.is_release("a/b") and not releases.is_release("mine")
    assert releases.split(canonical, LISTED) == tuple(canonical.split("/", 1))
    assert releases.split("owner/saes/layer_3/k8", LISTED) == ("owner/saes", "layer_3/k8")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt2-small-res-jb/c", "release gpt2-small-res-jb has no c; it has a ..."),
        ("gpt2-smal-res-jb/a", "nor a release that SAELens lists; did you mean gpt2-small-res-jb"),
        ("zzz/a", "a release is named release/id, a repository owner/repository/folder"),
    ],
)
def test_an_unknown_release_is_answered_with_what_there_is(name, said):
    with pytest.raises(UserError, match=said):
        releases.split(name, LISTED)


def test_a_hub_out_of_reach_is_the_machines_fault_and_an_unknown_repository_the_names():
    class RepositoryNotFoundError(OSError):
        pass

    lost = RuntimeError("Cannot send a request, as the client has been closed.")
    assert releases.in_a_line(lost)[0] == releases.in_a_line(ConnectionError("no route"))[0] == 3
    assert releases.in_a_line(RepositoryNotFoundError("404"))[0] == 2
    assert {2: UserError, 3: InfrastructureError} == releases.KINDS
