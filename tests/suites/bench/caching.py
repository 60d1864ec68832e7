"""Activation caching beside sae_lens's ActivationsStore.

An arm is `python -m tests.suites.bench.caching ARM TOKENS THREADS`.

ARM is ours (templates/lm_sae's shuffled shards), stream (its blocks, shuffled in memory) or store. Model and
sequences, the same for all, are not measured.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from agent.core.template import load_template
from agent.lab.built import folder_hashes
from agent.lab.machine import device_in_words
from agent.lab.worlds import load_module
from tests.suites.bench.markdown import markdown
from tests.suites.bench.trainings import KEPT
from tests.support import ROOT

FOLDER = ROOT / "templates" / "lm_sae"
SIZES = 20_480, 204_800  # activations
D_VOCAB = 8192  # of pythia's 50,304: looked up, never computed with
SHARD_MB = 8  # of the profile's 256, so that the smaller corpus has several, as large as the larger one's
SETTINGS = {**load_template(FOLDER).manifest.profiles["pythia-70m"].settings, "shard_mb": SHARD_MB}
HOOK, BATCH, PROMPTS = str(SETTINGS["hook_names"]), int(SETTINGS["batch"]), int(SETTINGS["lm_eval_batch"])
BUFFER = 20  # sequences' worth of rows that the store mixes: sae_lens's default
SHUFFLED = 16_384  # rows of a block: 129 sequences of 127, where the store mixes BUFFER of them
ARMS = {
    "store": "sae_lens ActivationsStore, nothing kept",
    "stream": "templates/lm_sae, streamed, nothing kept",
    "ours": "templates/lm_sae, shards on disk",
}
Result = dict[str, float]


def table(rounds: int, threads: int) -> str:
    """Both arms at both sizes, in turns; medians."""
    found: dict[tuple[int, str], list[Result]] = {(size, arm): [] for size in SIZES for arm in ARMS}
    for _ in range(rounds):
        for (size, arm), results in found.items():
            results.append(_arm(arm, size, threads))
    rows = []
    for (size, arm), results in found.items():
        pairs = zip(results, found[size, "store"], strict=True)
        peaks = sorted(one["peak_mb"] for one in results)
        ratio = statistics.median(_rate(one) / _rate(store) for one, store in pairs)
        rows.append(
            [
                f"{size:,}",
                ARMS[arm],
                f"{statistics.median(map(_rate, results)):,.0f}",
                f"{ratio:.2f}x",
                f"{statistics.median(peaks):.0f} ({peaks[0]:.0f} to {peaks[-1]:.0f})",
            ]
        )
    heads = ["activations", "arm", "tokens/s", "against the store", "peak memory, MB (all rounds)"]
    return f"{_about(found[SIZES[-1], 'ours'], rounds, threads)}\n\n{markdown(heads, rows)}"


def _about(ours: list[Result], rounds: int, threads: int) -> str:
    cost = {key: statistics.median(one[key] for one in ours) for key in ours[0]}
    return (
        f"A randomly initialised model of pythia-70m's shape (vocabulary reduced to {D_VOCAB:,}), {HOOK}, context "
        f"{SETTINGS['context']}, {PROMPTS} sequences a forward pass, float32, BOS left out; {device_in_words('cpu')}, "
        f"{threads} thread(s); medians of {rounds} round(s) in which arms took turns, each in a process of its own. "
        "What is compared is what a training needs to be fed. The store keeps nothing: every run and seed pays for "
        f"the forward passes again; it mixes {BUFFER} sequences' worth of rows (its default). So does the stream, "
        f"which shuffles blocks of {SHUFFLED:,} rows. The shards shuffle the whole corpus and pay once: building the "
        f"cache of {SIZES[-1]:,} activations takes {cost['seconds']:.0f} s and "
        f"{cost['disk_mb']:,.0f} MB of disk, hashing it {cost['hash_s']:.1f} s; every run and seed then reads it in "
        f"{cost['read_s']:.1f} s (templates/saes, from the page cache). Shards are of {SHARD_MB} MB. Peak memory is "
        "what the arm takes on top of imports, model and sequences."
    )


def _rate(one: Result) -> float:
    return one["tokens"] / one["seconds"]


def _arm(arm: str, size: int, threads: int) -> Result:
    words = [arm, str(size), str(threads)]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-m", "tests.suites.bench.caching", *words],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, **limits},
    )
    if done.returncode:
        raise SystemExit(f"the arm {words} ended with status {done.returncode}:\n{done.stderr[-1500:]}")
    print(*words, said := done.stdout.strip().splitlines()[-1], flush=True)
    return json.loads(said)


def main(arm: str, tokens: int, threads: int) -> None:
    import torch
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = (
        HookedTransformer(
            HookedTransformerConfig(
                n_layers=6,
                d_model=512,
                n_heads=8,
                d_head=64,
                d_mlp=2048,
                n_ctx=2048,
                d_vocab=D_VOCAB,
                act_fn="gelu",
                normalization_type="LN",
                positional_embedding_type="rotary",
                rotary_dim=16,
                parallel_attn_mlp=True,
                seed=0,
                device="cpu",
            )
        )
        .eval()
        .requires_grad_(False)
    )
    body = int(SETTINGS["context"]) - 1
    count = tokens // body + BUFFER + 2 * PROMPTS  # the store runs ahead by its buffer
    words = np.random.default_rng(0).integers(1, D_VOCAB, (count, body), dtype=np.int32)
    sequences = np.concatenate([np.zeros((count, 1), np.int32), words], axis=1)  # 0 is BOS
    print(json.dumps({"ours": _ours, "store": _store, "stream": _stream}[arm](model, tokens, sequences)))


def _ours(model: Any, tokens: int, sequences: np.ndarray) -> Result:
    prepare, saes = load_module(FOLDER / "prepare.py"), load_module(FOLDER.parent / "saes" / "sequential.py")
    stream = iter(np.split(sequences, range(64, len(sequences), 64)))
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as place:
        folder, before, marks = Path(place), _memory_from_here(), [time.perf_counter()]
        prepare._write_shards(
            model, {**SETTINGS, "tokens": tokens}, [(HOOK,)], stream, folder, np.random.SeedSequence(0).spawn(3)
        )
        marks.append(time.perf_counter())
        peak = _memory("VmHWM") - before
        folder_hashes(folder)
        marks.append(time.perf_counter())
        for _ in saes.ShardRows(folder / HOOK, "cpu").batches(BATCH, tokens // BATCH):
            pass
        marks.append(time.perf_counter())
        disk = sum(p.stat().st_size for p in folder.rglob("*.npy")) / 1e6
    built, hashed, read = np.diff(marks).tolist()
    return {"seconds": built, "tokens": tokens, "peak_mb": peak, "disk_mb": disk, "hash_s": hashed, "read_s": read}


def _stream(model: Any, tokens: int, sequences: np.ndarray) -> Result:
    streams, saes = load_module(FOLDER / "prepare.py").streams, load_module(FOLDER.parent / "saes" / "sequential.py")
    settings = {**SETTINGS, "shuffle_rows": SHUFFLED}
    text = itertools.cycle(sequences)  # the last block runs ahead of what is trained on
    before, started = _memory_from_here(), time.perf_counter()
    blocks = map(torch_of, streams.shuffled(model, text, settings, HOOK, (0, 0), 0))
    for _ in saes.SequentialBatches(lambda start: blocks, BATCH, tokens // BATCH, "cpu", 1.0):
        pass
    return {"seconds": time.perf_counter() - started, "tokens": tokens, "peak_mb": _memory("VmHWM") - before}


def torch_of(rows: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(rows)


def _store(model: Any, tokens: int, sequences: np.ndarray) -> Result:
    from datasets import Dataset
    from sae_lens.training.activations_store import ActivationsStore

    data = Dataset.from_dict({"input_ids": sequences})
    before, started, given = _memory_from_here(), time.perf_counter(), 0
    store = ActivationsStore.from_config_multi_hook(
        model,
        dataset=data,
        hook_names=[HOOK],
        hook_d_ins={HOOK: int(SETTINGS["d_in"])},
        streaming=False,
        context_size=int(SETTINGS["context"]),
        n_batches_in_buffer=BUFFER,
        total_training_tokens=tokens,
        store_batch_size_prompts=PROMPTS,
        train_batch_size_tokens=BATCH,
        seqpos_slice=(1, None),
    )  # BOS, which the sequences hold already, is read and not handed out, as with ours
    while given < tokens:
        given += len(next(store))
    return {"seconds": time.perf_counter() - started, "tokens": given, "peak_mb": _memory("VmHWM") - before}


def _memory_from_here() -> float:
    """MB held now; the peak begins anew. ru_maxrss would begin at the parent's size, and at what loading took."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
