"""sae-bench beside the runner: proxy and protocol with evaluations made up here, and the real ones where it is set up.

`./launch.py --setup-saebench` sets it up. Models and data sets are made here; the hub is never asked.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from agent.app import saebench as command
from agent.core.errors import InfrastructureError, UserError
from agent.core.record import Environment, SaeBenchJob
from agent.core.saebench import FORGET_CORPUS, SaeBench
from agent.core.template import load_template, parse_manifest
from agent.lab import integrity
from agent.lab.measuring import saebench
from agent.lab.measuring.measure import run_training
from agent.lab.saebench import catalogue, client
from agent.lab.saebench.environment import variables
from agent.lab.saebench.worker.proxy import ProxySAE
from agent.lab.worlds import load_module, prepared
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import ROOT, saebench_world, unlearning_world
from tests.support.records import METRICS, one, record
from tests.support.saebench_world import HERE, OPTIONS
from tests.support.scripted import ScriptedModel
from tests.support.tiny import ENCODE, TINY, edited, job_of

LM = load_template(ROOT / "templates" / "lm_sae")
REQUEST = {"d_in": 8, "threads": 1}
CORE = catalogue.specs(["core"])


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """The real worker, with other evaluations in it."""
    folder = tmp_path_factory.mktemp("worker")
    for source in (*client.WORKER.glob("*.py"), ROOT / "tests/support/fake_saebench/evals.py"):
        shutil.copyfile(source, folder / source.name)
    return folder


@pytest.fixture
def asked(worker, tmp_path):
    """Run one made-up evaluation; nobody encodes."""

    def ask(does: str, wall_s: float = 60.0, judge=None, **settings):
        (tmp_path / "scratch").mkdir()
        request = {**REQUEST, "evals": {"core": {"does": does, **settings}}}
        return client.evaluate(sys.executable, request, tmp_path / "scratch", wall_s, None, lambda: None, judge, worker)

    return ask


# ---------------------------------------------------------------- proxy


class Counting:
    """A channel that encodes by itself, and counts rows."""

    def __init__(self) -> None:
        self.sae, self.rows = saebench_world.Autoencoder(), 0

    def encode(self, rows):
        self.rows += len(rows)
        z = self.sae.encode(rows)
        return np.diff(z.indptr).astype("<u4"), z.indices.astype("<u4"), z.data.astype("<f4")


def test_the_proxy_gives_the_latents_of_the_other_side_whatever_the_shape():
    channel = Counting()
    proxy = ProxySAE(channel.sae.decoder, channel.sae.bias, None, channel, "cpu")
    x = torch.randn(3, 5, saebench_world.D_IN, generator=torch.Generator().manual_seed(0))
    wanted = channel.sae.encode(x.reshape(15, -1).numpy()).toarray()

    assert np.allclose(proxy.encode(x).reshape(15, -1), wanted, atol=1e-6)
    assert np.allclose(proxy(x).reshape(15, -1), wanted @ channel.sae.decoder + channel.sae.bias, atol=1e-4)
    half = proxy.to(torch.bfloat16).encode(x.bfloat16())
    assert half.dtype == torch.bfloat16 and half.shape == (3, 5, saebench_world.D_SAE)


def test_masked_tokens_are_encoded_once():
    channel = Counting()
    proxy = ProxySAE(channel.sae.decoder, channel.sae.bias, None, channel, "cpu")
    x = torch.randn(4, 6, saebench_world.D_IN, generator=torch.Generator().manual_seed(0))
    x[:, 2:] = 0.0
    latents = proxy.encode(x)

    assert channel.rows == 9
    wanted = channel.sae.encode(np.zeros((1, saebench_world.D_IN))).toarray()[0]
    assert np.allclose(latents[:, 2:].reshape(-1, saebench_world.D_SAE), wanted, atol=1e-6)


# ---------------------------------------------------------------- worker


def test_the_worker_gets_no_key_and_an_empty_folder(asked):
    os.environ["SOME_PROVIDER_API_KEY"] = "sk-secret"
    try:
        said = asked("environment")["core"]
    finally:
        del os.environ["SOME_PROVIDER_API_KEY"]
    assert set(said["names"]) <= {*client.PASSED, *client.QUIET, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LC_CTYPE"}
    assert said["cwd"] == []


def test_what_failed_is_said_in_a_line_with_its_log(asked, tmp_path):
    with pytest.raises(InfrastructureError, match="sae-bench, core: ValueError: the hub cannot be reached"):
        asked("fail")
    assert "Traceback" in (tmp_path / "scratch.log").read_text()


def test_a_worker_that_dies_leaves_its_last_words(asked):
    with pytest.raises(InfrastructureError, match="ended with status 7 .*the last words"):
        asked("die")


def test_its_time_is_bounded(asked, tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(InfrastructureError, match="took longer than its wall_s allows"):
        asked("hang", wall_s=2.0, pid=str(pid))
    assert not _lives(int(pid.read_text()))


def test_it_dies_with_the_runner(worker, tmp_path):
    (tmp_path / "scratch").mkdir()
    pid = tmp_path / "pid"
    request = {**REQUEST, "evals": {"core": {"does": "hang", "pid": str(pid)}}}
    code = (
        "import sys; from pathlib import Path; from agent.lab.saebench import client; "
        f"client.evaluate(sys.executable, {request!r}, Path({str(tmp_path / 'scratch')!r}), 60.0, None, "
        f"lambda: None, None, Path({str(worker)!r}))"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    assert _soon(lambda: pid.is_file() and pid.read_text())
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert _soon(lambda: not _lives(int(pid.read_text())))


def _soon(true) -> bool:
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(true())


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---------------------------------------------------------------- in a training


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return prepared(TINY, "tiny", TINY.manifest.profiles["tiny"].settings, 7, tmp_path_factory.mktemp("cache"))


def trained(folder: Path, world, worker: Path, *edits: tuple[str, str], **settings):
    """The tiny template's autoencoder, put through the made-up evaluation."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -I {worker}\n")  # whatever worker it is given
    python.chmod(0o755)
    environment = Environment(key="k", python=str(python), trees=(), version="3", packages={"sae-bench": "0"})
    profile = parse_manifest(
        (Path(TINY.folder) / "manifest.toml").read_bytes()
        + b"""
[profiles.benched]
extends = "tiny"
[profiles.benched.saebench]
evals = ["core"]
""",
        "here",
    ).profiles["benched"]
    asked = profile.saebench.model_copy(update={"settings": {"core": settings}})
    job = job_of(
        folder,
        world,
        edited(*edits),
        settings={**profile.settings, "model": "none", "hook_name": "blocks.0.hook_resid_post", "dtype": "float32"},
        saebench=SaeBenchJob(asked=asked, environment=environment, shared=str(folder / "shared")),
    )
    folder.chmod(0o755)
    return run_training(job, 0, job.conditions[0], BubblewrapSandbox(), lambda: False)


def test_its_results_are_metrics_beside_the_templates_own(tmp_path, world, worker):
    training = trained(tmp_path, world, worker)

    assert training.outcome == "measured", training.detail
    assert set(training.metrics) == {"score", "error", "l0", *CORE}
    assert training.metrics["saebench_l0"] == pytest.approx(2.0, abs=0.3)  # the sandboxed encoder's
    assert training.metrics["saebench_shrinkage"] > 0  # of a decoder with unit rows


def test_an_encoder_that_remembers_is_refused(tmp_path, world, worker):
    state = (
        ENCODE,
        ENCODE + "        SAE.calls = getattr(SAE, 'calls', 0) + len(x)\n"
        "        pre_acts = pre_acts * (2 if 2000 < SAE.calls else 1)\n",
    )
    training = trained(tmp_path, world, worker, state, batches=400)

    assert (training.outcome, training.reason) == ("refused", "encode-depends-on-batch")
    assert "rows of sae-bench" in training.detail


# ---------------------------------------------------------------- metrics and words


def test_every_metric_is_the_profiles_alone_and_has_a_direction():
    every = catalogue.specs(["core", "absorption", "sparse_probing", "sae_probes", "unlearning", "autointerp"])
    for profile in LM.manifest.profiles.values():
        seen = catalogue.measured_at(LM.manifest, next(n for n, p in LM.manifest.profiles.items() if p is profile))
        wanted = catalogue.specs(profile.saebench.evals) if profile.saebench else {}
        assert seen.metrics.keys() - LM.manifest.metrics.keys() == wanted.keys()
    labels = [spec.label for spec in (*LM.manifest.metrics.values(), *every.values())]
    assert len(set(labels)) == len(labels) and not every.keys() & LM.manifest.metrics.keys()


def test_the_target_of_its_l0_is_the_conditions():
    measured = LM.manifest.model_copy(update={"metrics": CORE})
    assert measured.aim("saebench_l0", {}, LM.manifest.profiles["pythia-70m"].conditions[:1]) == 20
    manifest = TINY.manifest.model_copy(update={"metrics": {**TINY.manifest.metrics, **CORE}})
    values = {**METRICS, **dict.fromkeys(CORE, 1.0), "saebench_l0": 3.0}  # 2 was asked for
    said = [
        f.text for f in integrity.check(record(**one(metrics=values)), (record(0),), manifest) if f.code == "off-target"
    ]
    assert len(said) == 1 and "saebench_l0 = 3, where 2 was asked for" in said[0]


def test_a_number_that_is_not_there_is_no_metric():
    with pytest.raises(InfrastructureError, match="absorption: its result has no mean.mean_absorption_fraction_score"):
        catalogue.metrics({"absorption": {"mean": {"mean_absorption_fraction_score": None}}})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('evals = ["scr"]', "evals.0: Input should be 'core'"),
        ("evals = []", "name at least one"),
        ('evals = ["core"]\nsettings = { absorption = { max_k_value = 3 } }', "which saebench.evals does not name"),
    ],
)
def test_a_wrong_wish_is_answered_in_a_line(text, says):
    whole = (Path(TINY.folder) / "manifest.toml").read_text() + f"\n[profiles.tiny.saebench]\n{text}\n"
    with pytest.raises(UserError, match=says):
        parse_manifest(whole.encode(), "here")


def test_a_judge_is_not_asked_behind_the_back_of_a_bound(tmp_path):
    asked = SaeBench(evals=("autointerp",), judge="ollama/any")
    profile = TINY.manifest.profiles["tiny"].model_copy(update={"saebench": asked})
    bound = OPTIONS.model_copy(update={"max_usd": 5.0})
    told = "autointerp asks ollama/any twice for each sampled latent"
    assert any(told in line for line in command.complaints(profile, bound, tmp_path))
    assert not any(told in line for line in command.complaints(profile, OPTIONS, tmp_path))


def test_what_a_judge_is_asked_is_kept(asked, tmp_path):
    model = ScriptedModel(lambda messages, call: f"I read {messages[-1].content}")
    judge = saebench.judge_of("any/model", tmp_path, model)
    assert asked("judge", judge=judge)["core"] == {"said": "I read the latent's texts"}
    kept = json.loads((tmp_path / "judge" / "saebench.judge.1.json").read_text())
    assert (kept["messages"][1]["content"], kept["reply"]) == ("the latent's texts", "I read the latent's texts")


def test_measuring_gets_the_way_to_the_hub_and_the_judges_key_only_where_it_is_asked(tmp_path):
    assert variables(None) == ()
    assert "HF_TOKEN" in variables(SaeBench(evals=("core",)))
    assert "OPENAI_API_KEY" not in variables(SaeBench(evals=("core",)))
    assert "OPENAI_API_KEY" in variables(SaeBench(evals=("autointerp",), judge="openai/gpt-4o-mini"))


def test_a_session_without_it_is_told_before_it_starts(tmp_path):
    whole = (Path(TINY.folder) / "manifest.toml").read_text() + '\n[profiles.tiny.saebench]\nevals = ["core"]\n'
    profile = parse_manifest(whole.encode(), "here").profiles["tiny"]
    said = command.complaints(profile, OPTIONS, tmp_path)
    assert said[0] == "sae-bench is not set up in this workspace: ./launch.py --setup-saebench"
    assert any("no setting 'hook_name'" in line for line in said)


# ---------------------------------------------------------------- the real one


@pytest.mark.skipif(HERE is None, reason="sae-bench is not set up in workspace/ (./launch.py --setup-saebench)")
def test_the_real_evaluations_run_on_a_model_made_here(tmp_path):
    sae = saebench_world.Autoencoder()
    models = load_module(ROOT / "templates/lm_sae/lm/models.py")
    for name in ("scratch", "shared"):
        (tmp_path / name).mkdir()
    np.savez(tmp_path / "decoder.npz", decoder=sae.decoder, bias=sae.bias)
    data = unlearning_world.data_sets(saebench_world.data_sets(tmp_path / "data"))
    request = {
        "evals": {
            "unlearning": {"seq_len": 32, "llm_batch_size": 64},  # first: it turns gradients off, others need them
            "core": {
                "n_eval_reconstruction_batches": 2,
                "n_eval_sparsity_variance_batches": 2,
                "eval_batch_size_prompts": 4,
                "context_size": 16,
            },
            "absorption": {"llm_batch_size": 64, "max_k_value": 2, "k_sparse_probe_num_epochs": 10},
            "sparse_probing": {
                "dataset_names": ["fancyzhx/ag_news"],
                "probe_train_set_size": 80,
                "probe_test_set_size": 40,
                "context_length": 16,
            },
            "sae_probes": {"dataset_names": ["95_toxic_is"]},
            "autointerp": {"total_tokens": 3000, "llm_context_size": 32, "n_latents": 4, "llm_batch_size": 16},
        },
        "model": str(saebench_world.language_model(tmp_path / "model", models)),
        "model_name": "planted",
        "hook_name": saebench_world.HOOK,
        "d_in": saebench_world.D_IN,
        "d_sae": saebench_world.D_SAE,
        "dtype": "float32",
        "device": "cpu",
        "threads": 1,
        "decoder": str(tmp_path / "decoder.npz"),
        "data": str(data),
        "shared": str(tmp_path / "shared"),
        "details": str(tmp_path),
        "unlearning": {
            "model": str(unlearning_world.instruct_model(tmp_path / "instruct", models)),
            "called": "it",
            "form": "gemma-2-2b-it",
            "corpus": str(data / FORGET_CORPUS),
            "shared": str(tmp_path),
        },
    }
    asked = []

    def judge(messages) -> str:
        asked.append(messages[-1]["content"])
        return "1, 2" if "examples:" in asked[-1] else "This neuron activates on some words"

    results = client.evaluate(HERE.python, request, tmp_path / "scratch", 250.0, sae.encode, lambda: None, judge)

    metrics = catalogue.metrics(results)
    assert metrics.keys() == catalogue.specs(request["evals"]).keys()
    assert metrics["saebench_l0"] == saebench_world.L0
    assert metrics["saebench_probing_5"] > 0.8  # classes have words of their own
    assert metrics["saebench_split_latents"] >= 1 and 0 <= metrics["saebench_absorption"] < 1
    assert len(asked) == 8 and 0 < metrics["saebench_autointerp"] < 1
    assert all((tmp_path / f"{one}.json").is_file() for one in request["evals"])
    assert (tmp_path / "shared/probes/planted/layer_0/probe.pth").is_file()  # for the next autoencoder
