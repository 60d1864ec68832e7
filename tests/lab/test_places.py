"""Trainings of all sessions on a machine take places; a place is free once nobody who holds it lives."""

import os
import signal

import pytest

from agent.core.manifest import Limits
from agent.lab.jobs.inventory import Gpu, Inventory, places_of, read_list, seen
from agent.lab.jobs.local import LocalRunner
from agent.lab.jobs.paths import JobPaths
from agent.lab.jobs.places import Claim, Places, Pool, folder, holders
from agent.lab.jobs.waiting import Wait
from agent.storage.locks import is_locked
from tests.support import until
from tests.support.jobs import make_job, running_in_sandbox, started, supervisor

ONE = Inventory(cores=(0,))
TWO_GPUS = Inventory(cores=(0, 1), gpus=(Gpu("0", 80_000), Gpu("1", 80_000)))


def cores(where, number, wanted=1):
    names = tuple(f"core-{n}" for n in range(number))
    return Places(folder=str(where), pools=(Pool(name="core", places=names, wanted=wanted),))


def gpus(where, *wanted):
    pools = [
        Pool(name=f"gpu-{n}", places=tuple(f"gpu-{n}.{part}" for part in range(2)), wanted=parts, visible=str(n))
        for n, parts in enumerate(wanted)
    ]
    return Places(folder=str(where), pools=tuple(pools))


def refused(claim):
    """Asked twice: from the second time on it stands in the line."""
    return claim.take() is None and claim.take() is None


def runner(inventory=ONE, **chosen):
    return LocalRunner(measure="tests.support.fake_measure", inventory=lambda gpus: inventory, **chosen)


def test_a_place_is_held_by_one_and_its_holder_is_named(tmp_path):
    first, second = (Claim(cores(tmp_path, 1), who) for who in ("one, run 1", "two, run 3"))
    taken = first.take()

    assert taken and refused(second)
    assert second.behind().startswith("core: one, run 1, since ")
    assert [one.waits for one in holders(tmp_path)] == [False, True]
    taken.close()
    assert second.take()


def test_one_that_needs_many_places_gets_them_though_others_need_few(tmp_path):
    running = [Claim(cores(tmp_path, 2), f"small {n}").take() for n in range(2)]
    wide, late = Claim(cores(tmp_path, 2, wanted=2), "wide"), Claim(cores(tmp_path, 2), "late")
    assert refused(wide) and refused(late)
    for taken in running:
        taken.close()
        assert late.take() is None  # it came later, and the line is one
        got = wide.take()

    assert got and late.take() is None
    got.close()
    assert late.take()


def test_a_job_that_just_got_a_place_lets_another_have_the_next(tmp_path):
    busy = Claim(cores(tmp_path, 1), "greedy, seed 1").take()
    patient = Claim(cores(tmp_path, 1), "patient")
    greedy = Claim(cores(tmp_path, 1), "greedy, seed 2")
    assert greedy.take() is None and refused(patient)
    busy.close()

    assert greedy.take() is None and patient.take()


def test_the_memory_of_a_gpu_is_shared_and_a_training_is_on_one_gpu_alone(tmp_path):
    half = [Claim(gpus(tmp_path, 1, 1), f"half {n}").take() for n in range(3)]
    assert [taken.visible for taken in half] == ["0", "0", "1"]

    whole = Claim(gpus(tmp_path, 2, 2), "whole")
    assert refused(whole)
    half[2].close()
    assert whole.take().visible == "1"


def test_who_waits_for_several_gpus_stands_in_one_line_alone(tmp_path):
    held = Claim(gpus(tmp_path, 2), "first").take(), Claim(gpus(tmp_path, 0, 2), "x")
    both = Claim(gpus(tmp_path, 2, 2), "either")
    other = Claim(Places(folder=str(tmp_path), pools=gpus(tmp_path, 2, 2).pools[1:]), "second")
    taken = other.take()
    assert refused(both)
    waits = [one.place for one in holders(tmp_path) if one.waits]
    assert waits == ["gpu-0"]
    taken.close()
    assert both.take().visible == "1" and held[0]


def test_who_waits_no_longer_keeps_nothing(tmp_path):
    busy = Claim(cores(tmp_path, 2), "busy").take()
    wide = Claim(cores(tmp_path, 2, wanted=2), "wide")
    assert refused(wide)
    wide.close()

    assert Claim(cores(tmp_path, 2), "next").take() and busy


@pytest.mark.parametrize(
    ("device", "chosen", "gpu_gb", "expected"),
    [
        ("cpu", "all", 0.0, [("core", 2, 2, "")]),
        ("cuda", "all", 0.0, [("gpu-0", 8, 8, "0"), ("gpu-1", 8, 8, "1")]),
        ("cuda", "1", 12.0, [("gpu-1", 8, 2, "1")]),
        ("cuda", "all", 500.0, [("gpu-0", 8, 8, "0"), ("gpu-1", 8, 8, "1")]),
        ("cuda:1", "all", 0.0, [("gpu-1", 8, 8, "")]),  # of an older session: the code itself names the GPU
    ],
)
def test_what_a_training_takes_follows_from_its_device_and_memory(tmp_path, device, chosen, gpu_gb, expected):
    job = make_job(tmp_path).model_copy(update={"device": device, "threads": 9})
    found = places_of(job, TWO_GPUS, chosen, gpu_gb, tmp_path)
    assert [(pool.name, len(pool.places), pool.wanted, pool.visible) for pool in found.pools] == expected


def test_gpus_are_those_that_the_driver_lists_and_the_variable_lets_be_seen():
    listed = read_list("0, GPU-aa, 81559\n1, GPU-bb, [N/A]\nno devices\n")
    assert seen(listed, None) == (Gpu("0", 81559), Gpu("1"))
    assert seen(listed, "GPU-bb, 0") == (Gpu("1"), Gpu("0", 81559))
    assert seen(listed, "MIG-x") == (Gpu("MIG-x"),)
    assert seen(listed, "") == ()


def test_a_training_sees_its_gpu_alone_and_two_are_on_different_ones(tmp_path):
    job = make_job(tmp_path, seeds=(1, 2), slots=2, way="gate").model_copy(update={"device": "cuda"})
    jobs = runner(TWO_GPUS)
    jobs.submit(job)
    until(lambda: running_in_sandbox(job, 1) and running_in_sandbox(job, 2))
    (tmp_path / "open").touch()
    until(lambda: jobs.state(job) == "finished")

    said = {(tmp_path / f"gpu-{seed}").read_text() for seed in (1, 2)}
    assert said == {"0 PCI_BUS_ID", "1 PCI_BUS_ID"}


def test_a_job_waits_for_a_place_says_for_whom_and_the_wait_is_no_training_time(tmp_path):
    first = make_job(tmp_path / "s1" / "runs" / "1" / "attempt-1", seeds=(1,), way="gate")
    second = make_job(tmp_path / "s2" / "runs" / "1" / "attempt-1", seeds=(1,), key="b")
    jobs = runner()
    jobs.submit(first)
    until(lambda: running_in_sandbox(first))
    jobs.submit(second)
    until(lambda: jobs.progress(second).waiting)

    assert jobs.progress(second).waiting.startswith("core: s1, run 1, seed 1, k8, since ")
    assert not started(second) and jobs.state(second) == "running"
    (JobPaths.of(first).root / "open").touch()
    until(lambda: jobs.state(second) == "finished")
    result = jobs.result(second)
    alive = JobPaths.of(second).waiting.exists()
    assert result.outcome == "measured" and not alive
    waited = JobPaths.of(second).result.stat().st_mtime - result.started_at
    assert result.wall_s < waited - 1.5  # a wait is told after two seconds, so that it was at least as long


def test_a_session_trains_no_more_at_once_than_its_slots_whichever_job_a_training_is_of(tmp_path):
    first, second = (make_job(tmp_path / name, seeds=(1,), key=name, way="gate") for name in ("one", "two"))
    first, second = (job.model_copy(update={"slots_folder": str(tmp_path / "slots")}) for job in (first, second))
    jobs = runner(Inventory(cores=(0, 1, 2)))
    jobs.submit(first)
    until(lambda: running_in_sandbox(first))
    clock = iter(range(0, 100, 5))
    wait = Wait(second, tmp_path / "told", cores(tmp_path / "places", 1), clock=lambda: next(clock))

    assert wait.taken((1, "k8"), idle=True) is wait.taken((1, "k8"), idle=True) is None
    assert not (tmp_path / "told").exists()  # its own trainings are no news to a session
    (tmp_path / "one" / "open").touch()
    until(lambda: jobs.state(first) == "finished")
    taken = wait.taken((1, "k8"), idle=True)
    assert taken and is_locked(tmp_path / "slots" / "0")
    taken.close()
    assert not is_locked(tmp_path / "slots" / "0")


def test_a_job_that_waits_is_cancelled_at_once(tmp_path):
    busy = Claim(places_of(make_job(tmp_path), ONE), "a session").take()
    job = make_job(tmp_path / "job", seeds=(1,))
    jobs = runner()
    jobs.submit(job)
    until(lambda: jobs.state(job) == "running")
    jobs.cancel(job)
    until(lambda: jobs.state(job) != "running")

    assert jobs.result(job).outcome == "cancelled" and not started(job)
    assert busy and [one.who.partition(",")[0] for one in holders(folder())] == ["a session"]


def test_a_killed_supervisor_frees_its_place_and_one_that_outlives_its_loop_keeps_it(tmp_path):
    job = make_job(tmp_path, seeds=(1,), way="sleep").model_copy(update={"limits": Limits(wall_s=300)})
    loop = os.fork()
    if loop == 0:
        try:
            runner().submit(job)
        finally:
            os._exit(0)
    os.waitpid(loop, 0)
    until(lambda: running_in_sandbox(job))
    assert is_locked(folder() / "core-0")

    os.kill(supervisor(job), signal.SIGKILL)
    until(lambda: not is_locked(folder() / "core-0"))
    assert holders(folder()) == []
