"""A reader never sees half a file, whatever happens to the writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.storage.atomic import open_beside, sweep, write_bytes, write_text
from tests.support import ROOT


def test_the_new_text_replaces_the_old_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "state.json"
    write_text(path, "old")
    write_text(path, "new é")

    assert path.read_text(encoding="utf-8") == "new é"
    assert os.listdir(tmp_path) == ["state.json"]


def test_the_mode_is_the_one_asked_for(tmp_path):
    write_bytes(tmp_path / "secret", b"x", mode=0o600)

    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_keeps_the_old_file(tmp_path):
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "inside").write_text("kept")

    with pytest.raises(OSError):
        write_text(folder, "a folder stands here")

    assert (folder / "inside").read_text() == "kept"
    assert os.listdir(tmp_path) == ["taken"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"0" * 300_000)
    code = (
        "import sys; from pathlib import Path; from agent.storage.atomic import write_bytes\n"
        "i = 0\nprint('up', flush=True)\n"
        "while True: i = (i + 1) % 10; write_bytes(Path(sys.argv[1]), str(i).encode() * 300_000)"
    )
    for delay in (0.01, 0.03, 0.06):
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        data = path.read_bytes()
        assert len(data) == 300_000 and len(set(data)) == 1


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_is_not(tmp_path):
    folder = tmp_path / "calls"
    folder.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from agent.storage.atomic import open_beside\n"
        "open_beside(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, folder / "plan.1.json"], cwd=ROOT)
    handle, beside = open_beside(folder / "plan.2.json")
    (folder / ".kept").write_text("somebody else's")
    (folder / ".fifo.new").mkdir()
    os.mkfifo(folder / ".pipe.new")
    (folder / ".link.new").symlink_to(tmp_path / "nowhere")
    assert len(list(folder.glob(".plan.1.json.*.new"))) == 1

    sweep(tmp_path)

    assert list(folder.glob(".plan.1.json.*.new")) == []
    assert Path(beside).exists() and (folder / ".kept").exists() and (folder / ".link.new").is_symlink()
    os.close(handle)
    sweep(tmp_path)
    sweep(tmp_path / "not made yet")
    assert not Path(beside).exists()
