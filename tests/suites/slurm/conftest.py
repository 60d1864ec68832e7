"""One Slurm for all tests of the suite, and jobs whose trainings are made up (tests/support/fake_measure.py)."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.slurm.paths import SlurmPaths, name_of
from agent.lab.jobs.slurm.patience import Clock
from agent.lab.jobs.slurm.runner import SlurmRunner
from tests.support import until
from tests.support.slurm_site import Site, missing

PATIENT_S = 150.0  # of a machine that others use as well
MEASURE = "tests.support.fake_measure"
FAST = Clock(poll_s=0.3, settle_s=1.0, away_s=60.0)
SMALL = {"mem": "150M", "cpus-per-task": "1", "time": "5"}


@pytest.fixture(scope="session")
def slurm():
    """A Slurm that runs. In CI a machine without one is a failure, elsewhere the suite is left out."""
    if why := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no Slurm to test on: {why}")
        pytest.skip(f"no Slurm to test on: {why}")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    site, before = Site(folder), os.environ.get("SLURM_CONF")
    try:
        site.start()
        os.environ["SLURM_CONF"] = str(site.config)
        yield site
    finally:
        site.stop()
        os.environ.pop("SLURM_CONF", None)
        if before is not None:
            os.environ["SLURM_CONF"] = before
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def empty_queue(slurm):
    """A test that fails leaves no job to the next one."""
    yield
    slurm.says("scancel", "--user=root")
    slurm.wait_for_node()


@pytest.fixture
def runner(slurm):
    """As a loop has it that was just started."""
    return fresh()


def fresh(said=None, **asked):
    return SlurmRunner({**SMALL, **asked}, (said if said is not None else []).append, measure=MEASURE, clock=FAST)


def finished(runner, job, seconds=PATIENT_S):
    until(lambda: runner.state(job) != "running", seconds)
    assert runner.state(job) == "finished", logs(job)
    return runner.result(job)


def logs(job):
    return "\n".join(path.read_text() for path in SlurmPaths.of(job).root.glob("*log.out"))


def queue(slurm, job):
    """Of each task that Slurm knows: its state, by id."""
    name = f"--name={name_of(job)}"
    lines = slurm.says("squeue", "--noheader", "--array", "--states=all", name, "--format=%i %T").splitlines()
    return dict(line.split() for line in lines)


def training(job, seed):
    return JobPaths.of(job).read_training(seed, "k8")
