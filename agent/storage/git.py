"""The session's git repository. Only this module commits to it, and its history is one line.

Files are committed by name and byte for byte: no filter, hook or attribute of any configuration applies.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from agent.core.errors import InfrastructureError
from agent.storage.atomic import write_bytes
from agent.storage.git_program import CONFIG, Git

BRANCH = "refs/heads/main"
_ATTRIBUTES = "* -text -ident !filter !diff !merge -working-tree-encoding !eol\n"
_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # C1 codes included: \x9b starts a colour code
_ARGUMENTS = 200  # files in one command


class GitStore:
    """protocols.VersionStore with git, run through GitPython. `now` gives the dates of commits."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self.folder = folder.absolute()
        self.now = now
        self._meta = self.folder / ".git"
        self._git = Git(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()

    # ------------------------------------------------------------ writing

    def commit(self, files: Sequence[str], subject: str, trailers: dict[str, str]) -> str:
        """Commit the named files as they are now; a file that does not exist is committed as deleted.

        A commit with exactly these trailers is made only once: a repeated action gets the id of the first one.

        Raises:
            InfrastructureError: a name is no ordinary file inside the folder, or git fails.
        """
        wanted = {key: _line(value) for key, value in trailers.items()}
        with self._git.exclusive():
            made = self._made(wanted)
            if made:
                return made
            present = [name for name in files if self._checked(name)]
            self._stage(present, [name for name in files if name not in present])
            parent = self.head()
            stamp = f"@{int(self.now())} +0000"
            commit = self._git.run(
                "commit-tree",
                self._git.run("write-tree"),
                *(["-p", parent] if parent else []),
                "-m",
                _message(subject, wanted),
                env={"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp},
            )
            self._git.run("update-ref", "-m", f"commit: {_line(subject)}", BRANCH, commit, parent or "0" * 40)
            return commit

    def reset(self, commit: str) -> None:
        """Make the work tree equal to the commit; everything else in it is dropped. History does not change."""
        with self._git.exclusive():
            self._git.run("read-tree", "--reset", "-u", commit)
            self._remove_nested()
            self._git.run("clean", "-ffdxq")
            if commit != self.head():
                self._git.run("read-tree", "HEAD")

    def restore(self, commit: str, files: Sequence[str]) -> None:
        """Put these files of an earlier commit into the work tree; a file that the commit lacks is removed."""
        known = set(self._files(commit))
        for name in files:
            self._checked(name)
            path = self.folder / name
            if name in known:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, self._blob(commit, name))
            else:
                path.unlink(missing_ok=True)

    def tag(self, name: str, commit: str) -> None:
        """Point a tag at a commit; an existing tag of that name is moved."""
        with self._git.exclusive():
            self._git.run("tag", "--force", "--no-sign", "--", name, commit)

    # ------------------------------------------------------------ reading

    def find(self, trailers: dict[str, str]) -> str | None:
        """The newest commit that has these trailers; it may have others as well."""
        wanted = {key: _line(value) for key, value in trailers.items()}.items()
        return next((commit for commit, found in self._history() if wanted <= found.items()), None)

    def head(self) -> str:
        """The newest commit's id; "" before the first commit."""
        try:
            return (self._meta / BRANCH).read_text(encoding="ascii").strip()
        except FileNotFoundError:  # there is no commit yet, or a person ran `git gc`
            return self._git.run("for-each-ref", "--format=%(objectname)", BRANCH)

    def base(self, trailers: dict[str, str]) -> str:
        """The commit from which an action with these trailers starts: head, or the parent of the commit that it made.

        An action that was killed between its commit and its event is thus repeated from the same state.
        """
        wanted = {key: _line(value) for key, value in trailers.items()}
        made = self._made(wanted)
        return self._git.run("rev-parse", "--verify", f"{made}^") if made else self.head()

    def tree(self, commit: str) -> str:
        return self._git.run("rev-parse", "--verify", f"{commit}^{{tree}}")

    def diff(self, old: str, new: str, files: Sequence[str] = ()) -> str:
        plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
        return self._git.run("diff", *plain, old, new, "--", *files)

    def show(self, commit: str, file: str) -> str:
        return self._blob(commit, file).decode("utf-8", "replace")

    # ------------------------------------------------------------ inside

    def _prepare(self) -> None:
        """Make the repository, or finish one that a kill left half made; remove unfinished objects of killed gits."""
        done = self._meta / "info" / "attributes"  # written last
        if done.is_file():
            with self._git.exclusive():
                for path in self._meta.glob("objects/*/tmp_obj_*"):
                    path.unlink(missing_ok=True)
            return
        self._meta.mkdir(exist_ok=True)
        with self._git.exclusive():
            self._git.run("init", "-q", "--template=", "-b", "main", str(self.folder))
            for key, value in CONFIG.items():
                self._git.run("config", "--local", key, value)
            done.parent.mkdir(exist_ok=True)
            write_bytes(done, _ATTRIBUTES.encode())

    def _remove_nested(self) -> None:
        """Remove each .git inside the work tree, which `git clean` keeps; `_checked` would refuse files beside it."""
        for top, folders, files in os.walk(self.folder):
            for name in [name for name in (*folders, *files) if name.lower() == ".git"]:
                path = Path(top, name)
                if path != self._meta:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            folders[:] = [name for name in folders if name.lower() != ".git"]

    def _stage(self, present: Sequence[str], gone: Sequence[str]) -> None:
        """Fill the index with HEAD and these files, whatever a killed process left in it."""
        self._git.run("read-tree", *(["HEAD"] if self.head() else ["--empty"]))
        for names in _chunks(present):
            blobs = self._git.run("hash-object", "-w", "--no-filters", "--", *names).split()
            entries = [
                part
                for name, blob in zip(names, blobs, strict=True)
                for part in ("--cacheinfo", f"{self._mode(name)},{blob},{name}")
            ]
            self._git.run("update-index", "--add", *entries)
        for names in _chunks(gone):
            self._git.run("update-index", "--force-remove", "--", *names)

    def _checked(self, name: str) -> bool:
        """Whether a file of this name exists.

        Raises:
            InfrastructureError: the name leads outside of the folder, or to something that is not an ordinary file.
        """
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or _CONTROL.search(name) or "/".join(parts) != name:
            raise InfrastructureError(f"git: {name!r} is not a plain path inside {self.folder}")
        for depth in range(1, len(parts) + 1):
            path = self.folder.joinpath(*parts[:depth])
            nested = depth < len(parts) and os.path.lexists(path / ".git")
            if nested or parts[depth - 1].lower() == ".git":
                raise InfrastructureError(f"git: {name} lies in another repository; that is never committed")
            if path.is_symlink():
                raise InfrastructureError(f"git: {name} goes through a symlink; that is never committed")
        if not os.path.lexists(path):
            return False
        if not path.is_file():
            raise InfrastructureError(f"git: {name} is not an ordinary file")
        return True

    def _mode(self, name: str) -> str:
        return "100755" if os.access(self.folder / name, os.X_OK) else "100644"

    def _files(self, commit: str) -> list[str]:
        return [name for name in self._git.run("ls-tree", "-r", "-z", "--name-only", commit).split("\0") if name]

    def _blob(self, commit: str, file: str) -> bytes:
        return self._git.output("cat-file", "blob", f"{commit}:{file}")

    def _made(self, trailers: dict[str, str]) -> str | None:
        """The commit with exactly these trailers."""
        return next((commit for commit, found in self._history() if trailers and found == trailers), None)

    def _history(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Commits with their trailers, newest first."""
        if not self.head():
            return
        form = "--format=%H%n%(trailers:only=true,unfold=true)"
        for entry in filter(str.strip, self._git.run("log", "-z", form, BRANCH).split("\0")):
            commit, *lines = entry.strip().splitlines()
            yield commit, dict(line.split(": ", 1) for line in lines if ": " in line)


def _message(subject: str, trailers: dict[str, str]) -> str:
    for key in trailers:
        if not _TRAILER.match(key):
            raise InfrastructureError(f"git: {key!r} is no trailer name; use letters, digits and dashes")
    lines = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    return f"{_line(subject)}\n\n{lines}" if lines else _line(subject)


def _line(text: str) -> str:
    """The text as one line without control characters; a model may have written it."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _ARGUMENTS):
        yield names[start : start + _ARGUMENTS]
