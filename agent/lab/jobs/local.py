"""Trainings on this machine, each job owned by a detached supervisor that outlives the loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard

from agent.core.errors import InfrastructureError
from agent.core.protocols import Progress
from agent.core.record import Job, JobResult
from agent.lab.jobs.inventory import ALL, Inventoried, of_this_machine, places_of
from agent.lab.jobs.paths import JobPaths, Supervisor
from agent.lab.jobs.places import Places
from agent.lab.saebench.environment import variables
from agent.sandbox.harvest import Unharvestable, read_tail
from agent.sandbox.limits import FREE_FLOOR_MB, free_mb, no_room, start_ticks, stopped
from agent.storage.atomic import write_text
from agent.storage.locks import is_locked, try_lock

PROJECT = Path(__file__).resolve().parents[3]
START_S = 60.0
MOST_NAMED = 20  # processes in a line
TRAINED = 0.9  # share of a training in its part of the bar; the rest is its measuring
LARGEST = 1e18  # of steps or samples that a log may speak of
# Measuring needs no key: what the supervisor and all below it see of our environment.
ENVIRONMENT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "PYTHONDONTWRITEBYTECODE",
)


class LocalRunner:
    """Implements protocols.Runner."""

    def __init__(
        self,
        measure: str = "agent.lab.measuring.measure",
        environment: Iterable[str] = ENVIRONMENT,
        *,
        gpus: str = ALL,
        gpu_gb: float = 0.0,
        inventory: Inventoried = of_this_machine,
    ) -> None:
        """`gpus` may be used, and a training takes `gpu_gb` of one; 0 where that is not known."""
        self._measure, self._environment = measure, tuple(environment)
        self._gpus, self._gpu_gb, self._inventory = gpus, gpu_gb, inventory

    def submit(self, job: Job) -> None:
        """Start the job's supervisor unless the job runs or is done. A lost job goes on where it stopped.

        The lock is taken here and handed over, so that it is held without a gap and by one supervisor only.

        Raises:
            InfrastructureError: the disk is nearly full, or the supervisor does not start.
        """
        paths = JobPaths.of(job)
        paths.root.mkdir(parents=True, exist_ok=True)
        lock = None if paths.result.exists() else try_lock(paths.lock)
        if lock is None:
            return
        try:
            if paths.result.exists():  # finished between the two looks
                return
            if free_mb(paths.root) < FREE_FLOOR_MB:
                raise InfrastructureError(no_room(paths.root))
            text = job.model_dump_json(indent=1) + "\n"
            if not paths.job.exists() or paths.job.read_text() != text:
                write_text(paths.job, text)
            self._start(paths, lock)
        finally:
            os.close(lock)

    def state(self, job: Job) -> Literal["unknown", "running", "finished", "lost"]:
        paths = JobPaths.of(job)
        if paths.result.exists():
            return "finished"
        if is_locked(paths.lock):
            return "running"
        if paths.result.exists():  # written between the two looks
            return "finished"
        return "lost" if paths.job.exists() else "unknown"

    def progress(self, job: Job) -> Progress:
        from agent.lab.measuring.scratch import TrainingPaths

        paths = JobPaths.of(job)
        keys = [(seed, c.name) for c in job.conditions for seed in job.seeds]
        left = [key for key in keys if not paths.training(*key).exists()]
        parts, first, measuring = 0.0, _Curve(), False
        for seed, condition in left:
            training = TrainingPaths.of(job, seed, condition)
            if training.kept.exists():  # it has come to its end, and its log was moved here
                parts, measuring = parts + TRAINED, True
                continue
            curve = _read_curve(training.live_log, job.settings.get("samples"))
            parts += TRAINED * curve.part
            first = first if first.said else curve
        done = len(keys) - len(left)
        return Progress(
            done=done,
            total=len(keys),
            fraction=min(1.0, (done + parts) / len(keys)),
            phase="measuring" if measuring and not first.said else "training",
            step=first.step,
            steps=first.steps,
            loss=first.loss,
            stuck=_stuck(paths),
            waiting=_waiting(paths),
        )

    def result(self, job: Job) -> JobResult:
        """
        Raises:
            InfrastructureError: there is none, it is damaged, or it is another job's.
        """
        paths = JobPaths.of(job)
        result = paths.read_result()
        if result.key != job.key:
            raise InfrastructureError(f"{paths.result}: belongs to job {result.key}, not to {job.key}")
        return result

    def cancel(self, job: Job) -> None:
        """Ask for the end. The request is a file, so that it also holds for a supervisor started later."""
        paths = JobPaths.of(job)
        if not paths.job.exists() or paths.result.exists():
            return
        write_text(paths.cancel, "cancel\n")
        try:
            owner = Supervisor.model_validate_json(paths.supervisor.read_bytes())
            handle = os.pidfd_open(owner.pid)
        except (OSError, ValueError):
            return
        try:
            if is_locked(paths.lock) and start_ticks(owner.pid) == owner.start:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                signal.pidfd_send_signal(handle, signal.SIGCONT)  # one that is stopped hears nothing else
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def _places(self, job: Job) -> Places:
        there = self._inventory(job.device.startswith("cuda"))
        return places_of(job, there, self._gpus, self._gpu_gb)

    def _start(self, paths: JobPaths, lock: int) -> None:
        bench = paths.read_job().saebench
        names = {*self._environment, *variables(bench.asked if bench else None)}
        environment = {name: os.environ[name] for name in names if name in os.environ}
        command = [
            sys.executable,
            "-m",
            "agent.lab.jobs.supervisor",
            str(paths.root),
            "--lock",
            str(lock),
            "--measure",
            self._measure,
            "--places",
            self._places(paths.read_job()).model_dump_json(),
        ]
        try:  # the process we start forks the supervisor and ends at once
            subprocess.run(
                command,
                cwd=PROJECT,
                env=environment,
                pass_fds=[lock],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=START_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise InfrastructureError(f"{paths.root}: its supervisor did not start: {error.stderr}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InfrastructureError(f"{paths.root}: its supervisor did not start: {error}") from None


def _waiting(paths: JobPaths) -> str:
    try:
        return paths.waiting.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _stuck(paths: JobPaths) -> str:
    """Processes of a running job that somebody stopped, and how they go on."""
    try:
        owner = Supervisor.model_validate_json(paths.supervisor.read_bytes())
    except (OSError, ValueError):
        return ""
    found = stopped(owner.pid) if start_ticks(owner.pid) == owner.start else []
    if not found:
        return ""
    who = "its supervisor" if owner.pid in found else "what trains or measures it"
    pids = " ".join(map(str, found[:MOST_NAMED]))
    return f"{who} is stopped (process {pids}); let it go on with: kill -CONT {pids}"


@dataclass(frozen=True)
class _Curve:
    """What the last line of a running training's log says."""

    said: bool = False  # there is such a line
    step: float = 0.0
    steps: float = 0.0
    loss: float | None = None

    @property
    def part(self) -> float:
        """How far the training is, 0 to 1."""
        return min(1.0, max(0.0, self.step / self.steps)) if self.steps > 0 else 0.0


def _read_curve(log: Path, samples: object) -> _Curve:
    """The end of a log that may say anything, because untrusted code writes it."""
    try:
        text = read_tail(log.parent, log.name, 4096).decode("utf-8", "replace")
        last = text.rpartition("\n")[0].rpartition("\n")[2]  # the last line that is whole
        said = json.loads(last)
    except (Unharvestable, OSError, ValueError, RecursionError):
        return _Curve()
    if not isinstance(said, dict):
        return _Curve()
    pairs = ((said.get("step"), said.get("steps")), (said.get("samples"), samples))
    known = ((float(done), float(total)) for done, total in pairs if _number(done) and _number(total) and total > 0)
    step, steps = next(known, (0.0, 0.0))
    loss = said.get("loss")
    return _Curve(True, max(0.0, step), steps, float(loss) if _number(loss) else None)


def _number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST  # false for NaN; integers beyond every float compare as well
