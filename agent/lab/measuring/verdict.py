"""The account of a training, and the reasons why it has no metrics: how its process ended, or a wrong number.

Not here: the measuring itself (dictionary.py, outputs.py), and checks across trainings (integrity).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.core.errors import InfrastructureError
from agent.core.metrics import MetricSpec
from agent.core.record import Finding, RunKind, Statistic
from agent.core.sandboxing import Exit
from agent.lab.measuring.channel import BadAnswer, Ended
from agent.sandbox import harvest

MAX_DETAIL = 1500  # characters
BUSY = 0.1  # share of its time that a process computes at least, where it has a core


@dataclass
class Stopped(Exception):
    """Ends the measuring; the fields become those of the Training."""

    outcome: Literal["failed", "refused", "cancelled"]
    reason: str  # a stable code
    detail: str


class EvaluationFault(InfrastructureError):
    """The template's evaluation is at fault, not the model: it makes a call that no model can answer, or fails."""


@dataclass
class Account:
    """What is known about a training so far; it is reported even if a later stage fails. Fields as in Training."""

    end: Exit | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    diagnostics: dict[str, float] = field(default_factory=dict)
    statistics: dict[str, Statistic] = field(default_factory=dict)
    undefined: tuple[str, ...] = ()
    declared: dict[str, float] = field(default_factory=dict)
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    artefact_sha256: str | None = None
    artefact_facts: dict[str, float] = field(default_factory=dict)
    export: str = ""
    findings: list[Finding] = field(default_factory=list)

    def note(self, code: str, text: str) -> None:
        self.findings.append(Finding(code=code, grade="note", text=text))

    def judge(self, finding: Finding) -> None:
        """Raise Stopped for a refusal; add any other finding to the account."""
        if finding.grade == "refuse":
            raise Stopped("refused", finding.code, finding.text)
        self.findings.append(finding)

    def stop(self, stop: Stopped, kind: RunKind) -> None:
        """End a training for this reason.

        A baseline's training goes on to keep its metrics, which the check of a template needs; it gets a finding that
        refuses it.

        Raises:
            Stopped: the training is not a baseline's.
        """
        if kind != "baseline":
            raise stop
        self.findings.append(Finding(code=stop.reason, grade="refuse", text=stop.detail))


def training_ended(end: Exit, stderr: Path) -> Stopped:
    """Why a training did not end well, in words for the agent; `stderr` is the file with its standard error."""
    if end.reason == "cancelled":
        return Stopped("cancelled", "cancelled", "the training was cancelled")
    text = harvest.read_text(stderr)
    said = harvest.tail(text, MAX_DETAIL - 300)
    if end.reason in ("exit", "signal") and (short := out_of_memory(text)):
        return Stopped("failed", short, f"{_SHORT[short]}; {_how(end)}\n{said}".strip())
    return Stopped("failed", end.reason, f"{_how(end)}\n{said}".strip())


def call_ended(end: Exit, stderr: Path, calls: str) -> Stopped:
    """Why a box ended before its last answer, in words for the agent; `calls` names the methods called in it."""
    if end.reason == "cancelled":
        return Stopped("cancelled", "cancelled", "the measurement was cancelled")
    whole = harvest.read_text(stderr)
    said = harvest.tail(whole, MAX_DETAIL - 400)
    if end.reason in ("exit", "signal") and (short := out_of_memory(whole)):
        said = f"{_SHORT[short]}\n{said}"
    text = f"{calls} did not come through; {_how(end)}\n{said}".strip()
    return Stopped("failed", "encode", text)


_SHORT = {
    "gpu-memory": "the GPU ran out of memory: use a smaller batch or dictionary, keep no tensors of earlier steps, "
    "or compute in parts",
    "memory": "the process asked for more memory than it may have: use smaller batches or arrays, or compute in parts",
}
_GPU_SHORT = re.compile(
    r"OutOfMemoryError|(?:CUDA|HIP|XPU|MPS backend) out of memory|CUDA error: out of memory|"
    r"cudaErrorMemoryAllocation|(?:CUBLAS|CUDNN|CUSPARSE|CUSOLVER)_STATUS_ALLOC_FAILED|"
    r"RESOURCE_EXHAUSTED: Out of memory"
)
_HOST_SHORT = re.compile(
    r"^(?:[\w.]*_ArrayMemoryError|MemoryError|OSError: \[Errno 12\])|"
    r"DefaultCPUAllocator: can't allocate memory|^std::bad_alloc|terminate called .*bad_alloc"
)
_LAST = 40  # lines of stderr among which an exception's own line is looked for


def out_of_memory(stderr: str) -> str:
    """Returns "gpu-memory" or "memory" if the last exception in stderr was out-of-memory, else "".

    An out-of-memory error before another exception was caught, and did not end the process.
    """
    lines = [line for line in stderr.splitlines()[-_LAST:] if line[:1].strip()]  # an exception's line is not indented
    for line in reversed(lines):
        if _GPU_SHORT.search(line):
            return "gpu-memory"
        if _HOST_SHORT.search(line):
            return "memory"
        if re.match(r"[\w.]*(?:Error|Exception|Interrupt|Exit)\b", line):
            return ""
    return ""


def _starved(end: Exit) -> str:
    """A remark on a process that hardly computed in its time; "" for another."""
    if end.cpu_s > BUSY * end.wall_s:
        return ""
    return f", of which it computed {end.cpu_s:.0f} s: the machine was busy, or the code waits for something"


def _how(end: Exit) -> str:
    """How a process ended, in one line."""
    return {
        "ok": "the process ended before it had answered",
        "exit": f"the process exited with status {end.code}",
        "signal": f"the process was ended by signal {end.code - 128}",
        "timeout": f"stopped at the time limit after {end.wall_s:.0f} s{_starved(end)}",
        "memory": f"stopped at the memory limit with {end.peak_memory_mb:.0f} MB",
        "host-memory": "killed by the kernel because this machine ran out of memory, before the training's own limit "
        f"was reached; it used {end.peak_memory_mb:.0f} MB: use less",
        "disk": "stopped at the limit for files written",
        "files": "stopped at the limit for the number of files",
        "output": "stopped because it printed more than the limit",
    }[end.reason]


def evaluate_into(account: Account, evaluate: Callable[[], dict[str, float]], specs: Mapping[str, MetricSpec]) -> None:
    """Evaluate into the account; an exception that the evaluation raises is blamed on the artefact.

    Raises:
        Stopped: the evaluation failed, or a metric is missing or impossible.
        EvaluationFault: the evaluation made a call that no model could answer.
        BadAnswer, Ended: the model in its box did not answer (box.started turns them into Stopped).
    """
    try:
        account.metrics = {name: float(value) for name, value in evaluate().items()}
    except (Stopped, EvaluationFault, BadAnswer, Ended):
        raise
    except Exception as error:
        text = f"the evaluation could not measure this artefact: {error!r}"
        raise Stopped("refused", "evaluate", text) from error
    check_metrics(account.metrics, specs)


def check_metrics(metrics: dict[str, float], specs: Mapping[str, MetricSpec]) -> None:
    """Check that every specified metric is there, finite and possible, and remove all others.

    Raises:
        Stopped: one is not.
    """
    for name, spec in specs.items():
        if name not in metrics:
            raise Stopped("refused", "missing-metric", f"there is no value for the metric {name}")
        value = metrics[name]
        if not math.isfinite(value):
            raise Stopped("refused", "metric-not-finite", f"the metric {name} is NaN or infinite")
        if (spec.low is not None and value < spec.low) or (spec.high is not None and value > spec.high):
            raise Stopped(
                "refused",
                "impossible-value",
                f"the metric {name} is outside its possible range {_range(spec.low, spec.high)}",
            )
    for name in metrics.keys() - specs.keys():
        del metrics[name]


def _range(low: float | None, high: float | None) -> str:
    return f"[{'-inf' if low is None else f'{low:g}'}, {'inf' if high is None else f'{high:g}'}]"
