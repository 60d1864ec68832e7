"""Control groups: the kernel limits a sandbox's memory and processes, if the host lets us make a group.

Of a systemd scope, a cgroup v2 and a cgroup v1, the first that works is used. None of them is necessary, because the
watchers of process.py enforce the limits in any case.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from agent.core.manifest import Limits

Kind = Literal["systemd", "v2", "v1"]

NAME = "experiment-runner"
SPARE_PROCESSES = 8  # for the launcher and bubblewrap themselves
ASK_S = 10.0  # how long systemd may take to make a scope
BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # environment variables by which a user's systemd is reached
_number = itertools.count()


@dataclass(frozen=True)
class Group:
    """The control group of one sandbox. In v1 it has a folder for each controller."""

    kind: Kind
    folders: tuple[Path, ...] = ()  # which we made and have to remove
    prefix: tuple[str, ...] = ()  # of the launcher's command line, with systemd
    scope: Path | None = None  # systemd's folder, which systemd removes after the last process

    @property
    def entries(self) -> list[str]:
        """The files into which a process writes its pid to join the group."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def of(self, pid: int) -> Group:
        """The same group with the folder in which systemd put the process."""
        return replace(self, scope=_folder_of(pid, "")) if self.prefix else self

    def killed(self) -> bool:
        """Whether the kernel has killed a process of the group because of its memory limit."""
        said = [
            folder / name
            for folder in (*self.folders, self.scope)
            if folder
            for name in ("memory.events", "memory.oom_control")
        ]
        return any(count > 0 for path in said for count in _counts(path, "oom_kill"))

    def close(self) -> None:
        """Remove the group."""
        for folder in self.folders:
            with suppress(OSError):  # a process is left in it; `_sweep` removes it later
                folder.rmdir()


def enclose(limits: Limits) -> Group | None:
    """A group with these limits; None if the host does not let us make one."""
    kind = available()
    return _made(kind, limits) if kind else None


@cache
def available() -> Kind | None:
    """The best kind that works here, tried with a small group of each."""
    for kind in ("systemd", "v2", "v1"):
        group = _made(kind, Limits())
        if group is None:
            continue
        try:
            if kind != "systemd" or _runs(group):
                return kind
        finally:
            group.close()
    return None


def bus(kind: Kind | None) -> dict[str, str]:
    """The environment variables that systemd-run needs. None of them holds a key."""
    return {name: os.environ[name] for name in BUS if name in os.environ} if kind == "systemd" else {}


def _runs(group: Group) -> bool:
    try:
        return (
            subprocess.run(
                [*group.prefix, "true"],
                env={"PATH": "/usr/bin:/bin", **bus("systemd")},
                timeout=ASK_S,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            ).returncode
            == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False


def _made(kind: Kind, limits: Limits) -> Group | None:
    memory, tasks = limits.memory_mb << 20, limits.processes + SPARE_PROCESSES
    if kind == "systemd":
        program = shutil.which("systemd-run") if Path("/run/systemd/system").is_dir() else None
        whose = [] if os.getuid() == 0 else ["--user"]
        properties = (f"MemoryMax={memory}", "MemorySwapMax=0", f"TasksMax={tasks}")
        options = [word for one in properties for word in ("-p", one)]
        command = (*whose, "--scope", "--quiet", "--collect", *options, "--")
        return Group(kind, prefix=(program, *command)) if program else None
    if kind == "v2":
        rules_of = {"": {"memory.max": memory, "memory.swap.max": 0, "pids.max": tasks}}
    else:
        rules_of = {
            "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
            "pids": {"pids.max": tasks},
        }
    group = Group(kind, tuple(_folders(tuple(rules_of))))
    try:
        if len(group.folders) != len(rules_of):
            return None
        for folder, rules in zip(group.folders, rules_of.values(), strict=True):
            _sweep(folder.parent)
            folder.mkdir()
            for name, value in rules.items():
                if "sw" not in name or (folder / name).exists():  # not every kernel has limits for swap
                    (folder / name).write_text(str(value))
    except OSError:
        group.close()
        return None
    return group


def _folders(controllers: tuple[str, ...]) -> Iterator[Path]:
    """Paths at which groups of these controllers ("" stands for v2) can be made."""
    name = f"{NAME}-{os.getpid()}-{next(_number)}"
    for controller in controllers:
        own = _folder_of(os.getpid(), controller)
        places = [own, own.parent] if own and not controller else [own]  # in v2 a group with processes has no subgroups
        place = next((p for p in places if p and os.access(p, os.W_OK) and (controller or _hands_on(p))), None)
        if place:
            yield place / name


def _hands_on(folder: Path) -> bool:
    """Whether groups below a v2 folder can have limits on memory and processes."""
    try:
        return {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split())
    except OSError:
        return False


def _folder_of(pid: int, controller: str) -> Path | None:
    """The folder of a process's group for a v1 controller, or, with "", for v2; None if it has none."""
    groups = [line.split(":", 2)[1:] for line in _lines(Path(f"/proc/{pid}/cgroup"))]
    path = next((where for names, where in groups if controller in names.split(",")), None)
    if path is None:
        return None
    for line in _lines(Path("/proc/self/mountinfo")):
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        if kind == ("cgroup" if controller else "cgroup2") and (not controller or controller in options.split(",")):
            inside = Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path()
            return Path(mounted) / inside
    return None


def _sweep(place: Path) -> None:
    """Remove groups of killed runners, except those that still have a process."""
    for folder in place.glob(f"{NAME}-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            with suppress(OSError):
                folder.rmdir()


def _counts(path: Path, key: str) -> list[int]:
    return [int(line.split()[1]) for line in _lines(path) if line.startswith(f"{key} ")]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
