"""Owns one job from its first training to its result: `python -m agent.lab.jobs.supervisor JOB_FOLDER`.

Detached from the loop, and small: what may crash runs in agent.lab.jobs.worker, one process for each training. The
lock it holds all its life says that the job runs; the result appears at once and whole, by a rename.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.core.record import Job, JobResult, Training
from agent.lab.jobs.paths import LOST, JobFacts, JobPaths, Supervisor, take_over
from agent.lab.measuring import checkpoints
from agent.lab.measuring.scratch import remove
from agent.sandbox.limits import start_ticks
from agent.storage.atomic import write_text
from agent.storage.cache import held
from agent.storage.locks import still_names, try_lock

PROJECT = Path(__file__).resolve().parents[3]
POLL_S = 0.05
STOP_S = 20.0  # a worker's time to end its sandbox after SIGTERM
FACTS_S = 300.0
SLACK_S = 300.0  # on top of a training's own limits: reading, decoding, evaluating
SANDBOXED_STAGES = 4  # after the training: encode, encode again, and a decoder's own two
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
KILLED = "killed"  # reason of a training whose measuring process somebody else ended
Key = tuple[int, str]  # seed, condition


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    started: float
    deadline: float
    why: str = ""  # reason code once it was told to stop


class _Moved(Exception):
    """The job's folder is not where it was."""


class Supervision:
    """The trainings of one job. Everything durable lies in the job's folder, so that a new one can go on."""

    def __init__(self, job: Job, paths: JobPaths, module: str, lock: int) -> None:
        self._job, self._paths, self._module, self._lock = job, paths, module, lock
        self._keys: list[Key] = [(seed, c.name) for c in job.conditions for seed in job.seeds]
        self._done: dict[Key, Training] = {}
        self._running: dict[Key | None, _Running] = {}  # None: the facts
        self._stopping = False
        self._no_facts = "supervisor", "they were not written"
        self.cancelled = False

    def run(self) -> JobResult | None:
        """All trainings to their end. What goes wrong is a result as well; None where nobody is there to get one."""
        started_at, began = time.time(), time.monotonic()
        try:
            started_at = _claim(self._paths)
            self._train_all()
        except _Moved:
            print(f"{self._paths.root}: was moved or removed; its trainings end here", file=sys.stderr, flush=True)
            return None
        except Exception:
            text = traceback.format_exc()
            print(text, file=sys.stderr, flush=True)
            for key in self._keys:
                update = {"outcome": "failed", "detail": text[-2000:]}
                lost = _not_run(key, "supervisor").model_copy(update=update)
                self._done.setdefault(key, lost)
        finally:
            for running in self._running.values():
                running.process.kill()
            for running in self._running.values():
                running.process.wait()
        return self._result(started_at, time.monotonic() - began)

    def _train_all(self) -> None:
        for key in self._keys:
            if (stored := self._paths.read_training(*key) or take_over(self._job, *key)) is not None:
                self._done[key] = stored
        for folder in self._job.earlier:  # what is left there was not finished
            remove(Path(folder, "trainings"))
        waiting = deque(key for key in self._keys if key not in self._done)
        if not self._paths.facts.exists():
            self._start(None, FACTS_S)
        while waiting or self._running:
            self._look_for_the_end(waiting)
            while waiting and sum(key is not None for key in self._running) < max(1, self._job.slots):
                self._start(waiting.popleft(), self._training_s())
            self._reap()
            time.sleep(POLL_S)

    def _training_s(self) -> float:
        bench, slots = self._job.saebench, max(1, self._job.slots)
        waits = bench.asked.wall_s * slots if bench else 0.0  # the others of the job may be before this one
        measured = SANDBOXED_STAGES * self._job.evaluate_limits.wall_s + SLACK_S
        turns = slots if self._job.device.startswith("cuda") else 1  # on a GPU one is measured after another
        return self._job.limits.wall_s + turns * measured + waits

    def _start(self, key: Key | None, seconds: float) -> None:
        threads = {name: str(self._job.threads) for name in THREAD_VARIABLES}
        arguments = [str(os.getpid()), str(self._paths.root), self._module, *(map(str, key) if key else ())]
        process = subprocess.Popen(
            [sys.executable, "-m", "agent.lab.jobs.worker", *arguments],
            cwd=PROJECT,
            env={**os.environ, **threads},
            stdin=subprocess.DEVNULL,
        )
        now = time.monotonic()
        self._running[key] = _Running(process, now, now + seconds)

    def _look_for_the_end(self, waiting: deque[Key]) -> None:
        """After a cancel request, or the first training that came to nothing, no other is worth its time.

        Raises:
            _Moved: the session was moved or removed, and whatever is written now would make a part of it anew.
        """
        if not still_names(self._paths.lock, self._lock):
            raise _Moved
        self.cancelled = self.cancelled or self._paths.cancel.exists()
        bad = any(t.outcome != "measured" for t in self._done.values())
        if (self.cancelled or bad) and not self._stopping:
            self._stopping = True
            waiting.clear()
            for key, running in self._running.items():
                if key is not None or self.cancelled:
                    self._tell(running, "cancelled" if self.cancelled else "skipped")

    def _tell(self, running: _Running, why: str) -> None:
        running.why = running.why or why
        running.deadline = time.monotonic() + STOP_S
        running.process.terminate()

    def _reap(self) -> None:
        now = time.monotonic()
        for key, running in list(self._running.items()):
            if running.process.poll() is None:
                if now > running.deadline:
                    running.process.kill()  # its sandbox dies with it
                    running.why = running.why or "timeout"
                continue
            del self._running[key]
            if key is not None:
                self._done[key] = self._outcome(key, running)
            elif running.process.returncode:
                self._no_facts = _ended(running, now - running.started)  # reason, and words for it

    def _outcome(self, key: Key, running: _Running) -> Training:
        stored = self._paths.read_training(*key)
        if stored is not None:
            return stored
        wall_s = time.monotonic() - running.started
        why = running.why or ("cancelled" if self._paths.cancel.exists() else "")
        if why in ("cancelled", "skipped"):
            return _not_run(key, why, wall_s)
        reason, detail = _ended(running, wall_s)
        lost = _not_run(key, reason, wall_s).model_copy(
            update={"outcome": "failed", "detail": f"{detail}; see {self._paths.log}"}
        )
        self._paths.write_training(lost)
        return lost

    def _result(self, started_at: float, wall_s: float) -> JobResult:
        trainings = [
            self._done.get(key) or _not_run(key, "cancelled" if self.cancelled else "skipped") for key in self._keys
        ]
        facts = _job_facts(self._paths)
        if facts is None and not self.cancelled:
            reason, detail = self._no_facts
            detail = f"code and data could not be hashed: {detail}; see {self._paths.log}"
            trainings = [_without_facts(training, reason, detail) for training in trainings]
        facts = facts or JobFacts(device=f"{self._job.device}: {platform.machine()}", versions={}, hashes={})
        outcomes = {training.outcome for training in trainings}
        order = ("failed", "refused", "cancelled")
        return JobResult(
            key=self._job.key,
            outcome=next((o for o in order if o in outcomes), "measured"),
            trainings=tuple(trainings),
            started_at=started_at,
            wall_s=wall_s,
            device=facts.device,
            versions=facts.versions,
            hashes=facts.hashes,
            sandbox=self._job.sandbox,
        )


def _ended(running: _Running, wall_s: float) -> tuple[str, str]:
    """Reason code and words for a measuring process that left no result."""
    code = running.process.returncode
    if running.why == "timeout":
        return "supervisor", f"the measuring process was stopped after {wall_s:.0f} s"
    if code < 0:
        name = signal.Signals(-code).name
        why = ", as the kernel does where memory runs out" if -code == signal.SIGKILL else ""
        return KILLED, f"the measuring process was ended from outside by {name} (status {code}){why}"
    return "supervisor", f"the measuring process ended with status {code} and left no result"


def _not_run(key: Key, reason: str, wall_s: float = 0.0) -> Training:
    return Training(seed=key[0], condition=key[1], outcome="cancelled", reason=reason, wall_s=wall_s)


def _job_facts(paths: JobPaths) -> JobFacts | None:
    try:
        return JobFacts.model_validate_json(paths.facts.read_bytes())
    except (OSError, ValueError):
        return None


def _without_facts(training: Training, reason: str, detail: str) -> Training:
    """A number whose code and data hashes are not known cannot be believed."""
    if training.outcome != "measured":
        return training
    return Training(
        seed=training.seed,
        condition=training.condition,
        outcome="failed",
        reason=reason,
        detail=detail,
        wall_s=training.wall_s,
        cpu_s=training.cpu_s,
    )


def _claim(paths: JobPaths) -> float:
    """Say who owns the job now; returns when its first supervisor started."""
    try:
        first = Supervisor.model_validate_json(paths.supervisor.read_bytes()).first_started_at
    except (OSError, ValueError):
        first = time.time()
    claim = Supervisor(pid=os.getpid(), start=start_ticks(os.getpid()) or 0, first_started_at=first)
    write_text(paths.supervisor, claim.model_dump_json() + "\n")
    return first


def _detach(log: Path) -> None:
    """Become nobody's child, in a session of its own, talking to a file."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for handle, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(handle, target)
    os.close(null)
    os.close(out)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.lab.jobs.supervisor", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lock", type=int, help="handle of the lock that whoever started this process holds")
    parser.add_argument(
        "--measure", default="agent.lab.measuring.measure", help="module with run_training and job_facts"
    )
    options = parser.parse_args(argv)
    paths = JobPaths(options.folder.resolve())
    _detach(paths.log)
    lock = options.lock if options.lock is not None else try_lock(paths.lock)
    if lock is None or paths.result.exists():
        return 0  # another supervisor owns the job, or it is done
    os.set_inheritable(lock, False)
    supervision = Supervision(paths.read_job(), paths, options.measure, lock)

    def stop(number: int, frame: object) -> None:
        supervision.cancelled = True

    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as holds:
        for folder in paths.read_job().data_folders:
            holds.enter_context(held(folder))
        result = supervision.run()
    if result is None or not still_names(paths.lock, lock):
        return 0
    if result.outcome != "cancelled" and not any(training.reason in LOST for training in result.trainings):
        remove(paths.root / checkpoints.FOLDER)  # else the job is submitted again, and goes on from them
    write_text(paths.result, result.model_dump_json(indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
