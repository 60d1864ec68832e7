"""Seeds spread over worlds: which data a training gets, and what the record says of it."""

from pathlib import Path

from agent.core.record import World
from tests.support.jobs import make_job
from tests.support.records import record

FURTHER = tuple(World(train_data=f"/w{n}/train", truth_data=f"/w{n}/truth") for n in (2, 3))


def test_the_seeds_of_a_job_take_turns_in_its_worlds_and_see_no_other(tmp_path):
    job = make_job(tmp_path, seeds=(3, 4, 5, 6, 7)).model_copy(
        update={"train_data": "/w1/train", "truth_data": "/w1/truth", "worlds": FURTHER}
    )
    seen = [job.in_world_of(seed) for seed in job.seeds]

    assert [one.train_data for one in seen] == [f"/w{n}/train" for n in (1, 2, 3, 1, 2)]
    assert [one.truth_data for one in seen] == [f"/w{n}/truth" for n in (1, 2, 3, 1, 2)]
    assert all(one.worlds == () for one in seen)
    assert job.data_folders == (Path("/w1"), Path("/w2"), Path("/w3"))


def test_a_record_keeps_the_worlds_of_its_seeds_apart():
    names = ("data/train/x.npy", "data/world-2/train/x.npy", "data/world-3/train/x.npy")
    spread = record(seeds=(3, 4, 5, 6), hashes={"code/experiment.py": "c", **dict(zip(names, "abd", strict=True))})

    assert spread.worlds == ({"train/x.npy": "a"}, {"train/x.npy": "b"}, {"train/x.npy": "d"})
    assert [spread.world_of(seed) for seed in spread.seeds] == [1, 2, 3, 1]


def test_a_record_of_one_world_is_read_as_before():
    assert record().worlds == ({"train/x.npy": "d"},) and record().world_of(1) == 1
    assert record(hashes={}).worlds == () and record(hashes={}).world_of(1) == 1
