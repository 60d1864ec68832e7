"""Reads a repository that somebody else may have written, without reading its configuration and without changing it.

It may be bare or not. git works in the directory that foreign_git.py makes, and its output and time are bounded. git.py
commits to the session's own repository.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.storage import foreign
from agent.storage.foreign import Foreign
from agent.storage.foreign_git import adopt
from agent.storage.git_words import QUIET, complaint, complaints
from agent.storage.temporary import TemporaryFolder

SECONDS = 300.0  # of one git command
PRINTED = 512 << 20  # bytes that one command may print or write
LARGEST = foreign.LARGEST  # bytes of one object, unpacked
ALL_OBJECTS = 8 << 30  # bytes of all objects, unpacked
FILES = 50_000  # of one commit
NONE = ("", "missing", b"")  # in the place of an object that does not exist
_PLAIN = ("100644", "100755")  # modes of regular files

_SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "core.bare=true",
    "core.commitGraph=false",
    "core.multiPackIndex=false",
    "advice.graftFileDeprecated=false",
    "log.showSignature=false",
    "log.mailmap=false",
    "protocol.allow=never",
    "diff.algorithm=myers",
    "diff.context=3",
    "diff.interHunkContext=0",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.indentHeuristic=true",
    "diff.suppressBlankEmpty=false",
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    **QUIET,
}


class BrokenRepository(Exception):
    """The repository cannot be read; the text says why."""


@dataclass(frozen=True)
class Commit:
    """One commit of a history."""

    id: str
    tree: str
    parents: tuple[str, ...]
    subject: str
    trailers: dict[str, str]
    changes: tuple[tuple[str, str], ...]  # (A, M or D; path)

    @property
    def short(self) -> str:
        return f"{self.id[:8]} ({self.subject!r})"


class GitReader:
    """One repository by its git directory."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir.absolute()
        self._scratch: TemporaryFolder | None = None  # removed together with this reader

    @cached_property
    def _adopted(self) -> dict[str, str]:
        """Environment variables that make git use our own directory with the repository's objects.

        Raises:
            BrokenRepository: the repository is not a plain one, or its objects are too large when unpacked.
        """
        self._scratch = TemporaryFolder("repository")
        own = Path(self._scratch.name) / "git"
        try:
            objects = adopt(self.git_dir, own)
        except (Foreign, OSError) as problem:
            raise BrokenRepository(str(problem)) from None
        places = {"GIT_DIR": str(own), "GIT_OBJECT_DIRECTORY": str(objects)}
        asked = ("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectsize)")
        done = self._git(*asked, places=places)
        sizes = [int(size) for size in done.stdout.split() if size.isdigit()]
        if max(sizes, default=0) > LARGEST or sum(sizes) > ALL_OBJECTS:
            raise BrokenRepository(f"its objects are larger than a session's: {max(sizes) >> 20} MB the largest")
        return places

    @cached_property
    def head(self) -> str:
        return self._text("rev-parse", "--verify", "HEAD^{commit}").strip()

    @cached_property
    def commits(self) -> tuple[Commit, ...]:
        """The history of HEAD, oldest first."""
        form = "%x01%H%x02%T%x02%P%x02%s%x02%(trailers:only=true,unfold=true)%x02"
        text = self._text(
            "log",
            "--reverse",
            "--topo-order",
            "--root",
            "-m",
            "--first-parent",
            "--name-status",
            "--no-renames",
            "--no-color",
            f"--format={form}",
            "HEAD",
        )
        return tuple(_commit(entry) for entry in text.split("\x01")[1:])

    @cached_property
    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        lines = self._text("for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags")
        return {parts[0]: parts[-1] for parts in map(str.split, lines.splitlines())}

    def files(self, commit: str) -> dict[str, str]:
        """The blob id of each file of a commit, by path.

        Raises:
            BrokenRepository: an entry is a link or another repository, or its name is not plain.
        """
        listed = [line.split("\t", 1) for line in self._text("ls-tree", "-r", "-z", commit).split("\0") if line]
        if len(listed) > FILES:
            raise BrokenRepository(f"commit {commit[:8]} holds more than {FILES} files")
        for about, path in listed:
            if about.split()[0] not in _PLAIN:
                raise BrokenRepository(f"{path[:200]!r} is a link or another repository, and not a plain file")
            if not foreign.is_plain(path):
                raise BrokenRepository(f"{path[:200]!r} is not a plain name inside of the repository")
        return {path: about.split()[2] for about, path in listed}

    def tree(self, commit: str) -> str:
        return self._text("rev-parse", "--verify", f"{commit}^{{tree}}").strip()

    def blob(self, commit: str, path: str) -> bytes | None:
        """The content of a file of a commit; None if there is no such file."""
        try:
            return self._run("cat-file", "blob", f"{commit}:{path}") if foreign.is_plain(path) else None
        except BrokenRepository:
            return None

    def blobs(self, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """The contents of files given as (commit, path), read by one git process.

        None for a file that does not exist.
        """
        plain = [bool(re.fullmatch(r"[0-9a-f]{4,64}", commit)) and foreign.is_plain(path) for commit, path in wanted]
        asked = [f"{commit}:{path}" for (commit, path), fine in zip(wanted, plain, strict=True) if fine]
        found = self._objects(asked)
        return [content if kind == "blob" else None for _, kind, content in (next(found) if f else NONE for f in plain)]

    def diff(self, old: str, new: str, files: Sequence[str]) -> str:
        """The diff of two commits in the form in which GitStore.diff prints it."""
        plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
        return self._text("diff", *plain, old, new, "--", *files)

    def all_blobs(self) -> Iterator[tuple[str, bytes]]:
        """Every version of every file in the history, as (path, content)."""
        listed = [line.partition(" ") for line in self._text("rev-list", "--objects", "--all").splitlines()]
        paths = {name: path for name, _, path in listed if path}
        for name, kind, content in self._objects(paths):
            if kind == "blob":
                yield paths[name], content

    def _objects(self, names: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
        """The objects of these names, in order, as (id, type, content); the type is "missing" if there is none."""
        data, at = self._run("cat-file", "--batch", feed="".join(f"{name}\n" for name in names).encode()), 0
        while at < len(data):
            end = data.index(b"\n", at)
            about = data[at:end].decode("utf-8", "replace").split()
            if about[-1] == "missing":
                yield NONE
                at = end + 1
                continue
            name, kind, size = about
            yield name, kind, data[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)

    def bundle(self) -> bytes:
        """A git bundle of all branches and tags: one file that can be cloned.

        Raises:
            BrokenRepository: git cannot make it, or the result does not pass git's check.
        """
        with TemporaryFolder("bundle") as folder:
            file = f"{folder}/repository.bundle"
            self._run("-c", "pack.threads=1", "bundle", "create", "--quiet", file, "HEAD", "--all")
            self._run("bundle", "verify", "--quiet", file)
            return Path(file).read_bytes()

    def damage(self) -> str:
        """What git's own check of all objects complains about; "" if nothing."""
        try:
            done = self._git("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
        except BrokenRepository as broken:
            return str(broken)
        said = complaints((done.stderr + done.stdout).decode("utf-8", "replace"))
        return "; ".join(said[:3]) or "git fsck fails" if done.returncode else ""

    def _text(self, *command: str) -> str:
        return self._run(*command).decode("utf-8", "replace")

    def _run(self, *command: str, feed: bytes = b"") -> bytes:
        done = self._git(*command, feed=feed)
        if done.returncode:
            said = complaint(done.stderr.decode("utf-8", "replace"))
            raise BrokenRepository(f"git {command[0]}: {said or f'exit {done.returncode}'}")
        return done.stdout

    def _git(
        self, *command: str, feed: bytes = b"", places: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        environment = {**kept, **_ENVIRONMENT, **(places or self._adopted)}
        options = [part for setting in _SAFE for part in ("-c", setting)]
        return bounded(["git", *options, *command], feed, environment)


def bounded(command: Sequence[str], feed: bytes, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a git command with bounds on its time and its output.

    Raises:
        BrokenRepository: it takes longer than SECONDS.
        InfrastructureError: git is not installed.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        asked.write(feed)
        asked.seek(0)
        try:
            process = subprocess.Popen(command, cwd="/", stdin=asked, stdout=out, stderr=errors, env=environment)
        except FileNotFoundError:
            raise InfrastructureError("git is not on PATH; install git") from None
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (PRINTED, PRINTED))
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise BrokenRepository(f"reading it takes git longer than {SECONDS:.0f} s") from None
        finally:
            process.kill()
            process.wait()
        for file in (out, errors):
            file.seek(0)
        return subprocess.CompletedProcess(list(command), status, out.read(PRINTED), errors.read(LARGEST))


def _commit(entry: str) -> Commit:
    name, tree, parents, subject, trailers, changes = entry.split("\x02", 5)
    pairs = (line.split(": ", 1) for line in trailers.splitlines() if ": " in line)
    changed = (line.split("\t", 1) for line in changes.splitlines() if "\t" in line)
    return Commit(name, tree, tuple(parents.split()), subject, dict(pairs), tuple((a, b) for a, b in changed))
