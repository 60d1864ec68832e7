"""What a killed process left in the folder for temporary things goes with the next one, and nothing else does."""

import os
import subprocess
import sys

import pytest

from agent.storage.temporary import PREFIX, TemporaryFolder, sweep_folders
from tests.support import ROOT

KILLED = """
import os, sys; from pathlib import Path; from agent.storage.temporary import TemporaryFolder
folder = TemporaryFolder("edit", Path(sys.argv[1])); os.mkdir(folder.name + "/deep"); os.kill(os.getpid(), 9)
"""


def test_a_folder_of_a_killed_process_is_swept_and_that_of_a_living_one_is_not(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT)
    assert [path.name[: len(PREFIX) + 4] for path in tmp_path.iterdir()] == [f"{PREFIX}edit"]
    with TemporaryFolder("review", tmp_path) as ours:
        sweep_folders(tmp_path)
        assert [str(path) for path in tmp_path.iterdir()] == [ours]
    assert not list(tmp_path.iterdir())


def test_what_others_put_there_under_such_a_name_is_left_alone(tmp_path):
    (kept := tmp_path / "kept").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("x")
    (tmp_path / f"{PREFIX}link").symlink_to(kept)
    os.mkfifo(tmp_path / f"{PREFIX}pipe")
    there = sorted(os.listdir(tmp_path))
    sweep_folders(tmp_path)
    assert sorted(os.listdir(tmp_path)) == there


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to somebody else")
def test_another_user_s_folder_is_left_alone(tmp_path):
    (folder := tmp_path / f"{PREFIX}edit-x").mkdir()
    os.chown(folder, 54321, 54321)
    sweep_folders(tmp_path)
    assert folder.is_dir()


def test_a_folder_that_nobody_tidied_up_lets_go_of_its_lock(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        TemporaryFolder("repository", tmp_path).cleanup()
        TemporaryFolder("repository", tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before and not list(tmp_path.iterdir())
