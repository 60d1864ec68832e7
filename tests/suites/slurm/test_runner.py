"""What a runner promises, kept by Slurm: a job is submitted once, found again, cancelled, its result taken once."""

import os
import time

from agent.lab.jobs.local import LocalRunner
from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.slurm.paths import SlurmPaths, Submission
from agent.lab.jobs.slurm.runner import SlurmRunner, batch_of
from agent.lab.jobs.slurm.script import batch_script
from agent.lab.measuring.checkpoints import got_further
from tests.suites.slurm.conftest import FAST, MEASURE, PATIENT_S, SMALL, finished, fresh, logs, queue, training
from tests.support import checkpointed, until
from tests.support.jobs import make_job, running_in_sandbox, started


def test_a_job_is_an_array_of_its_trainings_and_ends_with_their_result(slurm, runner, tmp_path):
    os.environ["PLANTED_API_KEY"] = "secret"
    job = make_job(tmp_path, seeds=(1, 2, 3), slots=2)
    assert runner.state(job) == "unknown"
    try:
        for _ in range(2):
            runner.submit(job)
        fresh().submit(job)  # another process
    finally:
        del os.environ["PLANTED_API_KEY"]

    result = finished(runner, job)

    assert len(queue(slurm, job)) == 3
    assert sorted(started(job)) == ["1-k8", "2-k8", "3-k8"]
    assert result.outcome == "measured" and [t.metrics for t in result.trainings] == [{"f1": 0.5}] * 3
    assert result.hashes and result.device == "cpu: a test" and result.wall_s > 0
    seen = (tmp_path / "environment-1").read_text().split("\n")
    assert "OMP_NUM_THREADS" in seen and "PLANTED_API_KEY" not in seen
    written = JobPaths.of(job).result.stat().st_mtime_ns
    assert fresh().state(job) == "finished" and fresh().result(job) == result
    assert JobPaths.of(job).result.stat().st_mtime_ns == written, logs(job)


def test_the_first_training_that_fails_spares_the_others_and_a_cancel_ends_them(slurm, runner, tmp_path):
    job = make_job(tmp_path / "fails", seeds=(1, 2, 3), slots=2, key="f", **{"seed 1": "failed", "seed 2": "sleep"})
    ended = make_job(tmp_path / "ended", seeds=(1,), key="c", way="sleep")
    runner.submit(job)

    result = finished(runner, job)
    runner.submit(ended)
    until(lambda: running_in_sandbox(ended), PATIENT_S)
    fresh().cancel(ended)  # as the command stop does

    assert [(t.outcome, t.reason) for t in result.trainings] == [
        ("failed", "exit"),
        ("cancelled", "skipped"),
        ("cancelled", "skipped"),
    ], logs(job)
    assert [(t.outcome, t.reason) for t in finished(runner, ended).trainings] == [("cancelled", "cancelled")]
    assert set(queue(slurm, ended).values()) == {"CANCELLED"} and started(ended) == ["1-k8"]


def test_a_task_that_is_warned_or_preempted_goes_back_into_the_queue_and_its_training_starts_again(
    slurm, runner, tmp_path
):
    warned = make_job(tmp_path / "warned", seeds=(1,), key="w", way="gate")
    preempted = make_job(tmp_path / "preempted", seeds=(1,), key="p", way="gate")
    for job in (warned, preempted):
        runner.submit(job)
    until(lambda: running_in_sandbox(warned) and running_in_sandbox(preempted), PATIENT_S)
    array = SlurmPaths.of(warned).read_submission().id
    slurm.says("scancel", "--batch", "--signal=USR2", array)  # as Slurm does before a time limit
    urgent = slurm.says("sbatch", "--parsable", "-p", "urgent", "-c", "2", "-o", "/dev/null", "--wrap", "sleep 1")

    until(lambda: len(started(warned)) == 2 and len(started(preempted)) == 2, PATIENT_S)
    for job in (warned, preempted):
        (tmp_path / job.folder / "open").touch()

    assert urgent
    for job in (warned, preempted):
        result = finished(runner, job)
        assert result.outcome == "measured", logs(job)
        assert SlurmPaths.of(job).read_task(0).starts == 2 and training(job, 1).metrics == {"f1": 0.5}


def test_a_preempted_training_goes_on_from_its_checkpoint_and_leaves_the_artefact_of_an_undisturbed_one(
    slurm, tmp_path
):
    world = checkpointed.tiny_world(tmp_path / "cache")
    again, whole = (checkpointed.job(tmp_path / name, world, 0.015, key=name) for name in ("again", "whole"))
    runner, here = SlurmRunner({**SMALL, "mem": "1G"}, [].append, clock=FAST), LocalRunner()
    here.submit(whole)
    runner.submit(again)
    until(lambda: got_further(again), PATIENT_S)
    urgent = slurm.says("sbatch", "--parsable", "-p", "urgent", "-c", "2", "-o", "/dev/null", "--wrap", "sleep 1")
    until(lambda: SlurmPaths.of(again).read_task(0).starts == 2, PATIENT_S)
    resumed = finished(runner, again).trainings[0]
    undisturbed = finished(here, whole).trainings[0]

    assert urgent and resumed.outcome == undisturbed.outcome == "measured", logs(again)
    assert checkpointed.artefact(again) == checkpointed.artefact(whole)
    assert resumed.metrics == undisturbed.metrics
    assert checkpointed.began_at(again) > checkpointed.began_at(whole)


def test_a_job_that_slurm_lost_and_a_node_that_failed_are_the_machines_fault(slurm, runner, tmp_path):
    job = make_job(tmp_path / "lost", seeds=(1, 2), slots=2, key="l", **{"seed 2": "sleep"})
    runner.submit(job)
    until(lambda: training(job, 1) and running_in_sandbox(job, 2), PATIENT_S)
    slurm.says("scancel", f"{SlurmPaths.of(job).read_submission().id}_1")  # by somebody else, with no word to us

    result = finished(runner, job)
    again = make_job(tmp_path / "again", seeds=(1, 2), key="l2").model_copy(update={"earlier": (job.folder,)})
    runner.submit(again)

    assert [(t.outcome, t.reason) for t in result.trainings] == [("measured", ""), ("failed", "killed")]
    assert "somebody cancelled it with scancel (CANCELLED)" in result.trainings[1].detail
    assert finished(runner, again).trainings[0] == result.trainings[0] and started(again) == ["2-k8"]


def test_a_kill_between_submission_and_our_note_of_it_makes_no_second_array(slurm, runner, tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="gate")
    slurm_paths = SlurmPaths.of(job)
    runner.submit(job)
    noted = slurm_paths.read_submission()
    slurm_paths.submission.unlink()

    assert fresh().state(job) == "running"
    slurm_paths.submission.unlink()
    fresh().submit(job)
    until(lambda: running_in_sandbox(job), PATIENT_S)  # else the second array may be the first to begin
    second = tmp_path / "second.sh"  # as a submission leaves whose answer was lost
    second.write_text(batch_script(batch_of(job, SMALL, [0], MEASURE)))
    slurm.says("sbatch", str(second))
    until(lambda: len(queue(slurm, job)) == 2)
    until(lambda: runner.state(job) and sorted(queue(slurm, job).values()) == ["CANCELLED", "RUNNING"], PATIENT_S)
    (tmp_path / "open").touch()

    assert finished(runner, job).outcome == "measured"
    assert slurm_paths.read_submission().id == noted.id and started(job) == ["1-k8"]


def test_a_queue_that_never_starts_the_job_is_said(slurm, tmp_path):
    job = make_job(tmp_path, seeds=(1, 2))
    runner = fresh(partition="closed")
    runner.submit(job)
    until(lambda: runner.state(job) and runner.progress(job).stuck, PATIENT_S)
    said = runner.progress(job).stuck
    runner.cancel(job)

    array = SlurmPaths.of(job).read_submission().id
    assert f"2 of its tasks wait in Slurm's queue (job {array}): Partition" in said
    assert finished(runner, job).outcome == "cancelled" and not started(job)


def test_a_note_of_a_number_that_slurm_gave_to_another_job_is_not_believed(slurm, runner, tmp_path):
    job = make_job(tmp_path, seeds=(1,))
    other = slurm.says("sbatch", "--parsable", "-p", "closed", "-o", "/dev/null", "--wrap", "true")
    JobPaths.of(job).job.write_text(job.model_dump_json())
    SlurmPaths.of(job).write_submission(Submission(id=other, at=time.time()))

    result = finished(runner, job)
    slurm.says("scancel", other)

    assert result.trainings[0].reason == "killed"
    assert f"Slurm knows nothing of task {other}_0 any more" in result.trainings[0].detail
