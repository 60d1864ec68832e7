"""A baseline's result is found again by whatever decides it, and by nothing else."""

import shutil

import pytest

from agent.core.record import JobResult
from agent.lab.jobs.baselines import BaselineCache
from agent.lab.worlds import prepared
from tests.support.tiny import SETTINGS, TINY, job_of

RESULT = JobResult(
    key="k",
    outcome="measured",
    trainings=(),
    started_at=1.0,
    wall_s=2.0,
    device="cpu: a test",
    versions={},
    hashes={},
    sandbox="none",
)


@pytest.fixture
def kept(tmp_path):
    """A cache with a world and the result of a baseline on it."""
    cache = tmp_path / "one" / ".cache"
    job = job_of(tmp_path / "first", prepared(TINY, "tiny", SETTINGS, 7, cache))
    BaselineCache(cache / "baselines", job).store(RESULT)
    return cache


def test_it_is_found_from_another_workspace_that_links_the_cache_and_has_that_jobs_key(kept, tmp_path):
    linked = tmp_path / "other"
    linked.symlink_to(kept)
    job = job_of(tmp_path / "second", prepared(TINY, "tiny", SETTINGS, 7, linked), key="another")

    assert BaselineCache(linked / "baselines", job).load() == RESULT.model_copy(update={"key": "another"})


def test_it_is_found_after_the_cache_was_moved(kept, tmp_path):
    moved = tmp_path / "moved"
    shutil.move(kept, moved)
    job = job_of(tmp_path / "second", prepared(TINY, "tiny", SETTINGS, 7, moved))

    assert BaselineCache(moved / "baselines", job).load() == RESULT


def test_a_damaged_result_is_none_and_the_next_one_takes_its_place(kept, tmp_path):
    job = job_of(tmp_path / "second", prepared(TINY, "tiny", SETTINGS, 7, kept))
    next((kept / "baselines").glob("*.json")).write_text('{"key": "k", "outc')

    assert BaselineCache(kept / "baselines", job).load() is None
    BaselineCache(kept / "baselines", job).store(RESULT)
    assert BaselineCache(kept / "baselines", job).load() is not None


@pytest.mark.parametrize("change", ["world", "code", "seeds", "threads"])
def test_what_decides_it_makes_it_another(kept, tmp_path, change):
    world = prepared(TINY, "tiny", SETTINGS, 8 if change == "world" else 7, kept)
    code = TINY.path("experiment.py").read_text() + "# another line\n" if change == "code" else None
    changed = {"seeds": {"seeds": (5,)}, "threads": {"threads": 2}}.get(change, {})
    job = job_of(tmp_path / "second", world, code, **changed)

    assert BaselineCache(kept / "baselines", job).load() is None
