"""Runs git in a repository of our own, with settings that no configuration file can change, one process at a time.

Not here: what is committed (git.py).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.storage.git_words import QUIET, complaint

NAME = "experiment-runner"
EMAIL = "experiment-runner@localhost"
LOCK_WAIT_S = 30.0  # how long another process may hold the repository
CONFIG = {
    "user.name": NAME,
    "user.email": EMAIL,
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.quotePath": "false",
    "core.fsync": "committed",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "protocol.allow": "never",
    "advice.detachedHead": "false",
}
# Settings that could run a program are given again with every command, because other code can write the config file.
_ALWAYS = (
    "core.hooksPath",
    "core.fsmonitor",
    "core.attributesFile",
    "core.excludesFile",
    "commit.gpgSign",
    "protocol.allow",
)


class Git:
    """The program git, through GitPython, in the repository whose work tree is `folder`.

    Raises:
        InfrastructureError: git is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._meta = folder / ".git"
        try:
            import git
        except ImportError as error:  # GitPython looks for the program when it is imported
            said = str(error).splitlines()[0]
            raise InfrastructureError(f"git cannot be used ({said}); install git") from None
        self._error: type[Exception] = git.GitError
        self._git = git.Git(str(self.folder))
        self._git.update_environment(
            GIT_DIR=str(self._meta),
            GIT_WORK_TREE=str(self.folder),
            GIT_INDEX_FILE=str(self._meta / "index"),
            GIT_OBJECT_DIRECTORY=str(self._meta / "objects"),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_GLOBAL="/dev/null",
            GIT_LITERAL_PATHSPECS="1",
            **QUIET,
            **_forced(),
            GIT_AUTHOR_NAME=NAME,
            GIT_AUTHOR_EMAIL=EMAIL,
            GIT_COMMITTER_NAME=NAME,
            GIT_COMMITTER_EMAIL=EMAIL,
        )

    def run(self, *command: str, env: dict[str, str] | None = None) -> str:
        """Run git and return what it prints, without the line end at the end."""
        return os.fsdecode(self.output(*command, env=env).removesuffix(b"\n"))

    def output(self, *command: str, env: dict[str, str] | None = None) -> bytes:
        """Run git and return what it prints.

        Raises:
            InfrastructureError: it fails.
        """
        try:
            with self._git.custom_environment(**(env or {})):
                out: bytes = self._git.execute(  # type: ignore[call-overload]  # its overloads lack the last option
                    ["git", *command], stdout_as_string=False, strip_newline_in_stdout=False
                )
                return out
        except (self._error, OSError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().removeprefix("stderr: ").strip("'\n ")
            raise InfrastructureError(
                f"git {command[0]} failed in {self.folder}: {complaint(said) or 'no reason given'} ({self._room()}); "
                "fix that and resume; finished work is kept"
            ) from None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the repository alone, and remove the locks that a killed git left."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._meta / "runner.lock", timeout=LOCK_WAIT_S):
                self._free_stale_locks()
                yield
        except Timeout:
            raise InfrastructureError(
                f"{self.folder}: another process has held the repository for {LOCK_WAIT_S:g} s; end it, then resume"
            ) from None

    def _free_stale_locks(self) -> None:
        """Remove git's own lock files as soon as no git process is alive that could hold them."""
        locks = [*self._meta.glob("*.lock"), *(self._meta / "refs").rglob("*.lock")]
        stale = [path for path in locks if path.name != "runner.lock"]
        deadline = time.monotonic() + LOCK_WAIT_S
        while stale and self._git_is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        for path in stale:
            path.unlink(missing_ok=True)

    def _git_is_alive(self) -> bool:
        import psutil

        return any(
            (process.info["name"] or "").startswith("git")
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and Path(process.info["cwd"] or "/").is_relative_to(self.folder)
            for process in psutil.process_iter(["name", "cwd", "status"])
        )

    def _room(self) -> str:
        """How much room is on the disk; git seldom says that a full disk is why it failed."""
        try:
            return f"{shutil.disk_usage(self.folder).free / 1e9:.1f} GB of room on that disk"
        except OSError as error:
            return str(error.strerror)


def _forced() -> dict[str, str]:
    """The settings of _ALWAYS as environment variables, which override every configuration file."""
    found = {"GIT_CONFIG_COUNT": str(len(_ALWAYS))}
    for number, key in enumerate(_ALWAYS):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": CONFIG[key]}
    return found
