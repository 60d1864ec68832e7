"""kill -9 of the loop, of a task, of slurmctld, slurmd and the node, at several moments: every training ends once.

What a kill takes away is the machine's fault: the job is tried again, as agent/actions/losses.py does it, and what had
ended is kept.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent.lab.jobs.slurm.paths import SlurmPaths
from tests.suites.slurm.conftest import PATIENT_S, finished, fresh, logs, queue, training
from tests.support import ROOT, sampling, until
from tests.support.jobs import make_job, running_in_sandbox, started

MOMENTS = {
    "submitted": lambda job: SlurmPaths.of(job).read_submission(),
    "training": lambda job: running_in_sandbox(job, 2),
    "half done": lambda job: training(job, 1) and running_in_sandbox(job, 2),
}
KILLED = ("loop", "task", "slurmctld", "slurmd")
CASES = [(who, moment) for who in KILLED for moment in MOMENTS] + [("loop", "submitting"), ("node", "training")]
MOST_RESTARTS = 2


@pytest.mark.parametrize(("who", "moment"), sampling.sample(CASES, 1, "kills around Slurm"))
def test_whoever_is_killed_each_training_is_measured_once(slurm, tmp_path, who, moment):
    job = make_job(tmp_path / "job-0", seeds=(1, 2), slots=2, **{"seed 2": "gate"})
    runner = fresh()
    if who == "loop":
        kill_the_loop(job, moment)
        runner.submit(job)
    else:
        runner.submit(job)
        until(lambda: slurm.resume_node() or MOMENTS[moment](job), PATIENT_S)
        kill(slurm, who, job, runner)

    result, jobs = ended(slurm, runner, job, tmp_path)

    assert [t.outcome for t in result.trainings] == ["measured", "measured"], [logs(job) for job in jobs]
    assert len(jobs) <= 1 + (who in ("task", "slurmctld"))
    for before, after in zip(jobs, jobs[1:], strict=False):  # what had ended is not trained again
        kept = training(before, 1)
        assert kept is None or "1-k8" not in started(after)
    # what a killed controller starts once more finds its training there, and ends by itself
    until(lambda: slurm.resume_node() or not set(queue(slurm, jobs[-1]).values()) & {"PENDING", "RUNNING"}, PATIENT_S)


def kill_the_loop(job, moment):
    given = Path(job.folder).parent / "given.json"
    given.write_text(job.model_dump_json())
    command = [sys.executable, "-m", "tests.suites.slurm.loop", str(given)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as loop:
        assert loop.stdout and loop.stdout.readline() == b"begins\n"
        if moment == "submitting":
            until(SlurmPaths.of(job).script.exists, PATIENT_S)
        else:
            until(lambda: MOMENTS[moment](job), PATIENT_S)
        os.killpg(loop.pid, signal.SIGKILL)


def kill(slurm, who, job, runner):
    if who == "task":
        until(lambda: tasks_of(job), PATIENT_S)
        for process in tasks_of(job):
            process.kill()
        return
    if who == "node":
        slurm.kill("slurmd")
        for process in tasks_of(job):
            process.parent().kill()  # slurmstepd
            process.kill()
        until(lambda: "down" in slurm.says("sinfo", "-h", "-p", "main", "-o", "%T"), PATIENT_S)
    else:
        slurm.kill(who)
    if who == "slurmctld":
        until(lambda: runner.state(job) == "running" and "has not answered" in runner.progress(job).stuck, PATIENT_S)
    slurm.up("slurmd" if who == "node" else who)
    slurm.wait_for_node()


def tasks_of(job):
    """The processes that Slurm started for a job's trainings."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "agent.lab.jobs.slurm.task" in words and job.folder in words:
            found.append(process)
    return found


def ended(slurm, runner, job, place):
    """The result in the end, and every job that was tried for it."""

    jobs = [job]
    for restart in range(MOST_RESTARTS + 1):
        until(lambda: tasks_of(jobs[-1]) == [] or training(jobs[-1], 2) or running_in_sandbox(jobs[-1], 2), PATIENT_S)
        (Path(jobs[-1].folder) / "open").touch()
        until(lambda: slurm.resume_node() or runner.state(jobs[-1]) != "running", PATIENT_S)
        result = finished(runner, jobs[-1])
        if result.outcome == "measured":
            break
        assert {t.reason for t in result.trainings} <= {"", "killed"}
        again = {"folder": str(place / f"job-{restart + 1}"), "key": f"a{restart + 1}"}
        again["earlier"] = tuple(job.folder for job in reversed(jobs))
        jobs.append(job.model_copy(update=again))
        runner.submit(jobs[-1])
    return result, jobs
