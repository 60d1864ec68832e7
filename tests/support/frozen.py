"""The archived session of an older version, unpacked within a second into a folder that a test may change."""

from __future__ import annotations

import re
import subprocess
import tarfile
from pathlib import Path

from tests.support import ROOT

NAME = "20260101_000000_tiny_idea"
WAS = re.compile(r"/opt/(?:runner-[0-9a-f]+/tests|frozen)(?=/)")  # where the archives were recorded
ARCHIVES = sorted((ROOT / "tests/whole/frozen").glob("*.tar.xz"))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an archive into `folder` and puts the new place into its files; returns its top folder."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder)  # the archives are ours, and Python before 3.11.4 has no filter
    (top,) = (path for path in folder.iterdir() if path.name == archive.name.removesuffix(".tar.xz"))
    for path in top.glob("*/*/**/*"):
        if path.name in ("events.jsonl", "job.json") and path.is_file():
            path.write_text(WAS.sub(str(top), path.read_text()))
    return top


def finished(folder: Path) -> Path:
    """Unpacks a finished session below `folder`; returns its folder."""
    return unpack(ARCHIVES[0], folder) / "finished" / NAME


def git(folder: Path, *words: object, feed: bytes = b"") -> str:
    """Runs git in a folder with the runner's name as committer; returns what it prints."""
    who = ["-c", "user.name=experiment-runner", "-c", "user.email=experiment-runner@localhost"]
    done = subprocess.run(
        ["git", *who, "-c", "protocol.file.allow=always", *map(str, words)],
        cwd=folder,
        input=feed,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


def commit(folder: Path, event: str = "notes") -> None:
    """Commits everything in the folder."""
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"quiet\n\nEvent: {event}")


def plant(repo: Path, entries: dict[str, bytes]) -> str:
    """Adds a commit whose tree has these names at its top without any check, so also absolute ones and `..`.

    A name that ends in "@link" becomes a symbolic link to its content. HEAD's branch points to the commit, whose id is
    returned.
    """
    lines = git(repo, "ls-tree", "-z", "HEAD").encode()
    for name, data in entries.items():
        blob = git(repo, "hash-object", "-w", "--stdin", feed=data)
        mode = "120000" if name.endswith("@link") else "100644"
        lines += f"{mode} blob {blob}\t{name.removesuffix('@link')}\0".encode()
    tree = _tree(repo, lines)
    made = git(repo, "commit-tree", tree, "-p", "HEAD", "-m", "quiet\n\nEvent: notes")
    git(repo, "update-ref", "HEAD", made)
    return made


def _tree(repo: Path, lines: bytes) -> str:
    """Writes a tree object byte by byte, because git's own mktree refuses a slash in a name; returns its id."""
    found = {}
    for line in filter(None, lines.split(b"\0")):
        about, name = line.split(b"\t", 1)
        mode, _, blob = about.split()
        found[name] = (mode.lstrip(b"0"), bytes.fromhex(blob.decode()))
    body = b"".join(mode + b" " + name + b"\0" + blob for name, (mode, blob) in sorted(found.items()))
    return git(repo, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", feed=body)
