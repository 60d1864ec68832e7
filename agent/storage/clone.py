"""Reads the files of a repository at a URL. It is cloned bare, so nothing is checked out and no code of it runs.

No hook, filter, submodule or configuration of the repository is used; size and time of the download are bounded.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent.core.errors import UserError
from agent.storage.git_reader import BrokenRepository, bounded
from agent.storage.git_words import QUIET, complaint

URL = re.compile(r"(?:https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+")
FILES = 100_000  # of one commit
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "fetch.recurseSubmodules=false",
    "transfer.bundleURI=false",
)
_PROTOCOLS = "https:http:ssh:git:file"


@dataclass(frozen=True)
class Blob:
    """One file of a commit. `size` is None if the file was too large to be fetched."""

    name: str
    id: str
    size: int | None
    plain: bool  # it is a regular file, not a link or another repository


@dataclass(frozen=True)
class Clone:
    """The newest commit of a repository's default branch."""

    git_dir: Path
    commit: str

    def files(self) -> list[Blob]:
        """All files of the commit.

        Raises:
            UserError: there are more than FILES, or git cannot read them.
        """
        lines = [
            line for line in _git("ls-tree", "-r", "-l", "-z", self.commit, git_dir=self.git_dir).split(b"\0") if line
        ]
        if len(lines) > FILES:
            raise UserError(f"the repository holds more than {FILES} files")
        found = []
        for line in lines:
            about, _, name = line.decode("utf-8", "replace").partition("\t")
            mode, _, blob, size = about.split()
            found.append(Blob(name, blob, int(size) if size.isdigit() else None, mode in ("100644", "100755")))
        return found

    def read(self, blob: Blob) -> bytes:
        """The content of a file.

        Raises:
            UserError: git cannot read it.
        """
        return _git("cat-file", "blob", blob.id, git_dir=self.git_dir)


def cloned(url: str, folder: Path, largest: int) -> Clone:
    """Fetch the newest commit into `folder`, which must not exist. Files of more than `largest` bytes may be missing.

    Raises:
        UserError: it cannot be fetched.
    """
    shallow = ("--bare", "--depth=1", "--single-branch", "--no-tags", "--template=", "--no-recurse-submodules")
    _git("clone", "--quiet", *shallow, f"--filter=blob:limit={largest}", "--", url, str(folder))
    return Clone(folder, _git("rev-parse", "--verify", "HEAD^{commit}", git_dir=folder).decode().strip())


def without_password(url: str) -> str:
    """The URL without a user's name and password, so that it can be stored and shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.scheme and parts.netloc else url


def _git(*command: str, git_dir: Path | None = None) -> bytes:
    """Run one git command. This user's own git configuration applies, because it has proxies and credentials."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {**QUIET, "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_NO_LAZY_FETCH": "1", "GIT_LFS_SKIP_SMUDGE": "1"}
    environment |= {"GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")}
    environment |= {"GIT_DIR": str(git_dir)} if git_dir else {}
    options = [part for setting in _SAFE for part in ("-c", setting)]
    try:
        done = bounded(["git", *options, *command], b"", environment)
    except BrokenRepository as broken:
        raise UserError(f"git {command[0]}: {broken}") from None
    if done.returncode:
        said = complaint(done.stderr.decode("utf-8", "replace"))
        raise UserError(f"git {command[0]}: {said or f'exit {done.returncode}'}")
    return done.stdout
