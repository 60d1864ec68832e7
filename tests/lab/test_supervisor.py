"""Whatever a training does, the job ends with a result that says so."""

import os
import select
import shutil
import signal

import pytest

from agent.lab.jobs.paths import JobPaths
from agent.lab.measuring.scratch import TrainingPaths
from agent.storage.locks import is_locked
from tests.support import until
from tests.support.jobs import RUNNER, finished, make_job, running_in_sandbox, sandboxed, started, supervisor


def run(tmp_path, **how):
    job = make_job(tmp_path, **how)
    RUNNER.submit(job)
    return finished(job)


@pytest.mark.parametrize("way", ["failed", "refused"])
def test_the_first_bad_training_spares_the_others(tmp_path, way):
    result = run(tmp_path, seeds=(1, 2, 3), **{"seed 2": way})

    assert result.outcome == way
    assert [(t.outcome, t.reason) for t in result.trainings] == [
        ("measured", ""),
        (way, "exit"),
        ("cancelled", "skipped"),
    ]
    assert started(make_job(tmp_path)) == ["1-k8", "2-k8"]


def test_a_bad_training_stops_the_one_beside_it(tmp_path):
    result = run(tmp_path, seeds=(1, 2), slots=2, **{"seed 1": "sleep", "seed 2": "failed"})

    assert [(t.outcome, t.reason) for t in result.trainings] == [("cancelled", "skipped"), ("failed", "exit")]


def test_an_exception_in_the_measurement_is_a_result(tmp_path):
    result = run(tmp_path, seeds=(1,), way="raise")

    assert result.outcome == "failed"
    assert result.trainings[0].reason == "supervisor"
    assert "the measurement broke" in result.trainings[0].detail and "\n" not in result.trainings[0].detail


def test_a_crash_of_the_measurement_is_a_result(tmp_path):
    result = run(tmp_path, seeds=(1,), way="crash")

    assert result.trainings[0].outcome == "failed" and result.trainings[0].reason == "killed"
    assert (
        "ended from outside by SIGKILL (status -9), as the kernel does where memory runs out"
        in result.trainings[0].detail
    )


@pytest.mark.parametrize(
    ("way", "reason", "said"),
    [("raise", "supervisor", "ended with status 1"), ("crash", "killed", "ended from outside by SIGKILL")],
)
def test_without_hashes_nothing_counts(tmp_path, way, reason, said):
    result = run(tmp_path, seeds=(1,), facts=way)

    assert result.outcome == "failed" and result.trainings[0].metrics == {}
    assert result.trainings[0].reason == reason
    assert "could not be hashed: " in result.trainings[0].detail and said in result.trainings[0].detail


def test_a_module_that_does_not_exist_is_a_result(tmp_path):
    from agent.lab.jobs.local import LocalRunner

    job = make_job(tmp_path, seeds=(1,))
    LocalRunner(measure="tests.no_such_module").submit(job)

    assert finished(job).trainings[0].reason == "supervisor"
    assert "no_such_module" in JobPaths.of(job).log.read_text()


def test_sigterm_cancels(tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="sleep")
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job))
    os.kill(supervisor(job), signal.SIGTERM)

    assert finished(job).outcome == "cancelled"


@pytest.mark.parametrize(
    "change", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("moved"))], ids=["removed", "moved"]
)
def test_a_job_whose_folder_is_taken_away_ends_and_is_not_made_anew(tmp_path, change):
    (tmp_path / "session").mkdir()
    job = make_job(tmp_path / "session" / "job", seeds=(1, 2), way="sleep")
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job))
    owner = os.pidfd_open(supervisor(job))

    change(tmp_path / "session")

    assert select.select([owner], [], [], 20)[0], "its supervisor goes on"
    os.close(owner)
    until(lambda: not sandboxed(job))
    assert not (tmp_path / "session").exists()
    if (tmp_path / "moved").exists():
        assert "was moved or removed; its trainings end here" in (tmp_path / "moved/job/supervisor.log").read_text()


def test_trainings_run_side_by_side_up_to_the_slots(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2, 3), slots=2, way="gate")
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job, 1) and running_in_sandbox(job, 2))
    together = started(job)
    (tmp_path / "open").touch()

    assert finished(job).outcome == "measured"
    assert sorted(together) == ["1-k8", "2-k8"]


def test_a_result_that_ended_well_is_kept_by_the_next_supervisor(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2))
    RUNNER.submit(job)
    first = finished(job)
    until(lambda: not is_locked(JobPaths.of(job).lock))  # its supervisor is gone as well
    JobPaths.of(job).result.unlink()
    RUNNER.submit(job)

    assert finished(job).trainings == first.trainings
    assert finished(job).started_at == first.started_at
    assert len(started(job)) == 2


def test_what_failed_under_an_earlier_job_is_trained_again(tmp_path):
    before = make_job(tmp_path / "attempt-1", seeds=(1,), way="failed")
    RUNNER.submit(before)
    assert finished(before).outcome == "failed"
    again = make_job(tmp_path / "attempt-1-again-1", seeds=(1,), key="b2")
    again = again.model_copy(update={"earlier": (before.folder,)})
    RUNNER.submit(again)

    assert finished(again).outcome == "measured" and started(again) == ["1-k8"]


def test_what_ended_under_a_lost_supervisor_is_taken_over_whole(tmp_path):
    lost = make_job(tmp_path / "attempt-1", seeds=(1, 2), **{"seed 2": "sleep"})
    RUNNER.submit(lost)
    until(lambda: running_in_sandbox(lost, 2))
    os.kill(supervisor(lost), signal.SIGKILL)
    until(lambda: RUNNER.state(lost) == "lost")
    ended = JobPaths.of(lost).read_training(1, "k8")
    folder = tmp_path / "attempt-1-again-1"
    again = make_job(folder, seeds=(1, 2), key="b2").model_copy(update={"earlier": (lost.folder,)})

    RUNNER.submit(again)

    assert finished(again).outcome == "measured"
    assert finished(again).trainings[0] == ended
    assert started(again) == ["2-k8"]
    assert not (JobPaths.of(lost).root / "trainings").exists()
    assert TrainingPaths.of(again, 1, "k8").root.is_dir()
