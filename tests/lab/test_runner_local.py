"""A job outlives the loop, is owned by one supervisor, and is finished exactly once."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from agent.core.errors import InfrastructureError
from agent.lab.measuring.scratch import TrainingPaths
from tests.support import ROOT, until
from tests.support.jobs import RUNNER, finished, make_job, running_in_sandbox, sandboxed, started, supervisor


def test_a_job_runs_to_its_result(tmp_path):
    job = make_job(tmp_path, slots=2)
    assert RUNNER.state(job) == "unknown"
    RUNNER.submit(job)
    assert RUNNER.state(job) in ("running", "finished")

    result = finished(job)

    assert result.outcome == "measured" and result.key == "a1"
    assert [(t.seed, t.outcome, t.metrics) for t in result.trainings] == [
        (1, "measured", {"f1": 0.5}),
        (2, "measured", {"f1": 0.5}),
    ]
    assert result.hashes and result.device == "cpu: a test"
    assert RUNNER.progress(job).fraction == 1.0


def test_a_supervisor_or_a_worker_that_somebody_stopped_is_told_with_what_lets_it_go_on(tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="gate")
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job))
    worker = int((tmp_path / "started.txt").read_text().split()[1])
    others, inside = "what trains or measures it", next(pid for pid in sandboxed(job))
    for pid, who in ((supervisor(job), "its supervisor"), (worker, others), (inside, others)):
        assert RUNNER.progress(job).stuck == ""
        os.kill(pid, signal.SIGSTOP)
        until(lambda: RUNNER.progress(job).stuck)
        assert RUNNER.progress(job).stuck == f"{who} is stopped (process {pid}); let it go on with: kill -CONT {pid}"
        os.kill(pid, signal.SIGCONT)
        until(lambda: not RUNNER.progress(job).stuck)
    os.kill(supervisor(job), signal.SIGSTOP)
    RUNNER.cancel(job)

    assert finished(job).outcome == "cancelled"


def test_submitting_again_changes_nothing(tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="gate")
    for _ in range(3):
        RUNNER.submit(job)
    until(lambda: running_in_sandbox(job))
    (tmp_path / "open").touch()
    first = finished(job)
    RUNNER.submit(job)

    assert RUNNER.state(job) == "finished" and RUNNER.result(job) == first
    assert started(job) == ["1-k8"]


def _submit(job, barrier):
    barrier.wait()
    RUNNER.submit(job)


def test_of_many_submits_at_once_one_supervisor_comes(tmp_path):
    job = make_job(tmp_path, seeds=(1,))
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(6)
    racers = [fork.Process(target=_submit, args=(job, barrier)) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    by_hand = subprocess.run([sys.executable, "-m", "agent.lab.jobs.supervisor", job.folder], cwd=ROOT)

    assert by_hand.returncode == 0
    assert finished(job).outcome == "measured"
    assert started(job) == ["1-k8"]


def test_the_job_goes_on_when_the_loop_is_killed(tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="gate")
    (tmp_path / "given.json").write_text(job.model_dump_json())
    code = (
        "import sys, time; from pathlib import Path; from agent.core.record import Job; "
        "from agent.lab.jobs.local import LocalRunner; "
        "job = Job.model_validate_json(Path(sys.argv[1]).read_text()); "
        "LocalRunner(measure='tests.support.fake_measure').submit(job); "
        "print('submitted', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, tmp_path / "given.json"]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE) as loop:
        assert loop.stdout and loop.stdout.readline() == b"submitted\n"
        os.killpg(loop.pid, signal.SIGKILL)

    assert RUNNER.state(job) == "running"
    until(lambda: running_in_sandbox(job))
    (tmp_path / "open").touch()
    assert finished(job).outcome == "measured"


def test_a_killed_supervisor_takes_the_sandbox_along_and_the_job_is_finished_by_the_next(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2), **{"seed 2": "gate"})
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job, seed=2) and sandboxed(job))
    os.kill(supervisor(job), signal.SIGKILL)

    until(lambda: not sandboxed(job), seconds=2)
    until(lambda: RUNNER.state(job) == "lost", seconds=2)
    with pytest.raises(InfrastructureError):
        RUNNER.result(job)

    (tmp_path / "open").touch()
    RUNNER.submit(job)
    result = finished(job)
    assert [t.outcome for t in result.trainings] == ["measured", "measured"]
    assert started(job) == ["1-k8", "2-k8", "2-k8"]


def test_cancelling_ends_the_sandbox_and_is_a_result(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2), way="sleep")
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job))
    RUNNER.cancel(job)

    result = finished(job)
    assert result.outcome == "cancelled"
    assert [(t.outcome, t.reason) for t in result.trainings] == [("cancelled", "cancelled")] * 2
    assert not sandboxed(job) and started(job) == ["1-k8"]


def test_cancelling_a_job_that_is_not_there_does_nothing(tmp_path):
    RUNNER.cancel(make_job(tmp_path / "none"))

    assert not (tmp_path / "none").exists()


def test_progress_is_read_from_what_the_experiments_say(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2), **{"seed 2": "gate"})
    RUNNER.submit(job)
    until(lambda: running_in_sandbox(job, seed=2))
    until(lambda: RUNNER.progress(job).steps > 0)
    seen = RUNNER.progress(job)
    (tmp_path / "open").touch()
    finished(job)

    assert (seen.done, seen.total, seen.fraction) == (1, 2, 0.725)
    assert (seen.phase, seen.step, seen.steps, seen.loss) == ("training", 1, 2, None)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xfe\n",
        b"[" * 5000 + b"\n",
        b'{"step": "x", "steps": {}}\n',
        b'{"step": 1e999, "steps": 0}\n',
        b"7\n",
        b'{"step": -5, "steps": 1}\n',
        b'{"samples": NaN}\n',
        b"",
    ],
)
def test_odd_progress_lines_do_no_harm(tmp_path, said):
    job = make_job(tmp_path, samples=100)
    out = TrainingPaths.of(job, 1, "k8").out
    out.mkdir(parents=True)
    (out / "log.jsonl").write_bytes(said)

    assert RUNNER.progress(job).fraction == 0.0


def test_a_link_in_the_place_of_the_curve_is_not_followed(tmp_path):
    job = make_job(tmp_path)
    out = TrainingPaths.of(job, 1, "k8").out
    out.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text('{"step": 1, "steps": 2, "password": "x"}\n')
    (out / "log.jsonl").symlink_to(secret)

    assert RUNNER.progress(job).steps == 0


def test_no_key_reaches_the_supervisor(tmp_path):
    job = make_job(tmp_path, seeds=(1,))
    os.environ["PLANTED_API_KEY"] = "secret"
    try:
        RUNNER.submit(job)
    finally:
        del os.environ["PLANTED_API_KEY"]
    finished(job)

    seen = (tmp_path / "environment-1").read_text().split("\n")
    assert "OMP_NUM_THREADS" in seen and "PLANTED_API_KEY" not in seen


def test_another_jobs_result_is_not_taken(tmp_path):
    RUNNER.submit(make_job(tmp_path, seeds=(1,)))
    finished(make_job(tmp_path, seeds=(1,)))

    with pytest.raises(InfrastructureError, match="belongs to job a1"):
        RUNNER.result(make_job(tmp_path, seeds=(1,), key="b2"))
