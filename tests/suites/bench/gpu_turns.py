"""Turns of an arm of speed-gpu: its training loop sleeps between them, where it asks for its next batch.

So what is timed is a package's own loop, over rows that lie on the device. A command is a setting (sizes, batch,
precision, device) or a turn (how many steps, and whether to profile); each turn is answered.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.suites.bench.gpu_work import Sizes

LISTED = 6  # kernels of a profile

Command = dict[str, Any]
Say = Callable[[Command], None]


class Turns:
    """Batches for a training loop, block after block: iterating ends when a turn of no steps comes."""

    def __init__(self, rows: Tensor, commands: Iterator[Command], say: Say) -> None:
        self.rows, self._commands, self._say = rows, commands, say
        self._cuda = rows.device.type == "cuda"

    def __iter__(self) -> Iterator[Tensor]:
        for command in self._commands:
            steps = command["steps"]
            if not steps:
                return
            with self._profiler() if command.get("profile") else contextlib.nullcontext() as profiler:
                self._wait()
                if self._cuda:
                    torch.cuda.reset_peak_memory_stats()
                started = time.perf_counter()
                yield from itertools.islice(itertools.cycle(self.rows), steps)
                self._wait()
                seconds = time.perf_counter() - started
            peak = (torch.cuda.max_memory_allocated() - self.rows.nbytes) / 1e9 if self._cuda else None
            kernels = self._kernels(profiler, steps) if profiler else []
            self._say({"seconds": seconds / steps, "peak_gb": peak, "kernels": kernels})

    def _wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()

    def _profiler(self) -> torch.profiler.profile:
        kinds = torch.profiler.ProfilerActivity
        return torch.profiler.profile(activities=[kinds.CPU, *([kinds.CUDA] if self._cuda else [])])

    def _kernels(self, profiler: torch.profiler.profile, steps: int) -> list[tuple[str, float]]:
        """Names and milliseconds a step of what took longest; on a GPU its kernels, else the operators."""
        found = profiler.key_averages()
        if self._cuda:
            took = [(e.key, e.self_device_time_total) for e in found if "CUDA" in str(e.device_type)]
        else:
            took = [(e.key, e.self_cpu_time_total) for e in found]
        return [(name, us / 1e3 / steps) for name, us in sorted(took, key=lambda one: -one[1])[:LISTED]]


@dataclass
class Task:
    """What an arm gets. `turns` gives batches [batch, d_in], float32."""

    sizes: Sizes
    batch: int
    half: bool  # bfloat16 autocast, as each package does it; parameters are float32 in any case
    device: str
    turns: Turns

    def autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half)


def serve(arm: Callable[[Task], None], commands: Iterator[Command], say: Say) -> None:
    """Settings and their turns, until there are no more; a failure is the answer to the turn that it came in."""
    for command in commands:
        if "sizes" not in command:
            continue  # a turn for an arm that has failed in this setting
        device = command["device"]
        sizes = Sizes(**{**command["sizes"], "batches": tuple(command["sizes"]["batches"])})
        torch.manual_seed(0)
        try:
            rows = torch.randn(sizes.pool, command["batch"], sizes.d_in, device=device)
            arm(Task(sizes, command["batch"], command["precision"] == "bf16", device, Turns(rows, commands, say)))
        except Exception as error:  # whatever a package raises is a line of the table
            said = " ".join(str(error).split())
            say({"failed": f"{type(error).__name__}: {said[:160]}"})
        rows = None
        gc.collect()
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
