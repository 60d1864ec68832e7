"""sae-bench's unlearning: what it needs is asked for beforehand, and the real one runs where sae-bench is set up.

Model and data sets are made here (unlearning_world.py); the hub is never asked.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from agent.app import saebench as command
from agent.core.errors import InfrastructureError, UserError
from agent.core.record import SaeBenchJob
from agent.core.saebench import FORGET_CORPUS, SaeBench
from agent.core.template import parse_manifest
from agent.lab.measuring.measure import run_training
from agent.lab.saebench import catalogue, client
from agent.lab.worlds import load_module, prepared
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import ROOT
from tests.support import unlearning_world as made
from tests.support.saebench_world import HERE, OPTIONS
from tests.support.tiny import TINY, job_of

LM_MODELS = ROOT / "templates/lm_sae/lm/models.py"
real = pytest.mark.skipif(HERE is None, reason="sae-bench is not set up in workspace/ (launch.py --setup-saebench)")


# ---------------------------------------------------------------- before a session


@pytest.fixture
def told(tmp_path):
    """What preflight says of unlearning with these settings."""

    def tell(**asked) -> list[str]:
        bench = SaeBench(evals=("unlearning",), **asked)
        profile = TINY.manifest.profiles["tiny"].model_copy(update={"saebench": bench})
        return [line for line in command.complaints(profile, OPTIONS, tmp_path) if "unlearning" in line]

    return tell


def test_the_corpus_that_nobody_can_fetch_is_asked_for_before_a_session(told, tmp_path):
    (without,) = told(instruct="gemma-2-2b-it")
    (elsewhere,) = told(instruct="gemma-2-2b-it", data=str(tmp_path))
    made.data_sets(tmp_path)

    assert without == elsewhere and "set saebench.data to a folder, and put it there as cais/wmdp-corpora/" in without
    assert told(instruct="gemma-2-2b-it", data=str(tmp_path)) == []
    (tmp_path / FORGET_CORPUS).write_text("title,text\n")
    (line,) = told(instruct="gemma-2-2b-it", data=str(tmp_path))
    assert 'its first line is no JSON object with a "text"' in line


def test_a_model_whose_form_of_a_chat_is_not_known_is_refused_before_a_session(told, tmp_path):
    data = str(made.data_sets(tmp_path / "data"))
    (line,) = told(instruct="meta-llama/Llama-3.2-1B-Instruct", data=data)
    assert "name gemma-2-2b-it or gemma-2-9b-it, or the absolute path" in line
    (tmp_path / "model.json").write_text("{}")
    assert told(instruct=str(tmp_path), data=data) == []


def test_a_folder_by_a_relative_path_is_refused_for_the_worker_has_another_working_directory(tmp_path):
    asked = SaeBench(evals=("core",), data="templates")
    profile = TINY.manifest.profiles["tiny"].model_copy(update={"saebench": asked})
    assert any(
        "saebench.data = 'templates': no such folder (an absolute path is needed)" in line
        for line in command.complaints(profile, OPTIONS, tmp_path)
    )


@pytest.mark.parametrize("text", ['evals = ["unlearning"]', 'evals = ["core"]\ninstruct = "gemma-2-2b-it"'])
def test_an_instruct_model_goes_with_unlearning_alone(text):
    whole = (Path(TINY.folder) / "manifest.toml").read_text() + f"\n[profiles.tiny.saebench]\n{text}\n"
    with pytest.raises(UserError, match="saebench.instruct goes with unlearning, and only with it"):
        parse_manifest(whole.encode(), "here")


# ---------------------------------------------------------------- the real one


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Model, data sets, and the folder where autoencoders keep what the model knows."""
    folder = tmp_path_factory.mktemp("unlearning")
    made.instruct_model(folder / "model", load_module(LM_MODELS))
    made.instruct_model(folder / "ignorant", load_module(LM_MODELS), knows=False)
    made.data_sets(folder / "data")
    return folder


def unlearned(folder: Path, shared: Path, sae, model: str = "model", **settings) -> float:
    (folder / "scratch").mkdir()
    (shared / f"{model}-shared").mkdir(exist_ok=True)
    np.savez(folder / "decoder.npz", decoder=sae.decoder, bias=sae.bias)
    request = {
        "evals": {"unlearning": {"seq_len": 32, "llm_batch_size": 64, **settings}},
        "unlearning": {
            "model": str(shared / model),
            "called": "made-as-gemma-2-2b-it",
            "form": "gemma-2-2b-it",
            "corpus": str(shared / "data" / FORGET_CORPUS),
            "shared": str(shared / f"{model}-shared"),
        },
        "model": str(shared / model),
        "model_name": "base",
        "hook_name": made.HOOK,
        "d_in": sae.decoder.shape[1],
        "d_sae": len(sae.decoder),
        "dtype": "float32",
        "device": "cpu",
        "threads": 1,
        "decoder": str(folder / "decoder.npz"),
        "data": str(shared / "data"),
        "shared": str(folder),
        "details": str(folder),
    }
    results = client.evaluate(HERE.python, request, folder / "scratch", 250.0, sae.encode, lambda: None)
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["scratch"]  # nothing is written elsewhere
    return catalogue.metrics(results)["saebench_unlearning"]


def asked_again(folder: Path) -> dict[str, float]:
    """By setting of the sweep, the share of biology that is still right."""
    code = (
        "import json, pathlib, pickle, sys; print(json.dumps({p.name: pickle.load(open(p, 'rb'))['wmdp-bio']"
        "['mean_correct'] for p in pathlib.Path(sys.argv[1]).rglob('*.pkl')}))"
    )
    return json.loads(subprocess.run([HERE.python, "-c", code, str(folder)], capture_output=True, check=True).stdout)


@real
def test_clamping_the_latent_of_biology_unlearns_it_and_nothing_else(tmp_path, shared):
    score = unlearned(tmp_path, shared, made.Autoencoder(tells=True))

    assert score == 0.75  # who knows nothing says D, which is right for two of eight
    assert set(asked_again(tmp_path).values()) == {0.25}


@real
def test_who_has_one_latent_for_all_that_is_known_can_unlearn_nothing_without_harm(tmp_path, shared):
    score = unlearned(tmp_path, shared, made.Autoencoder(tells=False), retain_thresholds=[0.01, 1.0])

    assert score == 0.0
    assert set(asked_again(tmp_path).values()) == {0.25, 1.0}  # clamped where it may be active elsewhere, else not


@real
@pytest.mark.parametrize(
    ("model", "d_in", "settings", "says"),
    [
        ("ignorant", made.D_IN, {}, "answers no question of wmdp-bio rightly in all orders of the choices"),
        ("model", 40, {}, "the instruct model is 48 wide at blocks.0.hook_resid_post, the autoencoder 40"),
        ("model", made.D_IN, {"seq_len": 100_000}, "less than one sequence of seq_len tokens"),
    ],
)
def test_what_cannot_be_unlearned_from_is_said_in_a_line(tmp_path, shared, model, d_in, settings, says):
    sae = made.Autoencoder(tells=True)
    sae.decoder, sae.bias = sae.decoder[:, :d_in], sae.bias[:d_in]
    with pytest.raises(InfrastructureError, match=says):
        unlearned(tmp_path, shared, sae, model, **settings)


@real
def test_a_trained_autoencoder_is_asked_through_its_sandboxed_encoder(tmp_path, shared):
    settings = {
        **TINY.manifest.profiles["tiny"].settings,
        "d_in": made.D_IN,
        "d_sae": 24,
        "model": str(shared / "model"),
        "hook_name": made.HOOK,
        "dtype": "float32",
    }
    world = prepared(TINY, "tiny", settings, 7, tmp_path / "cache")
    model = load_module(LM_MODELS).load(str(shared / "model"), "float32", "cpu")
    np.save(world.train / "activations.npy", made.activations(model, shared / "data"))
    asked = SaeBench(
        evals=("unlearning",),
        instruct=str(shared / "model"),
        data=str(shared / "data"),
        settings={"unlearning": {"seq_len": 32, "llm_batch_size": 64, "retain_thresholds": (0.01, 0.05)}},
    )
    job = job_of(
        tmp_path,
        world,
        settings=settings,
        saebench=SaeBenchJob(asked=asked, environment=HERE, shared=str(tmp_path / "shared")),
    )
    tmp_path.chmod(0o755)

    training = run_training(job, 0, job.conditions[0], BubblewrapSandbox(), lambda: False)

    assert training.outcome == "measured", training.detail
    assert 0.0 < training.metrics["saebench_unlearning"] <= 0.75
    assert len(list((tmp_path / "shared").glob("model-*/known"))) == 1  # for the next autoencoder, at any hook
    (kept,) = (tmp_path / "job").rglob("unlearning.json")
    assert json.loads(kept.read_text())["eval_config"]["model_name"] == "model-as-gemma-2-2b-it"
