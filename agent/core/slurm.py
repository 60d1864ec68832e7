"""What a person asks of Slurm: `partition=gpu,gres=gpu:1,mem=32G` as a dictionary. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[a-z][a-z-]*")
# Options of sbatch that the runner sets itself, and what a person uses in their place.
OWN = {
    "array": "--slots bounds how many trainings run at once",
    "chdir": "jobs run in the checkout",
    "error": "logs lie in the job's folder",
    "export": "keys must not reach the nodes",
    "export-file": "keys must not reach the nodes",
    "job-name": "by it the runner finds its jobs again",
    "nodes": "a training takes one node",
    "ntasks": "a training is one task",
    "ntasks-per-node": "a training is one task",
    "no-requeue": "a preempted training is started again",
    "open-mode": "a requeued task appends to its log",
    "output": "logs lie in the job's folder",
    "requeue": "it is always asked for",
    "signal": "by it the runner hears of a time limit",
    "wait": "the runner waits by itself",
    "wrap": "the runner writes the script",
}


def parse(text: str) -> dict[str, str]:
    """The options of sbatch in a text, by their long names.

    A comma belongs to the value where no `name=` follows it: `gres=gpu:1,nvme:1,mem=4G` asks for two things.

    Raises:
        ValueError: something in it is no option that a person may set; the message is for that person.
    """
    found: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and _NAME.fullmatch(key.strip().replace("_", "-")):
            name = key.strip().replace("_", "-")
            if name in found:
                raise ValueError(f"{name} is named twice; name each once")
            found[name] = value.strip()
        elif name:
            found[name] += f",{part.strip()}"
        else:
            raise ValueError(f"give options of sbatch as name=value with commas between, found {part[:40]!r}")
    check(found)
    return found


def check(asked: Mapping[str, str]) -> None:
    """
    Raises:
        ValueError: a name is no option of sbatch, or one that the runner sets itself, or a value cannot be written.
    """
    for name, value in asked.items():
        if name in OWN:
            raise ValueError(f"{name} is not yours to set: {OWN[name]}")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no long option of sbatch, such as partition or cpus-per-task")
        if not value or not value.isprintable():
            raise ValueError(f"{name} needs a value in one line, such as {name}=...")


def text(asked: Mapping[str, str]) -> str:
    """As a person types it."""
    return ",".join(f"{name}={value}" for name, value in asked.items())


def wants_gpu(asked: Mapping[str, str]) -> bool:
    """Whether a task gets a GPU of Slurm."""
    return "gpu" in asked.get("gres", "") or any(name.startswith("gpus") for name in asked)
