"""Speed tables for BENCHMARKS.md: ratios between arms that took turns in one run, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.core.paths import DataPaths
from agent.core.template import Template, load_template
from agent.lab.built import MANIFEST
from agent.lab.machine import device_in_words
from agent.lab.measuring.bench import KEEP_MEMORY, THREADS
from agent.lab.worlds import prepared
from tests.suites.bench.arm import FOLDER, OURS
from tests.suites.bench.markdown import markdown
from tests.suites.bench.trainings import KEPT, SECRET
from tests.support import ROOT

SHORT, LONG = 262_144, 524_288  # samples, of the profile's 1,048,576
ARMS = {
    "runner": "sae_lens SyntheticSAERunner",
    "trainer": "sae_lens SAETrainer, cached pool",
    "ours": "templates/saes",
}
FIRST_STEP = """
import argparse, json, os, time
from pathlib import Path
from saes import TopKSAE, run

class SAE(TopKSAE):
    def loss(self, x, step):
        if step.progress == 0:
            Path(OUT, "first").write_text(str(time.time()))
        return super().loss(x, step)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir")
    OUT = parser.parse_args().out_dir
    run(SAE)
"""


def about(pool_s: float) -> str:
    return (
        f"World `mini` (d_in 256, d_sae 512, l0 8, batch 512); {device_in_words('cpu')}; medians of arms that took "
        f"turns. The pool of 262,144 rows is drawn and cached once for all, in {pool_s:.0f} s."
    )


def against_sae_lens(seeds: Sequence[int], threads: int) -> str:
    """TopK against both of sae_lens's ways, with quality beside speed."""
    pool_s = _pool()
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in seeds:
        for arm in ARMS:
            found[arm].append(_arm(arm, "topk", seed, threads, LONG))
    base = statistics.median(r["rate"] for r in found["runner"])
    rows = []
    for arm, results in found.items():
        rate = statistics.median(r["rate"] for r in results)
        rows.append(
            [
                ARMS[arm],
                f"{rate:,.0f}",
                f"{rate / base:.1f}x",
                *(_mean(results, key) for key in ("f1", "mcc", "explained_variance")),
            ]
        )
    heads = ["TopK", "samples/s", "against the runner", "F1", "MCC", "expl. var."]
    return (
        f"{about(pool_s)} {LONG:,} samples, {len(seeds)} seeds, {threads} thread(s), the same learning rate "
        f"and decay; each package's own auxiliary loss, in which few or no latents have a part here."
        f"\n\n{markdown(heads, rows)}"
    )


def architectures(rounds: int, threads: int) -> str:
    """Each architecture against sae_lens's trainer on the same cached pool."""
    pool_s, rows = _pool(), []
    for name in OURS:
        found: dict[str, list[dict[str, Any]]] = {"trainer": [], "ours": []}
        for seed in range(rounds):
            for arm, results in found.items():
                results.append(_arm(arm, name, seed, threads, SHORT))
        ours, theirs = (statistics.median(r["rate"] for r in found[arm]) for arm in ("ours", "trainer"))
        rows.append(
            [
                name,
                f"{theirs:,.0f}",
                f"{ours:,.0f}",
                f"{ours / theirs:.2f}x",
                _mean(found["trainer"], "l0"),
                _mean(found["ours"], "l0"),
            ]
        )
    heads = ["architecture", "sae_lens, samples/s", "ours, samples/s", "ratio", "l0, sae_lens", "l0, ours"]
    return f"{about(pool_s)} {SHORT:,} samples, {rounds} rounds, {threads} thread(s).\n\n{markdown(heads, rows)}"


def splits(rounds: int) -> str:
    """Six trainings on all cores, as one process after the other or side by side."""
    pool_s, cores, rows = _pool(), len(os.sched_getaffinity(0)), []
    shapes = dict.fromkeys(((1, cores), (1, 1), (cores, 1), (2 * cores, 1)))
    took: dict[tuple[int, int], list[float]] = {shape: [] for shape in shapes}
    for _ in range(rounds):
        for processes, threads in took:
            started = time.perf_counter()
            waiting, running = list(range(6)), []
            while waiting or running:
                running = [p for p in running if p.poll() is None]
                while waiting and len(running) < processes:
                    running.append(_start("ours", "topk", waiting.pop(), threads, SHORT))
                time.sleep(0.02)
            took[processes, threads].append(time.perf_counter() - started)
    base = statistics.median(took[1, cores])
    for (processes, threads), walls in took.items():
        wall = statistics.median(walls)
        rows.append([str(processes), str(threads), f"{wall:.1f}", f"{base / wall:.2f}x"])
    heads = ["processes", "threads each", "s for six trainings", "against one with all threads"]
    return f"{about(pool_s)} {SHORT:,} samples each, with their imports; {rounds} rounds.\n\n{markdown(heads, rows)}"


def first_step(rounds: int, device: str = "cpu") -> str:
    """From the start of a training, as the runner starts it, to its first step inside the sandbox; each is measured."""
    template = load_template(FOLDER)
    data = prepared(template, "demo", template.manifest.profiles["demo"].settings, SECRET, KEPT)
    took = []
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        folder.chmod(0o755)
        took += _to_first_step(folder, template, data, device)
        shutil.rmtree(folder, ignore_errors=True)
    if not took:
        raise SystemExit("the first step was never seen")
    mostly = ", most of it `import torch`" if device == "cpu" else ""
    return (
        f"{statistics.median(took):.2f} s (median of {len(took)}; {min(took):.2f} to {max(took):.2f}){mostly}; "
        f"{device_in_words(device)}. Each was trained to its end and measured by the runner."
    )


def _to_first_step(folder: Path, template: Template, data: DataPaths, device: str) -> list[float]:
    """Seconds, once; none if the mark was not seen. A training that cannot be measured ends the bench."""
    from agent.core.record import Job
    from agent.lab.measuring.measure import run_training
    from agent.sandbox.boxes import BubblewrapSandbox

    size = template.manifest.profiles["demo"]
    code = {"experiment.py": FIRST_STEP} | {name: p.read_text() for name, p in template.library().items()}
    for name, text in code.items():
        path = folder / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    job = Job(
        key="first",
        run="0",
        kind="baseline",
        attempt=1,
        folder=str(folder),
        code=str(folder / "code"),
        script="experiment.py",
        template=template.folder,
        train_data=str(data.train),
        truth_data=str(data.truth),
        settings={**size.settings, "samples": 400 * size.settings["batch"]},
        seeds=(0,),
        conditions=size.conditions,
        limits=size.limits,
        evaluate_limits=size.evaluate_limits,
        device=device,
        slots=1,
        threads=1,
        sandbox="bwrap",
    )
    marks: list[float] = []
    out = folder / "trainings" / f"{size.conditions[0].name}-seed0" / "code" / "run_0" / "first"

    def seen() -> bool:
        if not marks and out.exists() and (text := out.read_text()):
            marks.append(float(text))
        return False

    started = time.time()
    found = run_training(job, 0, size.conditions[0], BubblewrapSandbox(), seen)
    if found.outcome != "measured":
        raise SystemExit(f"a training on {device}: {found.outcome}: {found.reason}\n{found.detail}")
    return [mark - started for mark in marks]


def _pool() -> float:
    """Builds the pool if it is not there. Returns the seconds that its building took, now or then."""
    template = load_template(FOLDER)
    data = prepared(template, "mini", template.manifest.profiles["mini"].settings, SECRET, KEPT)
    return float(json.loads((Path(data.train).parent / MANIFEST).read_text())["wall_s"])


def _start(*words: Any) -> subprocess.Popen[str]:
    threads = {**dict.fromkeys(THREADS, str(words[3])), **KEEP_MEMORY}  # as the runner sets it; the same for all arms
    return subprocess.Popen(
        [sys.executable, "-m", "tests.suites.bench.arm", *map(str, words)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **threads},
    )


def _arm(*words: Any) -> dict[str, Any]:
    process = _start(*words)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the arm {' '.join(map(str, words))} ended with status {process.returncode}")
    found = json.loads(said.strip().splitlines()[-1])
    print(" ".join(map(str, words)), f"{found['rate']:,.0f} samples/s, F1 {found['f1']:.3f}", flush=True)
    return found


def _mean(results: Sequence[dict[str, Any]], key: str) -> str:
    return f"{statistics.fmean(r[key] for r in results):.3f}"
