"""The shared disk: bounded, oldest first, never what is in use, and never sessions or secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from agent.lab.worlds import prepared
from agent.storage.cache import PROBES, TURN, clean, data_sets, held, hold, make_room, summary, trim
from tests.support import ROOT
from tests.support.tiny import SETTINGS, TINY

MB = 1 << 20


def data_set(cache: Path, name: str, used: float, size: int = MB) -> Path:
    folder = cache / "data" / name
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "activations.npy").write_bytes(os.urandom(size))
    os.utime(folder, (used, used))
    return folder


def test_what_was_not_used_for_longest_goes_first_and_only_as_much_as_needed(tmp_path):
    old, middle, new = (data_set(tmp_path, name, used) for name, used in (("a", 1), ("b", 2), ("c", 3)))
    gone = trim(tmp_path, 2.5 * MB / 1e9)

    assert [kept.path for kept in gone] == [old]
    assert not old.exists() and middle.exists() and new.exists()


def test_what_is_in_use_stays_even_over_the_limit(tmp_path):
    old, new = data_set(tmp_path, "a", 1), data_set(tmp_path, "b", 2)
    with held(old):
        os.utime(old, (1, 1))
        assert [kept.path for kept in trim(tmp_path, 0)] == [new]
    assert old.exists()
    assert [kept.path for kept in trim(tmp_path, 0)] == [old]


def test_another_process_holds_too_and_lets_go_when_it_is_killed(tmp_path):
    folder = data_set(tmp_path, "a", 1)
    code = (
        "import sys; from pathlib import Path; from agent.storage.cache import hold; "
        "hold(Path(sys.argv[1])); print(1, flush=True); input()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    assert trim(tmp_path, 0) == []
    process.kill()
    process.wait()
    assert [kept.path for kept in trim(tmp_path, 0)] == [folder]


def test_room_is_made_by_the_oldest_that_nobody_uses_and_only_where_that_is_enough(tmp_path):
    old, used, new = (data_set(tmp_path, name, age, 2 * MB) for age, name in enumerate(("a-1", "b-1", "c-1"), 1))

    def free(folder):
        """A disk of seven megabytes."""
        return 7 * MB - sum(kept.size for kept in data_sets(folder))

    with held(used):
        assert make_room(tmp_path, 20 * MB, free) == [] and make_room(tmp_path, MB // 2, free) == []
        assert [kept.path for kept in make_room(tmp_path, 3 * MB // 2, free)] == [old]
        assert used.is_dir() and new.is_dir()
        assert [kept.path for kept in make_room(tmp_path, 6 * MB, free)] == [new]


def test_what_is_being_built_stays(tmp_path):
    folder = data_set(tmp_path, "a.new", 1)
    with FileLock(f"{tmp_path / 'data' / 'a'}.lock"):
        assert trim(tmp_path, 0) == []
    assert [kept.path for kept in trim(tmp_path, 0)] == [folder]


def test_using_a_data_set_makes_it_young_again(tmp_path):
    first, second = data_set(tmp_path, "a", 1), data_set(tmp_path, "b", 2)
    os.close(hold(first))
    assert [kept.path for kept in data_sets(tmp_path)] == [second, first]


def test_data_is_held_from_the_moment_it_is_ready(tmp_path):
    handles = []
    data = prepared(TINY, "tiny", SETTINGS, 1, tmp_path, use=lambda folder: handles.append(hold(folder)))
    assert trim(tmp_path, 0) == [] and data.train.is_dir()
    os.close(handles[0])
    assert trim(tmp_path, 0) and not data.train.exists()
    assert prepared(TINY, "tiny", SETTINGS, 1, tmp_path).hashes == data.hashes  # built again, the same


@pytest.mark.parametrize("busy", [False, True])
def test_clean_says_what_it_freed_and_leaves_secrets_and_sessions(tmp_path, busy):
    cache = tmp_path / ".cache"
    data_set(cache, "a", 1)
    for name in ("baselines/x.json", "secrets/w"):
        (cache / name).parent.mkdir()
        (cache / name).write_text("{}")
    (tmp_path / "session").mkdir()
    assert "1 data set, 1 baseline result" in summary(cache)
    said = clean(cache, busy=busy)

    assert said.startswith("freed 1 MB: 1 data set, " + ("0 baseline results" if busy else "1 baseline result"))
    assert (cache / "secrets" / "w").exists() and (tmp_path / "session").exists()
    assert (cache / "baselines" / "x.json").exists() == busy


def test_clean_frees_the_probes_of_sae_bench_unless_one_is_at_work(tmp_path):
    probe = tmp_path / PROBES / "model-0/blocks.0.hook_resid_post/probes.pth"
    probe.parent.mkdir(parents=True)
    probe.write_bytes(bytes(1 << 20))
    assert summary(tmp_path).startswith("1 MB in") and "probes of sae-bench" in summary(tmp_path)
    with FileLock(tmp_path / PROBES / TURN):
        assert clean(tmp_path, busy=False).startswith("freed 0 MB") and probe.exists()
    assert "sae-bench's probes" in clean(tmp_path, busy=False)
    assert not probe.exists()


def test_the_command_cleans_an_empty_workspace_too(tmp_path):
    root = ROOT
    done = subprocess.run(
        [sys.executable, root / "launch.py", "--clean", "--workspace", tmp_path], text=True, capture_output=True
    )
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "freed 0 MB")
