"""What a record says of the machine and the files of a job: the device, package versions, and sha256 hashes.

Hashed are the trained code, the data, and the protected files (those that a model may not edit).
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.record import Environment, Job
from agent.core.template import load_template
from agent.lab.built import data_hashes, file_sha256, recorded_hashes
from agent.lab.worlds import package_version

MAX_PACKAGES = 40  # a record lists all packages of an environment that has at most so many
PACKAGES = ("numpy", "scipy", "torch", "safetensors", "sae-lens")


def job_facts(job: Job) -> tuple[str, dict[str, str], dict[str, str]]:
    """The device in words, versions by package, and sha256 by file name, for the record of a job.

    Raises:
        InfrastructureError: a data file is not the one that was prepared.
    """
    versions = {"python": platform.python_version(), **{name: package_version(name) for name in PACKAGES}}
    if job.environment:
        versions |= _foreign(job.environment)
    if job.saebench:
        there = job.saebench.environment
        versions |= {"sae-bench": there.packages["sae-bench"], "sae-bench: environment": there.key}
    return device_in_words(job.device), versions, {**_code_hashes(job), **_data_hashes(job)}


def _foreign(environment: Environment) -> dict[str, str]:
    """The versions of a template's own environment; of a large one only those of PACKAGES."""
    named = environment.packages
    if len(named) > MAX_PACKAGES:
        named = {name: version for name, version in named.items() if name in PACKAGES}
    return {
        "environment": environment.key,
        "environment: python": environment.version,
        **{f"environment: {name}": version for name, version in sorted(named.items())},
    }


def device_in_words(device: str) -> str:
    """A device with its model, e.g. "cpu: AMD EPYC 7B13, 2 cores" or "cuda: NVIDIA H200"."""
    if device.startswith("cuda"):
        return f"{device}: {_gpu_name(device)}"
    return f"{device}: {_cpu_name()}, {len(os.sched_getaffinity(0))} cores"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _gpu_name(device: str) -> str:
    number = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")  # numbers or UUIDs; nvidia-smi takes both
    index = visible[number] if number < len(visible) and visible[number] else str(number)
    try:
        asked = subprocess.run(
            ["nvidia-smi", f"--id={index}", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown GPU"
    return asked.stdout.strip() or "unknown GPU"


def _code_hashes(job: Job) -> dict[str, str]:
    """sha256 of the trained script, of what it may import, and of every protected file."""
    template = load_template(Path(job.template))
    manifest = template.manifest
    library = Path(job.code, manifest.library).glob("*.py") if manifest.library else ()
    names = dict.fromkeys([*manifest.editable, job.script, *sorted(f"{manifest.library}/{p.name}" for p in library)])
    code = [name for name in names if Path(job.code, name).is_file()]
    protected = dict.fromkeys([*manifest.protected, *manifest.assets, "manifest.toml"])
    return {f"code/{name}": file_sha256(Path(job.code, name)) for name in code} | {
        f"protected/{name}": file_sha256(template.path(name)) for name in protected
    }


def _data_hashes(job: Job) -> dict[str, str]:
    """sha256 of every data file as it is now, compared with the hash that was recorded when it was built."""
    hashes: dict[str, str] = {}
    for number, folder in enumerate(job.data_folders, start=1):
        where = "data" if number == 1 else f"data/world-{number}"
        hashes |= {f"{where}/{name}": digest for name, digest in _world_hashes(folder).items()}
    return hashes


def _world_hashes(world: Path) -> dict[str, str]:
    now = data_hashes(world)
    built = recorded_hashes(world)
    for name in sorted(now.keys() | built.keys()):
        if now.get(name) != built.get(name):
            raise InfrastructureError(
                f"{world / name}: not the file that was prepared; remove {world} and it is built again"
            )
    return now
