"""Options for Slurm's sbatch as a person types them: `partition=gpu,gres=gpu:1,mem=32G`. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[a-z][a-z-]*")
# Options of sbatch that the runner sets itself, each with the reason or with what a person can use instead.
OWN = {
    "array": "--slots bounds how many trainings run at once",
    "chdir": "jobs run in the checkout",
    "error": "logs lie in the job's folder",
    "export": "keys must not reach the nodes",
    "export-file": "keys must not reach the nodes",
    "job-name": "the runner finds its jobs by it",
    "nodes": "a training takes one node",
    "ntasks": "a training is one task",
    "ntasks-per-node": "a training is one task",
    "no-requeue": "a preempted training is started again",
    "open-mode": "a requeued task appends to its log",
    "output": "logs lie in the job's folder",
    "requeue": "it is always asked for",
    "signal": "the runner needs it to hear of a time limit",
    "wait": "the runner waits by itself",
    "wrap": "the runner writes the script",
}


def parse(text: str) -> dict[str, str]:
    """The options in a text, by their long names.

    A comma that no `name=` follows belongs to the value: `gres=gpu:1,nvme:1,mem=4G` sets two options.

    Raises:
        ValueError: something in it is not an option that a person may set; the message is for that person.
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
    """Check options, given by their long names.

    Raises:
        ValueError: a name is no option of sbatch, the runner sets it itself, or a value is not one printable line.
    """
    for name, value in asked.items():
        if name in OWN:
            raise ValueError(f"{name} is not yours to set: {OWN[name]}")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no long option of sbatch, such as partition or cpus-per-task")
        if not value or not value.isprintable():
            raise ValueError(f"{name} needs a value in one line, such as {name}=...")


def text(asked: Mapping[str, str]) -> str:
    """The options as a person types them."""
    return ",".join(f"{name}={value}" for name, value in asked.items())


def wants_gpu(asked: Mapping[str, str]) -> bool:
    """Whether these options make Slurm give a task a GPU."""
    return "gpu" in asked.get("gres", "") or any(name.startswith("gpus") for name in asked)
