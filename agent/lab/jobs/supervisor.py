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
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.core.record import Job, JobResult, Outcome, Training
from agent.lab.jobs.inventory import of_this_machine, places_of
from agent.lab.jobs.paths import LOST, JobFacts, JobPaths, Supervisor, take_over
from agent.lab.jobs.places import Places, Taken
from agent.lab.jobs.waiting import Wait
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
NOWHERE = Taken("", ())
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

    def __init__(self, job: Job, paths: JobPaths, module: str, lock: int, places: Places) -> None:
        self._job, self._paths, self._module, self._lock = job, paths, module, lock
        self._places, self._wait = places, Wait(job, paths.waiting, places)
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
                self._done.setdefault(key, failed(key, "supervisor", text[-2000:]))
        finally:
            self._wait.end()
            for running in self._running.values():
                running.process.kill()
            for running in self._running.values():
                running.process.wait()
        return self._result(started_at, time.monotonic() - began - self._wait.idle_s)

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
            while waiting and self._trains < max(1, self._job.slots):
                if (taken := self._wait.taken(waiting[0], idle=not self._trains)) is None:
                    break
                self._start(waiting.popleft(), training_s(self._job), taken)
            self._reap()
            time.sleep(POLL_S)

    @property
    def _trains(self) -> int:
        return sum(key is not None for key in self._running)

    def _start(self, key: Key | None, seconds: float, taken: Taken | None = None) -> None:
        """The process inherits its places: they are free again once it has ended, whoever lives then."""
        taken = taken or Taken(self._places.visible, ())
        try:
            process = start_worker(self._job, self._paths, self._module, key, taken)
        finally:
            taken.close()
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
            self._wait.end()
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
                # reason, and words for it
                self._no_facts = ended(running.process.returncode, running.why, now - running.started)

    def _outcome(self, key: Key, running: _Running) -> Training:
        stored = self._paths.read_training(*key)
        if stored is not None:
            return stored
        wall_s = time.monotonic() - running.started
        why = running.why or ("cancelled" if self._paths.cancel.exists() else "")
        if why in ("cancelled", "skipped"):
            return not_run(key, why, wall_s)
        reason, detail = ended(running.process.returncode, running.why, wall_s)
        lost = failed(key, reason, f"{detail}; see {self._paths.log}", wall_s)
        self._paths.write_training(lost)
        return lost

    def _result(self, started_at: float, wall_s: float) -> JobResult:
        missing = "cancelled" if self.cancelled else "skipped"
        trainings = [self._done.get(key) or not_run(key, missing) for key in self._keys]
        reason, detail = self._no_facts
        if self.cancelled:
            return result_of(self._job, self._paths, trainings, started_at, wall_s)
        no_facts = reason, f"{detail}; see {self._paths.log}"
        return result_of(self._job, self._paths, trainings, started_at, wall_s, no_facts)


def result_of(
    job: Job,
    paths: JobPaths,
    trainings: Sequence[Training],
    started_at: float,
    wall_s: float,
    no_facts: tuple[str, str] | None = None,
) -> JobResult:
    """The job's result; `no_facts` says why there are no facts (reason, words), without which no number counts."""
    facts = _job_facts(paths)
    if facts is None and no_facts:
        reason, why = no_facts
        detail = f"code and data could not be hashed: {why}"
        trainings = [_without_facts(training, reason, detail) for training in trainings]
    facts = facts or JobFacts(device=f"{job.device}: {platform.machine()}", versions={}, hashes={})
    outcomes = {training.outcome for training in trainings}
    order: tuple[Outcome, ...] = ("failed", "refused", "cancelled")
    return JobResult(
        key=job.key,
        outcome=next((o for o in order if o in outcomes), "measured"),
        trainings=tuple(trainings),
        started_at=started_at,
        wall_s=wall_s,
        device=facts.device,
        versions=facts.versions,
        hashes=facts.hashes,
        sandbox=job.sandbox,
    )


def training_s(job: Job) -> float:
    """The longest time that a training and its measuring may take, in seconds."""
    bench, slots = job.saebench, max(1, job.slots)
    waits = bench.asked.wall_s * slots if bench else 0.0  # the others of the job may be before this one
    measured = SANDBOXED_STAGES * job.evaluate_limits.wall_s + SLACK_S
    turns = slots if job.device.startswith("cuda") else 1  # on a GPU one is measured after another
    return job.limits.wall_s + turns * measured + waits


def start_worker(
    job: Job, paths: JobPaths, module: str, key: Key | None, taken: Taken = NOWHERE
) -> subprocess.Popen[bytes]:
    """A child that makes one training, or the job's facts where the key is None; it dies with this process."""
    threads = {name: str(job.threads) for name in THREAD_VARIABLES}
    # nvidia-smi, which the numbers are of, counts by the bus; CUDA would by speed.
    gpu = {"CUDA_VISIBLE_DEVICES": taken.visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if taken.visible else {}
    arguments = [str(os.getpid()), str(paths.root), module, *(map(str, key) if key else ())]
    return subprocess.Popen(
        [sys.executable, "-m", "agent.lab.jobs.worker", *arguments],
        cwd=PROJECT,
        env={**os.environ, **threads, **gpu},
        stdin=subprocess.DEVNULL,
        pass_fds=taken.handles,
    )


def ended(code: int, why: str, wall_s: float) -> tuple[str, str]:
    """Reason code and words for a measuring process that left no result; `why`: for what it was told to stop."""
    if why == "timeout":
        return "supervisor", f"the measuring process was stopped after {wall_s:.0f} s"
    if code < 0:
        name = signal.Signals(-code).name
        kernel = ", as the kernel does where memory runs out" if -code == signal.SIGKILL else ""
        return KILLED, f"the measuring process was ended from outside by {name} (status {code}){kernel}"
    return "supervisor", f"the measuring process ended with status {code} and left no result"


def not_run(key: Key, reason: str, wall_s: float = 0.0) -> Training:
    """A training that nobody needed any more."""
    return Training(seed=key[0], condition=key[1], outcome="cancelled", reason=reason, wall_s=wall_s)


def failed(key: Key, reason: str, detail: str, wall_s: float = 0.0) -> Training:
    """A training that left no result."""
    return not_run(key, reason, wall_s).model_copy(update={"outcome": "failed", "detail": detail})


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
    parser.add_argument("--places", type=Places.model_validate_json, help="where trainings may run; this machine's own")
    options = parser.parse_args(argv)
    paths = JobPaths(options.folder.resolve())
    _detach(paths.log)
    lock = options.lock if options.lock is not None else try_lock(paths.lock)
    if lock is None or paths.result.exists():
        return 0  # another supervisor owns the job, or it is done
    os.set_inheritable(lock, False)
    job = paths.read_job()
    places = options.places or places_of(job, of_this_machine(job.device.startswith("cuda")))
    supervision = Supervision(job, paths, options.measure, lock, places)

    def stop(number: int, frame: object) -> None:
        supervision.cancelled = True

    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as holds:
        for folder in job.data_folders:
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
