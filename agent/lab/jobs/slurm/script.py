"""The batch script of a job's array. Pure: the same job and the same wishes give the same text."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.manifest import Limits
from agent.core.record import Job

WARNING_S = 90  # before the time limit: a task ends its sandbox and asks to be queued again
RESERVE_MIN = 5  # of the time limit, for Python's start and a slow file system
MEASURING_MB = 2048  # of the process that decodes and scores, outside the sandbox
# What submitit names as arguments of its own; any other option of sbatch goes through as it is.
_NAMED = (
    *("partition", "time", "cpus_per_task", "cpus_per_gpu", "gpus_per_node", "gpus_per_task", "qos", "mem"),
    *("mem_per_gpu", "mem_per_cpu", "constraint", "exclude", "account", "gres", "mail_type", "mail_user", "nodelist"),
    *("dependency", "comment", "wckey"),
)
_SAME = (
    ("mem", "mem-per-cpu", "mem-per-gpu"),
    ("gres", "gpus", "gpus-per-node", "gpus-per-task"),
    ("cpus-per-task", "cpus-per-gpu"),
)


@dataclass(frozen=True)
class Batch:
    """All that the script says."""

    name: str
    folder: Path  # for the script's logs
    command: tuple[str, ...]  # run once for each index, from `project`
    project: Path
    indices: Sequence[int] = ()  # of the array; none: one job alone
    side_by_side: int = 1  # tasks of the array at once
    asked: Mapping[str, str] | None = None  # by the person, with `defaults` below them


def batch_script(batch: Batch) -> str:
    """The text for sbatch, as submitit writes it.

    submitit's own command would unpickle a function from a file that it moves to its place after the submission, so
    that a kill in between strands the job. Ours reads job.json, which lies there before.
    """
    from submitit.slurm.slurm import _make_sbatch_string

    asked = {name.replace("-", "_"): value for name, value in (batch.asked or {}).items()}
    named: dict[str, Any] = {name: asked.pop(name) for name in _NAMED if name in asked}
    warning = f"B:USR2@{WARNING_S}"  # to the task's own process, and not to what runs in its sandbox
    more: dict[str, Any] = {**asked, "chdir": str(batch.project), "requeue": True, "signal": warning}
    if batch.indices:
        more["array"] = f"{ranges(batch.indices)}%{max(1, min(len(batch.indices), batch.side_by_side))}"
    return _make_sbatch_string(
        command=f"exec {shlex.join(batch.command)}",
        folder=batch.folder,
        job_name=batch.name,
        stderr_to_stdout=True,
        use_srun=False,
        map_count=len(batch.indices) or None,  # names the logs by array and index
        additional_parameters=more,
        **{"wckey": None, **named},
    )


def ranges(indices: Sequence[int]) -> str:
    """Indices as sbatch takes them: "0-3,7"."""
    found: list[list[int]] = []
    for index in sorted(indices):
        if found and index == found[-1][1] + 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def defaults(job: Job, seconds: float) -> dict[str, str]:
    """What a training takes by its own limits, for whoever asks for nothing else; `seconds` is its longest time."""
    return wishes(job.limits, job.evaluate_limits, job.threads, job.device, seconds)


def wishes(limits: Limits, evaluate: Limits, threads: int, device: str, seconds: float) -> dict[str, str]:
    """The same, before there is a job."""
    memory = max(limits.memory_mb, evaluate.memory_mb) + MEASURING_MB
    minutes = math.ceil((seconds + WARNING_S) / 60) + RESERVE_MIN
    found = {"cpus-per-task": str(threads), "mem": f"{math.ceil(memory)}M", "time": str(minutes)}
    return found | ({"gres": "gpu:1"} if device.startswith("cuda") else {})


def merged(default: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """The person's wishes over the defaults; one that says a thing in another way takes its default away."""
    said = {name for names in _SAME if any(name in asked for name in names) for name in names}
    return {**{name: value for name, value in default.items() if name not in said}, **asked}
