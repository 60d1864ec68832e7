"""Jobs whose trainings are played by fake_measure.py, and what can be observed of them while they run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agent.core.manifest import Condition, Limits
from agent.core.record import Job
from agent.lab.jobs.local import LocalRunner
from agent.lab.jobs.paths import JobPaths, Supervisor
from agent.lab.measuring.scratch import TrainingPaths
from agent.sandbox.limits import pids
from tests.support import until

RUNNER = LocalRunner(measure="tests.support.fake_measure")
CONDITION = Condition(name="k8", label="k = 8")


def make_job(folder, seeds=(1, 2), slots=1, key="a1", **settings):
    return Job(
        key=key,
        run="1",
        kind="experiment",
        attempt=1,
        folder=str(folder),
        code=str(folder),
        script="experiment.py",
        template=str(folder),
        train_data=str(folder),
        truth_data=str(folder),
        settings=settings,
        seeds=seeds,
        conditions=(CONDITION,),
        limits=Limits(wall_s=60),
        evaluate_limits=Limits(wall_s=60),
        device="cpu",
        slots=slots,
        threads=1,
        sandbox="bwrap",
    )


def finished(job):
    """The job's result, once it has ended."""
    until(lambda: RUNNER.state(job) != "running")
    assert RUNNER.state(job) == "finished", JobPaths.of(job).log.read_text()
    return RUNNER.result(job)


def started(job):
    """The trainings that have begun, in their order, each as seed-condition."""
    path = Path(job.folder) / "started.txt"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def supervisor(job):
    """The process number of the job's supervisor."""
    return Supervisor.model_validate_json(JobPaths.of(job).supervisor.read_bytes()).pid


def sandboxed(job):
    """The processes in the job's sandboxes: those that have its output folder mounted as their current folder."""
    found = []
    for pid in pids():
        with suppress(OSError):
            mounted = job.folder in Path(f"/proc/{pid}/mountinfo").read_text()
            if mounted and os.readlink(f"/proc/{pid}/cwd") == "/w":
                found.append(pid)
    return found


def running_in_sandbox(job, seed=1):
    return (TrainingPaths.of(job, seed, "k8").out / "log.jsonl").exists()
