"""The gemma-2-2b profile to its last line, on a small random model of that architecture; and a hub that says no."""

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import torch

from agent.core.paths import DataPaths
from agent.core.record import Job
from agent.lab.measuring.measure import run_training
from agent.lab.worlds import load_module
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import ROOT
from tests.support.lm_world import FOLDER, TEMPLATE, code, draw

PROFILE = TEMPLATE.manifest.profiles["gemma-2-2b"]
PARTS = ("an", "ebo", "idu", "olum", "unka", "yra", "ost", "illo")
WORDS = [f"{letter}{one}{two}" for letter in "abcdeg" for one in PARTS for two in PARTS]
LAYERS = ("blocks.1.hook_resid_post", "blocks.2.hook_resid_post")
SMALL = {
    "d_in": 32,
    "context": 12,
    "tokens": 3000,
    "held_out": 24,
    "labelled": 400,
    "shard_mb": 1,
    "samples": 6000,
    "batch": 64,
    "dead_after": 1000,
    "lr": 0.003,
    "lr_l1": 0.003,
    "l0": 4,
    "hook_names": " ".join(LAYERS),
}
CONDITIONS = tuple(
    c.model_copy(update={"settings": {"hook_name": hook, "d_sae": 48}})
    for c, hook in zip(PROFILE.conditions, (LAYERS[0], "", LAYERS[1]), strict=False)
    if hook
)


def hf_model():
    """Gemma-2's own code: soft caps, grouped queries, RMS norms on both sides, local and global layers."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    return Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=len(WORDS) + 4,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=8,
            max_position_embeddings=64,
            initializer_range=0.2,
            attn_implementation="eager",
        )
    ).eval()


def hooked(hf):
    """The same with hooks, as transformer-lens converts the published weights."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gemma_weights

    config = HookedTransformerConfig(
        d_model=32,
        d_head=8,
        n_heads=4,
        n_key_value_heads=2,
        d_mlp=64,
        n_layers=4,
        n_ctx=64,
        eps=1e-6,
        d_vocab=len(WORDS) + 4,
        act_fn="gelu_pytorch_tanh",
        normalization_type="RMS",
        rotary_base=10000.0,
        rotary_dim=8,
        positional_embedding_type="rotary",
        use_attn_scale=True,
        attn_scale=8**0.5,
        window_size=8,
        use_local_attn=True,
        attn_types=["local", "global"] * 2,
        attn_scores_soft_cap=50.0,
        output_logits_soft_cap=30.0,
        gated_mlp=True,
        final_rms=True,
        use_normalization_before_and_after=True,
        original_architecture="Gemma2ForCausalLM",
        device="cpu",
    )
    model = HookedTransformer(config)
    model.load_and_process_state_dict(
        convert_gemma_weights(hf, config),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    return model.eval()


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"\u2581{word}" for word in WORDS)]
    vocabulary = {name: number for number, name in enumerate(names)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>")


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """A folder with the model, and a file of documents."""
    folder = tmp_path_factory.mktemp("gemma")
    load_module(FOLDER / "prepare.py").models.save(hooked(hf_model()), folder)
    tokenizer().save_pretrained(folder)
    draw_words = np.random.default_rng(0)
    with open(folder / "texts.jsonl", "w") as file:
        for _ in range(300):
            file.write(json.dumps({"text": " ".join(draw_words.choice(WORDS, size=30))}) + "\n")
    return folder


@pytest.fixture(scope="module")
def world(stand_in, tmp_path_factory):
    settings = {**PROFILE.settings, **SMALL, "model": str(stand_in), "dataset": str(stand_in / "texts.jsonl")}
    folder = draw(tmp_path_factory.mktemp("gemma-world") / "world", settings)
    hashes = {p.relative_to(folder).as_posix(): "" for p in folder.rglob("*") if p.is_file()}
    (folder / "manifest.json").write_text(json.dumps({"files": hashes}))
    return settings, DataPaths(train=folder / "train", truth=folder / "truth", key="k", hashes=hashes)


def test_the_stand_in_computes_what_gemma_2_computes():
    hf = hf_model()
    tokens = torch.randint(4, len(WORDS), (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs, ours = hf(tokens).logits, hooked(hf)(tokens)
    assert torch.allclose(ours, theirs, atol=1e-4) and theirs.std() > 0.1


def test_the_profile_asks_for_what_the_seeds_did():
    settings = PROFILE.settings
    assert (settings["l0"], settings["context"], settings["dtype"]) == (40, 128, "bfloat16")
    assert settings["samples"] // settings["batch"] == 2441
    assert {(c.settings["hook_name"], c.settings["d_sae"]) for c in PROFILE.conditions} == {
        (f"blocks.{layer}.hook_resid_post", width) for layer in (12, 19) for width in (2304, 16384)
    }


def test_shards_are_bfloat16_and_rows_and_words_are_held_out(world):
    settings, data = world
    about = json.loads((data.train / LAYERS[0] / "about.json").read_text())
    truth = load_module(FOLDER / "evaluate.py").load_truth(data.truth, {**settings, "hook_name": LAYERS[1]})

    assert about["dtype"] == "bfloat16" and np.load(data.train / LAYERS[0] / "00000.npy").dtype == np.int16
    assert truth.tokens.shape == (24, 12) and (truth.tokens[:, 0] == 2).all() and (truth.tokens[:, 1:] > 3).all()
    labels = truth.labellings["first_letter"]
    assert len(truth.x) == 24 * 11 + len(WORDS) and labels.rows.min() == 24 * 11 == truth.held
    assert len(np.unique(labels.classes)) == 6


def test_training_encoding_and_evaluation_go_through_for_each_layer(tmp_path, world):
    settings, data = world
    job = Job(
        key="k",
        run="0",
        kind="baseline",
        attempt=1,
        folder=str(tmp_path),
        code=str(code(tmp_path / "code")),
        script="experiment.py",
        template=str(FOLDER),
        train_data=str(data.train),
        truth_data=str(data.truth),
        settings=settings,
        seeds=(0,),
        conditions=CONDITIONS,
        limits=PROFILE.limits,
        evaluate_limits=PROFILE.evaluate_limits,
        device="cpu",
        slots=1,
        threads=1,
        sandbox="bwrap",
    )
    for condition in CONDITIONS:
        training = run_training(job, 0, condition, BubblewrapSandbox(), lambda: False)

        assert training.outcome == "measured", training.detail
        assert training.metrics.keys() == TEMPLATE.manifest.metrics.keys()
        assert training.metrics["l0"] == pytest.approx(4, abs=0.5)
        assert training.metrics["explained_variance"] > 0.2


# -------------------------------------------------------------------- the hub


class Hub(BaseHTTPRequestHandler):
    """A hub on which every Gemma is gated, and which hangs up on all other questions."""

    def do_GET(self):
        if "gemma" not in self.path:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to this model is restricted")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


ASK = """
import sys
from pathlib import Path
from agent.lab.worlds import load_module
models = load_module(Path("templates/lm_sae/prepare.py")).models
for name in sys.argv[1:]:
    try:
        models.load(name, "float32", "cpu")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_gated_model_a_lost_hub_and_an_unknown_name_are_each_answered_by_one_line(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    env |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
        "HF_TOKEN": "hf_secret",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASK, "gemma-2-2b", "pythia-70m-deduped", "gemma-17"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env=env,
        )
    finally:
        server.shutdown()
        server.server_close()
    gated, lost, unknown = done.stdout.strip().splitlines()

    assert gated.startswith("UserError model gemma-2-2b is gated: accept its licence") and "HF_TOKEN" in gated
    assert lost.startswith("InfrastructureError model pythia-70m-deduped: not in the Hugging Face cache, and the hub")
    assert unknown.startswith("UserError model 'gemma-17': neither a folder with a model.json nor a model that")
    assert "near it are" in unknown and "gemma-2-2b" in unknown
    assert "hf_secret" not in done.stdout + done.stderr
