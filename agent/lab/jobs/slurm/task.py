"""`python -m agent.lab.jobs.slurm.task FOLDER`: one training of a job, as one task of Slurm's array.

The training and its measuring run in a worker (jobs/worker.py), as on one machine; this process watches it. A time
limit or a preemption ends the worker and puts the task back into the queue. What the task leaves is a training's
file, written at once and whole; the job's result is put together by the runner (runner.py).
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.record import Job
from agent.lab.jobs.local import ENVIRONMENT
from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.slurm.control import Said, own_commands
from agent.lab.jobs.slurm.paths import Begun, Key, SlurmPaths, keys_of
from agent.lab.jobs.slurm.states import KILLED, spoiled
from agent.lab.jobs.supervisor import FACTS_S, STOP_S, ended, failed, start_worker, training_s
from agent.storage.cache import held
from agent.storage.locks import still_names, try_lock

POLL_S = 0.1
OTHER_START_S = 60.0  # for an earlier start of the same task to end, on a node that was lost to Slurm
MOST_TIMEOUTS = 3
NEARLY_OVER_S = 300  # of time left: a warning now means the time limit, earlier a preemption
MAX_DETAIL = 500  # characters


class Task:
    """One training, from the start of its worker to its file or to the queue again."""

    def __init__(self, job: Job, index: int, module: str) -> None:
        self._job, self._index, self._module = job, index, module
        self._paths, self._slurm = JobPaths.of(job), SlurmPaths.of(job)
        self._key: Key = keys_of(job)[index]
        self.told = ""  # to stop: the name of the signal

    def run(self) -> int:
        """The exit status: 0 where a training is left, nobody needs it, or the task is in the queue again."""
        if not self._needed() and not self._only_facts():
            return 0
        lock = self._lock()
        if lock is None:
            print(f"another start of task {self._index} still works after {OTHER_START_S:.0f} s", file=sys.stderr)
            return 1
        begun = self._begin()
        with ExitStack() as around:
            around.callback(os.close, lock)
            for folder in self._job.data_folders:
                around.enter_context(held(folder))
            facts = self._start_facts(around)
            if self._needed():
                worker = start_worker(self._job, self._paths, self._module, self._key)
                around.callback(_end, worker)
                self._watch(worker, lock)
            self._await_facts(facts)
        return self._status(begun)

    def _needed(self) -> bool:
        """Whether the training is still to be made."""
        if not self._paths.job.exists() or self._paths.cancel.exists() or self._paths.result.exists():
            return False
        trainings = [self._paths.read_training(*key) for key in keys_of(self._job)]
        return trainings[self._index] is None and not spoiled(trainings)

    def _only_facts(self) -> bool:
        """Whether the training is there, left by a job that was lost, and the job's hashes are still to be taken."""
        there = self._paths.read_training(*self._key) is not None
        return there and not self._paths.facts.exists() and not self._paths.cancel.exists()

    def _lock(self) -> int | None:
        deadline = time.monotonic() + OTHER_START_S
        while (lock := try_lock(self._slurm.lock(f"task-{self._index}"))) is None:
            if time.monotonic() > deadline or self.told:
                return None
            time.sleep(POLL_S)
        return lock

    def _begin(self) -> Begun:
        node, before = socket.gethostname(), self._slurm.read_task(self._index)
        begun = Begun(node=node, first_started_at=time.time())
        if before:
            begun = before.model_copy(update={"node": node, "starts": before.starts + 1})
        self._slurm.write_task(self._index, begun)
        return begun

    def _start_facts(self, around: ExitStack) -> subprocess.Popen[bytes] | None:
        """Hash code and data, unless another task of the job does or did."""
        if self._paths.facts.exists() or (lock := try_lock(self._slurm.lock("facts"))) is None:
            return None
        around.callback(os.close, lock)
        if self._paths.facts.exists():
            return None
        worker = start_worker(self._job, self._paths, self._module, None)
        around.callback(_end, worker)
        return worker

    def _watch(self, worker: subprocess.Popen[bytes], lock: int) -> None:
        """Until the worker has ended, by itself or because it was told to."""
        started = time.monotonic()
        deadline, why = started + training_s(self._job), ""
        while worker.poll() is None:
            now = time.monotonic()
            if self.told and not why:
                why, deadline = "told", now + STOP_S
                worker.terminate()
            elif now > deadline or not still_names(self._slurm.lock(f"task-{self._index}"), lock):
                why = why or "timeout"
                worker.kill()
            time.sleep(POLL_S)
        if self.told or not self._needed():
            return
        reason, detail = ended(worker.returncode, why, time.monotonic() - started)
        log = self._slurm.log(os.environ.get("SLURM_ARRAY_JOB_ID", ""), self._index)
        self._paths.write_training(failed(self._key, reason, f"{detail}; see {log}", time.monotonic() - started))

    def _await_facts(self, facts: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + FACTS_S
        while facts and facts.poll() is None and not self.told and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _status(self, begun: Begun) -> int:
        if not self.told or not self._needed():
            return 0
        number = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{self._index}"
        run = own_commands((*ENVIRONMENT, "SLURM_CONF"))
        state, left = _state(run(["squeue", "--noheader", f"--jobs={number}", "--states=all", "--format=%T|%L"]))
        print(f"told to end by {self.told}: Slurm says {state or 'nothing'}, {left:.0f} s left", flush=True)
        if state not in ("RUNNING", ""):  # Slurm ends it, or has put it back into the queue already
            return 0
        if self.told == "SIGUSR2" and left < NEARLY_OVER_S:
            begun = begun.model_copy(update={"timeouts": begun.timeouts + 1})
            self._slurm.write_task(self._index, begun)
        if begun.timeouts >= MOST_TIMEOUTS:
            detail = f"Slurm's time limit ended it {begun.timeouts} times; give more with --slurm time=MINUTES"
            self._paths.write_training(failed(self._key, KILLED, detail))
            return 0
        said = run(["scontrol", "requeue", number])
        print(f"requeue: {(said.err or said.out or 'taken').strip()[:MAX_DETAIL]}", flush=True)
        return 1 if said.code else 0


def _state(said: Said) -> tuple[str, float]:
    """State and seconds left, of squeue's answer; "" where there is none, and no seconds where it is not a time."""
    state, _, left = said.out.strip().partition("|")
    days, _, clock = left.rpartition("-")
    try:
        parts = [int(part) for part in clock.split(":")]
        seconds = sum(part * 60**place for place, part in enumerate(reversed(parts))) + 86400 * int(days or 0)
    except ValueError:
        seconds = 0 if left.startswith("INVALID") else 10**9  # UNLIMITED
    return ("" if said.code else state), float(seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.lab.jobs.slurm.task", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--measure", default="agent.lab.measuring.measure")
    options = parser.parse_args(argv)
    try:
        job = JobPaths(options.folder).read_job()
    except FileNotFoundError:
        print(f"{options.folder}: no job lies here (any more), or this node does not see it", file=sys.stderr)
        return 1
    task = Task(job, int(os.environ["SLURM_ARRAY_TASK_ID"]), options.measure)

    def stop(number: int, frame: object) -> None:
        task.told = task.told or signal.Signals(number).name

    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, stop)
    try:
        return task.run()
    except InfrastructureError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
