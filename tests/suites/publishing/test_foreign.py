"""A folder that a stranger sent is data: --verify writes nothing, reads nothing outside of it, and never hangs."""

import json
import os
import shutil

import pytest

from tests.support.bounded import launch
from tests.support.frozen import commit, finished, git, plant
from tests.support.tricks import TRICKS, UNREAD

SECRET = "the owner's own words"


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def session(archived, tmp_path):
    shutil.copytree(archived, tmp_path / "workspace" / archived.name)
    return tmp_path / "workspace" / archived.name


@pytest.fixture
def outside(tmp_path):
    """A folder of the owner's, with a file that must stay as it is and whose words must not be told."""
    folder = tmp_path / "owner"
    folder.mkdir()
    (folder / "notes.txt").write_text(SECRET)
    return folder


def refused(done, *said):
    """It ended with a word and without a traceback, and verified nothing."""
    text = done.stdout + done.stderr
    assert done.returncode in (1, 2, 3) and "Traceback" not in text and SECRET not in text, text
    assert not said or any(word in text for word in said), text
    return text


def untouched(outside):
    assert [p.name for p in outside.iterdir()] == ["notes.txt"] and (outside / "notes.txt").read_text() == SECRET


def account(repo, **changes):
    path = repo / "paper/meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---------------------------------------------------------------- names that an account, a manifest or a tree gives


@pytest.mark.parametrize("form", ["absolute", "upward"])
@pytest.mark.parametrize("field", ["figures", "style"])
def test_an_account_names_no_file_to_write(session, outside, form, field):
    repo, target = session / "repo", outside / "notes.txt"
    name = str(target) if form == "absolute" else "../" * 30 + str(target)[1:]
    figure = {"name": "x", "file": name, "caption": "c", "by": "agent", "width": 1.0}
    account(repo, **({"figures": [figure]} if field == "figures" else {"style": [name]}))
    commit(repo)

    refused(launch("--verify", repo), "NOT VERIFIED")

    untouched(outside)


def test_a_bare_repository_with_an_absolute_entry_writes_no_file(session, outside):
    """The tree holds the content under the very name that the account gives."""
    repo, target = session / "repo", outside / ".bashrc"
    account(repo, figures=[{"name": "x", "file": str(target), "caption": "c", "by": "agent", "width": 1.0}])
    commit(repo)
    plant(repo, {str(target): b"echo owned\n"})
    git(outside.parent, "clone", "-q", "--bare", repo, outside.parent / "bare.git")

    refused(launch("--verify", outside.parent / "bare.git"), "NOT VERIFIED")

    untouched(outside)


@pytest.mark.parametrize("field", ["name", "artefact", "plot"])
def test_a_manifest_names_no_file_to_write(session, outside, field):
    repo = session / "repo"
    path = repo / "template/manifest.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{field} =")]
    path.write_text(f'{field} = "{outside}/new"\n' + "\n".join(lines) + "\n")
    commit(repo)

    refused(launch("--verify", session, "--artefacts", "--trust"))

    untouched(outside)


@pytest.mark.parametrize("name", ["../up.txt", "/etc/absolute", "a/../../b", ".git/hooks/pre-commit", "a\nb"])
def test_a_tree_with_a_name_that_leads_elsewhere_is_refused(session, name):
    plant(session / "repo", {name: b"x"})

    refused(launch("--verify", session / "repo"), "NOT VERIFIED", "not the repository")


# ---------------------------------------------------------------- links, pipes, devices


@pytest.mark.parametrize(
    ("place", "kind"),
    [("notes.txt", "zero"), ("paper/paper.tex", "fifo"), ("paper/paper.pdf", "zero"), ("records/0.json", "secret")],
)
def test_what_is_no_plain_file_in_a_work_tree_is_not_opened(session, outside, place, kind):
    path = session / "repo" / place
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "zero" else outside / "notes.txt")

    refused(launch("--verify", session / "repo"), "NOT VERIFIED")


def test_a_committed_link_is_not_followed(session):
    plant(session / "repo", {"notes.txt@link": b"/dev/zero"})
    git(session / "repo", "checkout", "-q", "-f", "HEAD")

    refused(launch("--verify", session / "repo"), "NOT VERIFIED", "not the repository")


@pytest.mark.parametrize("kind", ["zero", "fifo", "secret"])
@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("--verify", "events.jsonl"),
        ("--status", "events.jsonl"),
        ("--status", "lock"),
        ("--follow", "events.jsonl"),
        ("--follow", "lock"),
        ("--bundle", "lock"),
    ],
)
def test_a_sessions_own_files_are_plain_ones_or_refused(session, outside, place, kind, what):
    path = session / place
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "zero" else outside / "notes.txt")
    folder = [] if what == "--status" else [session]

    done = launch(what, *folder, "--workspace", session.parent, *(["--out", outside.parent] if "b" in what else []))

    assert "Traceback" not in done.stderr and SECRET not in done.stdout + done.stderr
    untouched(outside)


# ---------------------------------------------------------------- what .git may hold


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_a_trick_of_the_git_folder_is_refused_and_nothing_outside_is_read(session, outside, trick):
    trick(session / "repo/.git", outside)

    refused(launch("--verify", session / "repo"))
    untouched(outside)


@pytest.mark.parametrize("trick", UNREAD, ids=lambda trick: trick.__name__)
def test_the_configuration_of_a_strangers_repository_is_not_read(session, outside, trick):
    trick(session / "repo/.git", outside)

    assert "Numbers: 73 of 73 printed results" in launch("--verify", session / "repo").stdout


def test_a_small_object_that_unpacks_to_gigabytes_is_refused(session):
    repo = session / "repo"
    with open(repo / "huge", "wb") as file:
        file.truncate(1 << 30)
    commit(repo)
    (repo / "huge").unlink()

    assert "larger" in refused(launch("--verify", repo))


def test_a_tree_of_trees_that_names_a_billion_files_is_refused(session):
    repo = session / "repo"
    blob = git(repo, "hash-object", "-w", "--stdin", feed=b"x")
    inner = f"100644 blob {blob}\tf\n"
    for _ in range(10):
        tree = git(repo, "mktree", feed=inner.encode())
        inner = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
    top = git(repo, "mktree", feed=f"{git(repo, 'ls-tree', 'HEAD')}\n040000 tree {tree}\tbomb\n".encode())
    made = git(repo, "commit-tree", top, "-p", "HEAD", "-m", "quiet\n\nEvent: notes")
    git(repo, "update-ref", "HEAD", made)

    refused(launch("--verify", repo))


# ---------------------------------------------------------------- code


def test_a_strangers_artefacts_are_measured_only_when_told_and_its_code_stays_behind_walls(session, outside):
    """Its job.json asks for no sandbox and a Python of its own; its evaluate.py and experiment.py reach outside."""
    program = outside.parent / "python"
    program.write_text(f"#!/bin/sh\necho owned > {outside}/owned\n")
    program.chmod(0o755)
    for path in session.glob("runs/*/*/job.json"):
        environment = {"key": "x", "python": str(program), "trees": ["/"], "version": "3.11", "packages": {}}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sandbox": "none", "environment": environment}))
    planted = f"\nimport os\ntry:\n    open({str(outside / 'owned')!r}, 'w')\nexcept OSError:\n    pass\n"
    repo = session / "repo"
    for name in ("template/evaluate.py", "template/prepare.py"):
        (repo / name).write_text((repo / name).read_text() + planted)

    untrusted = launch("--verify", session, "--artefacts")
    refused(untrusted)
    untouched(outside)


def test_the_command_says_whose_code_it_would_run_and_runs_it_in_the_sandbox_with_trust(session, outside):
    words = ("--verify", session, "--artefacts", "--workspace", outside.parent / "mine")

    said = refused(launch(*words), "--trust")
    assert "not made by this installation" in said and "evaluate.py" in said
    trusted = launch(*words, "--trust", seconds=280)

    assert trusted.returncode == 0 and "artefacts re-evaluated" in trusted.stdout, trusted
    untouched(outside)


def test_a_session_of_another_installation_is_resumed_only_when_told(session):
    said = refused(launch("--resume", session), "--trust")

    assert "not made by this installation" in said
