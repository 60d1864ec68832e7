"""What is decided about Slurm without one: wishes, the batch script, what its answers mean, and how long is waited."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.record import Training
from agent.core.slurm import check, parse, text, wants_gpu
from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.slurm.control import Said
from agent.lab.jobs.slurm.paths import SlurmPaths, keys_of, name_of
from agent.lab.jobs.slurm.patience import Clock
from agent.lab.jobs.slurm.runner import SlurmRunner
from agent.lab.jobs.slurm.script import Batch, batch_script, merged, ranges, wishes
from agent.lab.jobs.slurm.states import Task, in_words, next_step, of_array, queued, read_queue, spoiled
from tests.support.jobs import make_job

GOLDEN = Path(__file__).parent / "slurm_batch.sh"
ASKED = {"partition": "gpu", "gres": "gpu:1", "mem": "32G", "time": "240", "account": "lab", "nodelist": "n[1-4]"}


def test_the_batch_script_is_the_one_that_was_read():
    """`python -m tests.lab.test_slurm` writes it anew, to be read as a diff."""
    assert _script() == GOLDEN.read_text()


def _script() -> str:
    command = ("/home/me/runner/.venv/bin/python", "-u", "-m", "agent.lab.jobs.slurm.task", "/data/my session/runs/2")
    asked = merged(wishes(Limits(), Limits(), 2, "cuda", 3600), {**ASKED, "reservation": "night"})
    folder, project = Path("/data/my session/runs/2/slurm"), Path("/home/me/runner")
    return batch_script(Batch("er-2-1-0123456789ab", folder, command, project, (0, 1, 2, 5), 3, asked))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("partition=gpu,gres=gpu:1", {"partition": "gpu", "gres": "gpu:1"}),
        ("gres=gpu:1,nvme:1,mem=4G", {"gres": "gpu:1,nvme:1", "mem": "4G"}),
        ("cpus_per_task=4, constraint=a100|h100", {"cpus-per-task": "4", "constraint": "a100|h100"}),
    ],
)
def test_wishes_are_read_as_they_are_typed(typed, found):
    assert parse(typed) == found and parse(text(found)) == found


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("gpu", "give options of sbatch as name=value"),
        ("mem=1G,mem=2G", "mem is named twice"),
        ("mem=", "mem needs a value"),
        ("array=1-3", "array is not yours to set: --slots bounds"),
        ("export=ALL", "keys must not reach the nodes"),
        ("comment=a\nb", "comment needs a value in one line"),
    ],
)
def test_wishes_that_cannot_be_are_refused_with_the_reason(typed, said):
    with pytest.raises(ValueError, match=said):
        parse(typed)


def test_a_name_that_is_no_option_is_refused_from_python_too():
    with pytest.raises(ValueError, match="no long option of sbatch"):
        check({"--partition": "gpu"})


def test_defaults_follow_the_limits_and_give_way_to_another_way_of_saying_the_same():
    default = wishes(Limits(memory_mb=4096), Limits(memory_mb=1024), 2, "cuda:0", 3600)
    assert default == {"cpus-per-task": "2", "mem": "6144M", "time": "67", "gres": "gpu:1"}
    assert merged(default, {"gpus": "1", "mem-per-cpu": "2G"}).keys() == {
        "cpus-per-task",
        "time",
        "gpus",
        "mem-per-cpu",
    }
    assert "gres" not in wishes(Limits(), Limits(), 1, "cpu", 60)
    assert wants_gpu({"gpus-per-node": "1"}) and wants_gpu({"gres": "gpu:a100:1"}) and not wants_gpu({"gres": "nvme:1"})


def test_indices_are_written_as_ranges():
    assert ranges([3, 0, 1, 2, 7]) == "0-3,7" and ranges([4]) == "4"


def test_a_job_has_a_name_of_its_own_and_a_task_for_each_training(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2))
    assert keys_of(job) == [(1, "k8"), (2, "k8")]
    assert name_of(job) == name_of(make_job(tmp_path, seeds=(1, 2)))
    assert len({name_of(job), name_of(make_job(tmp_path / "b")), name_of(make_job(tmp_path, key="b"))}) == 3


def test_the_queue_is_read_whatever_stands_in_it():
    said = (
        "12_0|RUNNING|n1|None\n12_1|PENDING||ReqNodeNotAvail, UnavailableNodes:n[1|2]\nslurm: a remark\n7|FAILED|n1|x\n"
    )
    assert read_queue(said) == [
        Task("12", 0, "RUNNING", "n1", "None"),
        Task("12", 1, "PENDING", "", "ReqNodeNotAvail, UnavailableNodes:n[1|2]"),
        Task("7", 0, "FAILED", "n1", "x"),
    ]
    own, others = of_array(read_queue(said + "13_0|PENDING||None\n"), "12")
    assert set(own) == {0, 1} and others == {"13"}


def test_a_state_that_nobody_knows_counts_as_active():
    assert Task("1", 0, "REQUEUE_HOLD").active and Task("1", 0, "NEW_IN_SLURM_99").active
    assert not Task("1", 0, "NODE_FAIL").active


GOOD = Training(seed=1, condition="k8", outcome="measured")
LOST = Training(seed=1, condition="k8", outcome="failed", reason="killed")
BAD = Training(seed=1, condition="k8", outcome="failed", reason="exit")


def test_what_a_job_needs_follows_from_its_trainings_and_tasks():
    assert next_step([GOOD, GOOD], active=True, facts=True) == "end"
    assert next_step([GOOD, GOOD], active=True, facts=False) == "wait"
    assert next_step([GOOD, None], active=True, facts=True) == "wait"
    assert next_step([GOOD, None], active=False, facts=True) == "settle"
    assert spoiled([GOOD, BAD]) and not spoiled([GOOD, LOST, None])


def test_how_a_task_was_lost_and_why_none_runs_are_told_in_words():
    assert "its node failed (NODE_FAIL)" in in_words(Task("12", 3, "NODE_FAIL", "n7"), "12", 3)
    assert "give more with --slurm mem=" in in_words(Task("12", 3, "OUT_OF_MEMORY"), "12", 3)
    assert "knows nothing of task 12_3 any more" in in_words(None, "12", 3)
    waits = {0: Task("12", 0, "PENDING", "", "QOSMaxJobsPerUserLimit"), 1: Task("12", 1, "COMPLETED", "n1", "None")}
    assert queued(waits, "12") == "its task waits in Slurm's queue (job 12): QOSMaxJobsPerUserLimit"
    assert "does not end by waiting" in queued({0: Task("12", 0, "PENDING", "", "PartitionTimeLimit")}, "12")
    assert queued({**waits, 2: Task("12", 2, "RUNNING", "n1", "None")}, "12") == ""


class Cluster:
    """Answers Slurm's commands from a script: a list of what each command says, the last one again and again."""

    def __init__(self, **says: list[Said]) -> None:
        self.says, self.asked, self.time = says, [], 0.0
        self.clock = Clock(now=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def __call__(self, command):
        self.asked.append(list(command))
        answers = self.says.get(command[0], [Said(0, "", "")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def calls(self, name: str) -> list[list[str]]:
        return [command for command in self.asked if command[0] == name]


AWAY = Said(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
NONE = Said(0, "", "")


def started_on(cluster, tmp_path, said=None, **how):
    job = make_job(tmp_path, **how)
    runner = SlurmRunner({}, (said if said is not None else []).append, commands=cluster, clock=cluster.clock)
    runner.submit(job)
    return runner, job


def test_a_controller_that_is_away_is_waited_for_and_a_full_queue_is_said(tmp_path):
    full = Said(1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed")
    cluster = Cluster(squeue=[AWAY, AWAY, NONE], sbatch=[full, full, Said(0, "41;here\n", "")])
    said = []

    started_on(cluster, tmp_path, said)

    assert SlurmPaths(tmp_path / "slurm").read_submission().id == "41"
    assert len(cluster.calls("sbatch")) == 3 and cluster.time == 4 * 5.0
    assert ["controller does not answer" in said[0], "takes no more jobs" in said[1]] == [True, True] and len(said) == 2


def test_a_controller_that_is_away_for_an_hour_stops_the_session_with_one_line(tmp_path):
    with pytest.raises(InfrastructureError, match="has not answered for 60 min.*Jobs in its queue are not lost"):
        started_on(Cluster(squeue=[AWAY]), tmp_path)
    cluster = Cluster(squeue=[NONE, AWAY], sbatch=[Said(0, "41", "")])
    runner, job = started_on(cluster, tmp_path / "running")
    assert runner.state(job) == "running"
    cluster.time += 600
    assert runner.state(job) == "running"
    assert "has not answered for 10 min" in runner.progress(job).stuck
    cluster.time += 3600
    with pytest.raises(InfrastructureError, match="has not answered for 60 min"):
        runner.state(job)


def test_what_slurm_refuses_stops_the_session_with_its_words(tmp_path):
    refused = Said(1, "", "sbatch: error: invalid partition specified: gpu\nsbatch: error: Batch job submission failed")
    with pytest.raises(InfrastructureError, match="refuses the job: sbatch: error: invalid partition.*--slurm"):
        started_on(Cluster(sbatch=[refused]), tmp_path)
    assert SlurmPaths(tmp_path / "slurm").read_submission() is None


def test_slurm_is_asked_now_and_then_however_often_the_loop_looks(tmp_path):
    cluster = Cluster(squeue=[NONE, Said(0, "41_0|RUNNING|n1|None", "")], sbatch=[Said(0, "41", "")])
    runner, job = started_on(cluster, tmp_path)
    before = len(cluster.calls("squeue"))
    for _ in range(100):
        assert runner.state(job) == "running"
        cluster.time += 0.25

    assert len(cluster.calls("squeue")) - before == 5


def test_a_file_that_comes_late_over_the_network_is_waited_for_before_a_task_counts_as_lost(tmp_path):
    ended = Said(0, "41_0|COMPLETED|n1|None", "")
    cluster = Cluster(squeue=[NONE, ended], sbatch=[Said(0, "41", "")])
    runner, job = started_on(cluster, tmp_path, seeds=(1,))
    assert runner.state(job) == "running"
    cluster.time += 15
    assert runner.state(job) == "running"
    cluster.time += 10

    assert runner.state(job) == "finished"
    assert runner.result(job).trainings[0].reason == "killed"
    assert "it ended without a result (COMPLETED)" in runner.result(job).trainings[0].detail


def test_a_cancel_that_the_controller_forgot_is_made_again(tmp_path):
    runs = Said(0, "41_0|RUNNING|n1|None", "")
    cluster = Cluster(squeue=[NONE, AWAY, runs], sbatch=[Said(0, "41", "")])
    runner, job = started_on(cluster, tmp_path, seeds=(1,))
    runner.cancel(job)
    assert JobPaths.of(job).cancel.exists() and not cluster.calls("scancel")

    for _ in range(2):
        assert runner.state(job) == "running"
        cluster.time += 5
    cluster.says["squeue"] = [Said(0, "41_0|CANCELLED|n1|None", "")]

    assert cluster.calls("scancel") == [["scancel", "41"]] * 2
    assert runner.state(job) == "finished" and runner.result(job).outcome == "cancelled"


def test_a_task_that_slurm_could_not_start_and_holds_is_released_a_few_times(tmp_path):
    held = Said(0, "41_0|PENDING||launch failed requeued held", "")
    cluster = Cluster(squeue=[NONE, held], sbatch=[Said(0, "41", "")])
    runner, job = started_on(cluster, tmp_path, seeds=(1,))
    for _ in range(6):
        assert runner.state(job) == "running"
        cluster.time += 5

    assert cluster.calls("scontrol") == [["scontrol", "release", "41_0"]] * 3
    assert "launch failed requeued held; this does not end by waiting" in runner.progress(job).stuck


if __name__ == "__main__":
    GOLDEN.write_text(_script())
