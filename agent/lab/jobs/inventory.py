"""What this machine has for trainings: its cores and its GPUs, and how much of them one training takes."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.record import Job
from agent.lab.jobs.places import Places, Pool, folder

PARTS = 8  # a GPU's memory is shared in eighths
SMI_S = 30.0
ALL = "all"


@dataclass(frozen=True)
class Gpu:
    """One GPU, named as CUDA_VISIBLE_DEVICES names it."""

    name: str
    memory_mb: int = 0  # 0: not known


@dataclass(frozen=True)
class Inventory:
    """The cores that this process may use, and the GPUs that are to be seen."""

    cores: tuple[int, ...]
    gpus: tuple[Gpu, ...] = ()


Inventoried = Callable[[bool], Inventory]  # whether GPUs are looked for as well


def of_this_machine(gpus: bool) -> Inventory:
    """Cores by the process's affinity, GPUs as the driver lists them."""
    found = seen(_listed(), os.environ.get("CUDA_VISIBLE_DEVICES")) if gpus else ()
    return Inventory(tuple(sorted(os.sched_getaffinity(0))), found)


def places_of(job: Job, there: Inventory, gpus: str = ALL, gpu_gb: float = 0.0, where: Path | None = None) -> Places:
    """What a training of the job needs: a core for each of its threads, or its part of the memory of one GPU.

    `gpus`: those that the session may use, "all" or "0,1,3". `gpu_gb`: what one training takes; 0: all of a GPU.
    """
    lies = str(where or folder())
    if not job.device.startswith("cuda"):
        names = tuple(f"core-{number}" for number in there.cores)
        return Places(folder=lies, pools=(Pool(name="core", places=names, wanted=min(job.threads, len(names))),))
    chosen = allowed(there.gpus, gpus) or (Gpu("0"),)  # a driver that lists nothing: CUDA finds out
    pinned = job.device.partition(":")[2]  # of older sessions
    pools = [_of_gpu(gpu, gpu_gb, hidden=bool(pinned)) for gpu in chosen if pinned in ("", gpu.name)]
    return Places(folder=lies, pools=tuple(pools or [_of_gpu(Gpu(pinned), 0.0, hidden=True)]))


def allowed(there: Sequence[Gpu], gpus: str) -> tuple[Gpu, ...]:
    """Those GPUs that `gpus` names."""
    return tuple(gpu for gpu in there if gpus == ALL or gpu.name in gpus.split(","))


def _of_gpu(gpu: Gpu, gpu_gb: float, *, hidden: bool) -> Pool:
    part = 1000 * gpu_gb / gpu.memory_mb if gpu.memory_mb and gpu_gb else 1.0
    names = tuple(f"gpu-{gpu.name}.{number}" for number in range(PARTS))
    wanted = min(PARTS, max(1, math.ceil(PARTS * part)))
    return Pool(name=f"gpu-{gpu.name}", places=names, wanted=wanted, visible="" if hidden else gpu.name)


def seen(listed: Mapping[str, Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """GPUs of the driver's list (by their numbers and by their UUIDs), or those alone that a variable lets be seen."""
    if visible is None:
        return tuple(dict.fromkeys(listed.values()))
    entries = [entry.strip() for entry in visible.split(",") if entry.strip()]
    return tuple(listed.get(entry, Gpu(entry)) for entry in entries)


def _listed() -> dict[str, Gpu]:
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SMI_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return read_list(done.stdout)


def read_list(text: str) -> dict[str, Gpu]:
    """What nvidia-smi printed; lines of another form are left out."""
    found: dict[str, Gpu] = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and parts[0].isdecimal():
            gpu = Gpu(parts[0], int(parts[2]) if parts[2].isdecimal() else 0)
            found |= {parts[0]: gpu, parts[1]: gpu}
    return found


def gpu_count(gpus: str) -> int:
    """How many GPUs a session may use, at least 1. Asked of the driver's device files, which takes no time."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if gpus != ALL:
        return len(gpus.split(","))
    if visible is not None:
        return max(1, len(seen({}, visible)))
    return max(1, sum(path.name[len("nvidia") :].isdecimal() for path in Path("/dev").glob("nvidia[0-9]*")))
