"""TopK training steps on a GPU beside sae_lens, dictionary_learning and sparsify, as shares of what the GPU can do.

Each arm (gpu_arms.py) has a process of its own and waits in it for its turn, so imports and compiling are done once and
arms that are compared are timed within seconds of each other. Needs torch and the peers (peers.py), not the runner.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from tests.suites.bench import peers
from tests.suites.bench.gpu_table import ARMS, HEADS, MACHINE, Measured, Results, Setting, analysis, fastest, rows
from tests.suites.bench.gpu_work import GEMMA, PRECISIONS, SMALL, Sizes
from tests.suites.bench.markdown import markdown
from tests.support import ROOT

LOGS = ROOT / ".cache" / "bench" / "gpu"


class Process:
    """One arm; started when a setting begins, and again if it died in the one before."""

    def __init__(self, name: str, device: str) -> None:
        self.name, self._device, self._process, self.about = name, device, None, {}

    def begin(self, command: Mapping[str, Any]) -> None:
        if self._process is None or self._process.poll() is not None:
            self._start()
        self.tell(command)

    def _start(self) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        # sparsify takes its Triton kernels wherever Triton can be imported, and without a GPU they do not run
        own = {"HF_HUB_OFFLINE": "1", **({"SPARSIFY_DISABLE_TRITON": "1"} if self._device == "cpu" else {})}
        with open(LOGS / f"{self.name}.log", "w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.suites.bench.gpu_arms", self.name, str(peers.folder())],
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **own},
            )
        self.about = None

    def tell(self, command: Mapping[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says that it is gone

    def answer(self) -> dict[str, Any]:
        if self.about is None:
            self.about = self._line()
            if "failed" in self.about:
                return self.about
        return self._line()

    def _line(self) -> dict[str, Any]:
        if line := self._process.stdout.readline():
            return json.loads(line)
        said = (LOGS / f"{self.name}.log").read_text(errors="replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), "")
        status = self._process.wait()
        return {"failed": "took too long" if status == -signal.SIGALRM else f"ended with {status}: {last[:160]}"}

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def measure(sizes: Sizes, device: str, names: Iterable[str]) -> tuple[dict[Setting, Results], dict[str, Any]]:
    """All arms in all settings; and what the first process says of the machine."""
    processes = [Process(name, device) for name in names]
    found: dict[Setting, Results] = {}
    try:
        for precision in PRECISIONS:
            for batch in sizes.batches:
                found[precision, batch] = _setting(processes, sizes, precision, batch, device)
                here = {(precision, batch): found[precision, batch]}
                print(*(" | ".join(cells) for cells in rows(sizes, here)), sep="\n")
                print(analysis(sizes, (precision, batch), found[precision, batch]), flush=True)
        return found, processes[0].about or {}
    finally:
        for process in processes:
            process.end()


def _setting(processes: list[Process], sizes: Sizes, precision: str, batch: int, device: str) -> dict[str, Measured]:
    results = {process.name: Measured() for process in processes}
    command = {"sizes": asdict(sizes), "batch": batch, "precision": precision, "device": device}
    # Side by side on a GPU's machine, which has the cores for it; elsewhere one after the other.
    groups = [processes] if device.startswith("cuda") else [[process] for process in processes]
    for group in groups:
        for process in group:
            process.begin(command)
            process.tell({"steps": sizes.warm})
        for process in group:
            _note(results[process.name], process.answer(), timed=False)
    for _ in range(sizes.rounds):
        for process in processes:
            if not results[process.name].failed:
                process.tell({"steps": sizes.steps})
                _note(results[process.name], process.answer())
    profiled = {fastest(results, ours=True), fastest(results, ours=False)}
    for process in processes:
        if process.name in profiled:
            process.tell({"steps": min(10, sizes.steps), "profile": True})
            _note(results[process.name], process.answer(), timed=False)
        process.tell({"steps": 0})
    return results


def _note(result: Measured, answer: Mapping[str, Any], timed: bool = True) -> None:
    if "failed" in answer:
        result.failed = answer["failed"]
        return
    if timed:
        result.seconds.append(answer["seconds"])
        result.peak_gb = answer["peak_gb"]
    result.kernels = answer["kernels"]


def table(device: str, small: bool) -> str:
    """The whole of it, with a line for what could not be had."""
    sizes = SMALL if small else GEMMA
    if device == "cpu" and not small:
        raise SystemExit("on a CPU with --small alone: Gemma's sizes are for a GPU")
    remark = peers.ready()
    found, about = measure(sizes, device, (*ARMS, *MACHINE))
    raw = [
        {"precision": p, "batch": b, "arms": {name: asdict(one) for name, one in results.items()}}
        for (p, b), results in found.items()
    ]
    (LOGS / "results.json").write_text(json.dumps({"about": about, "sizes": asdict(sizes), "settings": raw}, indent=1))
    versions = ", ".join(f"{name} {version}" for name, version in peers.versions().items())
    said = (
        f"{about.get('gpu') or device}; torch {about.get('torch')}, {versions}. d_in {sizes.d_in}, d_sae "
        f"{sizes.d_sae}, k {sizes.k}; medians of {sizes.rounds} blocks of {sizes.steps} steps, arms in turns."
    )
    lines = [analysis(sizes, setting, results) for setting, results in found.items()]
    return "\n\n".join([said, *([remark] if remark else []), markdown(HEADS, rows(sizes, found)), "\n".join(lines)])


def start(device: str, rounds: int) -> str:
    """From a training's start to its first step in the sandbox, on the GPU that the runner hands in."""
    sys.path.append(str(peers.folder()))  # what the runner needs and a bare Python lacks may lie there as well
    os.environ["PYTHONPATH"] = str(peers.folder())  # for the process that makes the data; a sandbox does not see it
    try:
        from tests.suites.bench import speed

        return speed.first_step(rounds, device)
    except (Exception, SystemExit) as error:  # a machine that is lent may lack the runner's environment or bubblewrap
        said = str(error).strip().splitlines() or [""]
        return f"Not measured: {type(error).__name__}: {' ... '.join(dict.fromkeys((said[0], said[-1])))}"
