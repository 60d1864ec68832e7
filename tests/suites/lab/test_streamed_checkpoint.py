"""A streamed training that is killed under the real runner: the model beside it goes on from the row that is wanted."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from agent.core.record import Job
from agent.lab.jobs.local import LocalRunner
from agent.lab.jobs.paths import JobPaths, Supervisor
from agent.lab.measuring.checkpoints import got_further
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.worlds import prepared
from tests.support import until
from tests.support.lm_world import REDUCED, TEMPLATE, lm_job

PROFILE = TEMPLATE.manifest.profiles["tiny-streamed"]
SETTINGS = {**PROFILE.settings, **REDUCED, "shuffle_rows": 9000, "samples": 60_000, "checkpoint_s": 0.0}
RUNNER = LocalRunner()


def job(folder: Path, world, **changes) -> Job:
    folder.mkdir()
    return lm_job(folder, PROFILE, SETTINGS, world.train, world.truth).model_copy(update=changes)


def ended(job: Job):
    until(lambda: RUNNER.state(job) != "running", seconds=400)
    return RUNNER.result(job).trainings[0]


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_a_streamed_training_that_was_killed_ends_as_an_undisturbed_one(tmp_path):
    for above in (tmp_path, tmp_path.parent):
        above.chmod(0o755)  # the sandbox's user must reach its mounts
    world = prepared(TEMPLATE, "tiny-streamed", SETTINGS, 7, tmp_path / "cache")
    first = job(tmp_path / "first", world)
    RUNNER.submit(first)
    until(lambda: got_further(first), seconds=200)
    os.kill(Supervisor.model_validate_json(JobPaths.of(first).supervisor.read_bytes()).pid, signal.SIGKILL)
    until(lambda: RUNNER.state(first) == "lost")
    again, whole = job(tmp_path / "again", world, earlier=(first.folder,)), job(tmp_path / "whole", world)
    RUNNER.submit(again)
    resumed = ended(again)
    RUNNER.submit(whole)
    undisturbed = ended(whole)

    assert resumed.outcome == undisturbed.outcome == "measured", resumed.detail
    assert resumed.artefact_sha256 == undisturbed.artefact_sha256 and resumed.metrics == undisturbed.metrics
    assert resumed.curves == undisturbed.curves
    assert '"row": 0' not in asked(again) and '"row": 0' in asked(whole)
    assert list((world.train.parent / "kept").glob("weights-*.json")), "the model was hashed once"


def asked(job: Job) -> str:
    """The row that a training's last process began with, as the runner noted it."""
    return (TrainingPaths.of(job, 0, "k4").root / "feed.json").read_text()
