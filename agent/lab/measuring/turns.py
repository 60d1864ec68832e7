"""Lets measurements wait for each other, because each may load a language model into memory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from agent.lab.measuring.bench import Bench
from agent.lab.measuring.verdict import Stopped

WAIT_S = 0.5


def of_gpu(bench: Bench) -> AbstractContextManager[None]:
    """On one GPU, one training of the job is measured at a time, whatever the slots; on the CPU nobody waits."""
    if not bench.job.device.startswith("cuda") or bench.job.slots == 1:
        return nullcontext()
    visible = re.sub(r"[^\w-]", "", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return turn(Path(bench.job.folder) / f"measuring{visible}.lock", bench.cancelled)


@contextmanager
def turn(lock: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Wait for a lock on this machine, and hold it in a `with` block.

    Raises:
        Stopped: the measurement was cancelled while it waited.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    while True:
        if cancelled():
            raise Stopped("cancelled", "cancelled", "the measurement was cancelled")
        try:
            held.acquire(timeout=0)
            break
        except Timeout:
            time.sleep(WAIT_S)
    try:
        yield
    finally:
        held.release()
