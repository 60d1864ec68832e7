"""agent.storage.git with the real git: named files only, one line of history, nothing lost to kill -9."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.storage.git import GitStore
from agent.storage.git_words import complaint
from tests.support import ROOT


class Repository:
    """A store whose clock is one the test sets, and plain git beside it, as a person would use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = 1_700_000_000.0
        self.store = GitStore(folder, lambda: self.time)

    def write(self, name: str, text: str) -> str:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        return name

    def commit(self, text: str, subject: str = "a run", **trailers: str) -> str:
        return self.store.commit([self.write("experiment.py", text)], subject, trailers)

    def git(self, *command: str) -> str:
        done = subprocess.run(["git", *command], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def test_plain_git_log_reads_as_the_story(repository: Repository):
    repository.commit("k = 1\n", "run 2, attempt 1: wider codebook", Run="2", Attempt="1", Status="measured", F1="0.8")
    repository.time += 60
    repository.commit("k = 2\n", "run 2, attempt 2", Run="2", Attempt="2")

    assert repository.git("log", "--format=%s|%an|%ae|%cn|%ai|%D") == (
        "run 2, attempt 2|experiment-runner|experiment-runner@localhost|experiment-runner"
        "|2023-11-14 22:14:20 +0000|HEAD -> main\n"
        "run 2, attempt 1: wider codebook|experiment-runner|experiment-runner@localhost|experiment-runner"
        "|2023-11-14 22:13:20 +0000|"
    )
    assert repository.git("log", "-1", "--skip=1", "--format=%(trailers)") == (
        "Run: 2\nAttempt: 1\nStatus: measured\nF1: 0.8"
    )
    assert repository.git("status", "--porcelain") == ""
    assert "dangling" not in repository.git("fsck", "--strict")


def test_a_repeated_commit_is_found_by_its_trailers(repository: Repository):
    first = repository.commit("k = 1\n", Run="1", Event="edited")
    repository.commit("k = 2\n", Run="1", Event="measured")

    assert repository.commit("k = 1\n", "another subject", Run="1", Event="edited") == first
    assert repository.git("rev-list", "--count", "HEAD") == "2"


def test_a_commit_with_fewer_trailers_is_another_commit(repository: Repository):
    both = repository.commit("k = 1\n", Run="1", Event="edited")

    assert repository.store.find({"Run": "1"}) == both
    assert repository.commit("k = 1\n", Run="1") != both


def test_a_repeated_edit_starts_from_where_it_started_the_first_time(repository: Repository):
    first = repository.commit("k = 1\n", Run="1", Event="edit")
    assert repository.store.base({"Run": "2", "Event": "edit"}) == first

    repository.commit("k = 2\n", Run="2", Event="edit")  # then a kill, before the event

    assert repository.store.base({"Run": "2", "Event": "edit"}) == first
    assert repository.store.base({}) == repository.store.head()


def test_find_gives_the_newest_and_none_where_there_is_none(repository: Repository):
    assert repository.store.find({"Run": "1"}) is None
    repository.commit("k = 1\n", Run="1", Attempt="1")
    newest = repository.commit("k = 2\n", Run="1", Attempt="2")

    assert repository.store.find({"Run": "1"}) == newest
    assert repository.store.find({"Run": "10"}) is None


def test_an_event_without_a_changed_file_is_a_commit_too(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    second = repository.store.commit([], "run 1 refused: no training", {"Run": "1", "Status": "refused"})

    assert second != first
    assert repository.store.tree(second) == repository.store.tree(first)
    assert repository.store.head() == second


def test_only_the_named_files_are_committed(repository: Repository):
    repository.write("secret.txt", "planted")
    repository.git("add", "secret.txt")  # left in the index by whoever
    repository.commit("k = 1\n", Run="1")

    assert repository.git("ls-tree", "-r", "--name-only", "HEAD") == "experiment.py"


def test_a_file_that_is_gone_is_committed_as_deleted(repository: Repository):
    repository.store.commit([repository.write("a.txt", "a"), repository.write("b.txt", "b")], "two", {})
    (repository.folder / "a.txt").unlink()
    repository.store.commit(["a.txt"], "one", {})

    assert repository.git("ls-tree", "-r", "--name-only", "HEAD") == "b.txt"


def test_a_message_of_a_model_s_making_stays_one_subject(repository: Repository):
    evil = "wider\n\nStatus: measured\x1b[31m\x00 # no comment"
    commit = repository.commit("k = 1\n", evil, Run="1\nStatus: measured")

    assert repository.git("log", "-1", "--format=%s") == "wider Status: measured [31m # no comment"
    assert repository.git("log", "-1", "--format=%(trailers)") == "Run: 1 Status: measured"
    assert repository.store.find({"Run": "1\nStatus: measured"}) == commit


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/etc/hostname",
        ".git/config",
        "sub/.GIT/config",
        "",
        "a/../b",
        "./experiment.py",
        "line\nbreak",
        "sub",
        "nested/inside.py",
        "link.txt",
        "linked/inside.py",
        "fifo",
    ],
)
def test_what_is_no_plain_file_inside_is_refused(repository: Repository, tmp_path: Path, name: str):
    repository.write("sub/inside.py", "x")
    repository.write("nested/inside.py", "x")
    subprocess.run(["git", "init", "-q", "nested"], cwd=repository.folder, check=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "inside.py").write_text("x")
    (repository.folder / "link.txt").symlink_to("/etc/hostname")
    (repository.folder / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(repository.folder / "fifo")

    with pytest.raises(InfrastructureError, match="git: "):
        repository.store.commit([name], "bad", {})
    assert repository.store.head() == ""


def test_hooks_filters_attributes_and_fsmonitor_of_others_run_nothing(repository: Repository, tmp_path: Path):
    ran = tmp_path / "ran"
    first = repository.commit("k = 1\n", Run="1")
    script = f"#!/bin/sh\ntouch {ran}\ncat\n"
    for hook in ("pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-index-change"):
        path = repository.folder / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    for key, value in (
        ("filter.evil.clean", f"sh -c 'touch {ran}; cat'"),
        ("diff.evil.textconv", f"touch {ran};"),
        ("filter.evil.smudge", f"sh -c 'touch {ran}; cat'"),
        ("diff.evil.command", f"touch {ran};"),
    ):
        repository.git("config", key, value)
    attributes = repository.write(".gitattributes", "* filter=evil diff=evil text eol=crlf ident export-ignore\n")

    second = repository.store.commit([attributes, repository.write("experiment.py", "k = 2 $Id$\r\n")], "evil", {})
    repository.store.diff(first, second)
    repository.store.reset(first)
    repository.store.reset(second)

    assert not ran.exists()
    assert (repository.folder / "experiment.py").read_bytes() == b"k = 2 $Id$\r\n"


def test_the_user_s_git_configuration_and_environment_count_for_nothing(tmp_path: Path):
    (tmp_path / ".gitconfig").write_text("[user]\nname = Somebody\n[commit]\ngpgSign = true\n[core]\nautocrlf = true\n")
    code = (
        "import sys; from pathlib import Path; from agent.storage.git import GitStore\n"
        "store = GitStore(Path(sys.argv[1]) / 'repo'); (store.folder / 'a').write_bytes(b'1\\r\\n')\n"
        "print(store.commit(['a'], 'one', {}))"
    )
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "GIT_DIR": "/nowhere",
        "GIT_INDEX_FILE": "/nowhere/index",
        "GIT_AUTHOR_NAME": "Somebody",
        "GIT_WORK_TREE": "/nowhere",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    shown = subprocess.run(
        ["git", "log", "-1", "--format=%H %an"], cwd=tmp_path / "repo", capture_output=True, text=True, check=True
    )

    assert shown.stdout == done.stdout.strip() + " experiment-runner\n"


def test_reset_makes_the_work_tree_equal_and_moves_no_history(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    second = repository.commit("k = 2\n", Run="2")
    repository.write("experiment.py", "k = 99\n")
    repository.write("junk/deep/file", "x")
    repository.write(".gitignore", "ignored\n")
    repository.write("ignored", "x")
    subprocess.run(["git", "init", "-q", "nested"], cwd=repository.folder, check=True)

    repository.store.reset(first)

    assert (repository.folder / "experiment.py").read_text() == "k = 1\n"
    assert sorted(p.name for p in repository.folder.iterdir()) == [".git", "experiment.py"]
    assert repository.store.head() == second
    repository.store.reset(second)
    assert repository.git("status", "--porcelain") == ""
    assert (repository.folder / "experiment.py").read_text() == "k = 2\n"


def test_an_attempt_may_start_from_an_earlier_run_and_history_stays_one_line(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    repository.store.commit(
        [repository.write("helper.txt", "new in 2"), repository.write("experiment.py", "k = 2\n")],
        "run 2",
        {"Run": "2"},
    )
    repository.store.restore(first, ["experiment.py", "helper.txt"])

    assert (repository.folder / "experiment.py").read_text() == "k = 1\n"
    assert not (repository.folder / "helper.txt").exists()
    third = repository.store.commit(["experiment.py", "helper.txt"], "run 3", {"Run": "3"})
    assert repository.store.tree(third) == repository.store.tree(first)
    assert repository.git("rev-list", "--count", "--min-parents=2", "HEAD") == "0"
    assert repository.git("rev-list", "--count", "HEAD") == "3"


def test_the_tree_is_the_content_and_not_the_clock(repository: Repository, tmp_path: Path):
    other = Repository(tmp_path / "other")
    other.time = 1.0
    here, there = repository.commit("k = 1\n", Run="1"), other.commit("k = 1\n", Run="1")

    assert here != there
    assert repository.store.tree(here) == other.store.tree(there)


def test_show_diff_and_tag(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    repository.write("notes.txt", "größer\n\n")
    second = repository.store.commit(["notes.txt", repository.write("experiment.py", "k = 2\n")], "two", {})
    repository.store.tag("run/1", first)
    repository.store.tag("run/1", second)

    assert repository.store.show(second, "notes.txt") == "größer\n\n"
    assert "-k = 1\n+k = 2" in repository.store.diff(first, second, ["experiment.py"])
    assert "notes.txt" not in repository.store.diff(first, second, ["experiment.py"])
    assert repository.git("rev-parse", "run/1") == second


def test_what_git_refuses_is_one_line_with_its_reason(repository: Repository):
    repository.commit("k = 1\n", Run="1")
    store = repository.store
    for ask in (
        lambda: store.show("HEAD", "gone.py"),
        lambda: store.tree("0" * 40),
        lambda: store.tag("bad..name", "HEAD"),
        lambda: store.commit([], "x", {"a b": "c"}),
    ):
        with pytest.raises(InfrastructureError) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_of_what_git_says_its_complaint_is_kept_and_its_advice_is_not(repository: Repository, tmp_path: Path):
    """The last line that git prints is often advice for somebody who types git commands."""
    repository.commit("k = 1\n")
    (repository.folder / ".git/index.lock").touch()
    outer = tmp_path / "outer"
    shutil.copytree(repository.folder, outer / "inner")
    (outer / "inner/.git/index.lock").unlink()
    subprocess.run(["git", "init", "-q", "-b", "main", outer], check=True)
    said = {
        "index.lock': File exists": (repository.folder, ["read-tree", "HEAD"]),
        "unknown revision": (repository.folder, ["log", "nowhere"]),
        "not something we can merge": (repository.folder, ["merge", "nowhere"]),
        "did not match any": (outer, ["add", "inner", "nowhere"]),
    }
    for why, (folder, command) in said.items():
        done = subprocess.run(
            ["git", *command], cwd=folder, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
        )
        assert done.returncode and why in complaint(done.stderr), done.stderr
    assert (
        complaint("error: cannot pull\nhint: use --rebase\nfatal: diverged\nhint: or --ff-only\n") == "fatal: diverged"
    )
    assert complaint("hint: nothing but advice\n") == ""


def test_locks_that_a_killed_git_left_are_freed(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock", "config.lock"):
        (repository.folder / ".git" / name).write_text("")

    second = repository.commit("k = 2\n", Run="2")
    repository.store.reset(first)

    assert repository.git("rev-list", "--count", "HEAD") == "2"
    assert repository.store.head() == second
    assert list((repository.folder / ".git").rglob("*.lock")) == [repository.folder / ".git" / "runner.lock"]


def test_what_a_killed_git_began_is_dropped_by_the_next_process(repository: Repository):
    repository.commit("k = 1\n", Run="1")
    begun = repository.folder / ".git" / "objects" / "ab" / "tmp_obj_x1y2z3"
    begun.parent.mkdir(exist_ok=True)
    begun.write_bytes(b"half an object")

    GitStore(repository.folder)

    assert not begun.exists()
    assert repository.git("fsck", "--strict") == ""


def test_a_lock_is_not_taken_from_a_git_that_lives(repository: Repository):
    repository.commit("k = 1\n", Run="1")
    lock = repository.folder / ".git" / "index.lock"
    lock.write_text("")
    living = subprocess.Popen(["git", "cat-file", "--batch"], cwd=repository.folder, stdin=subprocess.PIPE)
    other = subprocess.Popen([sys.executable, "-c", _COMMIT, str(repository.folder), "2"], cwd=ROOT)
    try:
        time.sleep(0.8)
        assert other.poll() is None
        assert lock.exists()
    finally:
        living.stdin.close()
        living.wait(10)
    assert other.wait(20) == 0
    assert repository.git("rev-list", "--count", "HEAD") == "2"


def test_a_repository_that_git_gc_packed_goes_on(repository: Repository):
    first = repository.commit("k = 1\n", Run="1")
    repository.git("gc", "-q")
    repository.git("pack-refs", "--all")

    assert repository.store.head() == first
    assert GitStore(repository.folder).commit([], "two", {"Run": "2"}) == repository.git("rev-parse", "HEAD")


_COMMIT = """
import sys
from pathlib import Path
from agent.storage.git import GitStore
from agent.storage.git_words import complaint
store = GitStore(Path(sys.argv[1]))
for run in range(int(sys.argv[2]), int(sys.argv[2]) + (400 if len(sys.argv) > 3 else 1)):
    (store.folder / "experiment.py").write_text(f"k = {run}\\n")
    store.commit(["experiment.py"], f"run {run}", {"Run": str(run)})
"""


def test_kill_9_at_any_moment_of_commits_loses_and_doubles_nothing(tmp_path: Path):
    folder, chance = tmp_path / "repo", random.Random(7)
    main = folder / ".git" / "refs" / "heads" / "main"
    for turn in range(14):
        before = main.read_text() if main.exists() else ""
        writer = subprocess.Popen(
            [sys.executable, "-c", _COMMIT, str(folder), "0", "many"], cwd=ROOT, start_new_session=True
        )
        while turn > 3 and writer.poll() is None and (main.read_text() if main.exists() else "") == before:
            time.sleep(0.005)  # the later turns die among their commits, the first ones anywhere before
        time.sleep(chance.random() * (0.1 if turn > 3 else 0.5))
        (os.killpg if turn % 2 else os.kill)(writer.pid, signal.SIGKILL)  # with its git, or leaving it behind
        writer.wait()

    store = GitStore(folder)
    (folder / "experiment.py").write_text("k = last\n")
    last = store.commit(["experiment.py"], "last", {"Run": "last"})
    history = subprocess.run(
        ["git", "log", "--format=%s", "--reverse"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.split("\n")[:-1]

    assert history == [*(f"run {n}" for n in range(len(history) - 1)), "last"]
    assert len(history) > 10
    assert store.head() == last
    subprocess.run(["git", "fsck", "--strict"], cwd=folder, check=True, capture_output=True)
    store.reset(last)
    assert (
        subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True).stdout
        == ""
    )


def test_two_writers_take_turns(tmp_path: Path):
    GitStore(tmp_path / "repo")
    writers = [
        subprocess.Popen([sys.executable, "-c", _COMMIT, str(tmp_path / "repo"), str(n)], cwd=ROOT) for n in range(4)
    ]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert {GitStore(tmp_path / "repo").find({"Run": str(n)}) is not None for n in range(4)} == {True}
