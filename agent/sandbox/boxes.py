"""Starts code that is not trusted: in bubblewrap, or, only if a person asks for it, with limits but without isolation.

Implements protocols.Sandbox. confine.py is the last program of ours that runs before the foreign code, process.py
watches the running tree, and probe.py finds out what works on this machine.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from agent.core.errors import InfrastructureError
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox import bwrap, cgroups, limits, seccomp, uids
from agent.sandbox.process import ConfinedProcess, Pump
from agent.sandbox.trees import GuardTree, NamespaceTree

LAUNCHER = Path(__file__).with_name("confine.py")
GRACE_S = 3.0  # between SIGTERM and SIGKILL when the wall time is over
START_S = 60.0  # a heavily loaded machine may need seconds to start a process


class BubblewrapSandbox:
    """Isolates by namespaces, without capabilities, with a filter of system calls and limits.

    Under root with own uids.
    """

    name = "bwrap"

    def __init__(self, program: str | None = None, *, grace_s: float = GRACE_S) -> None:
        self._program = program or shutil.which("bwrap") or "/usr/bin/bwrap"
        self._grace_s = grace_s

    def visible(self, mount: Mount) -> str:
        return mount.target

    def start(
        self, spec: SandboxSpec, *, stdout: Path | None, stderr: Path | None, stdin: bool = False
    ) -> ConfinedProcess:
        """Start the command isolated.

        Raises:
            InfrastructureError: bubblewrap is missing or cannot build the sandbox here.
        """
        mounts = [Mount(tree, str(tree)) for tree in bwrap.python_trees()]
        mounts += sorted(spec.mounts, key=lambda mount: mount.target.count("/"))
        sources = [["--bind" if m.writable else "--ro-bind", _source(m), m.target] for m in mounts]
        with ExitStack() as undo, ExitStack() as handed:
            group = cgroups.enclose(spec.limits)
            if group:
                undo.callback(group.close)
            uid = _own_uid(spec, undo) if os.getuid() == 0 else None
            before, after = bwrap.options(spec, as_root=uid is not None, version=version(self._program))
            links = _linked(spec, undo, handed)
            plan = {
                "bwrap": self._program,
                "uid": uid,
                "stage": str(uids.stage_folder()) if uid else None,
                "before": [*before, *links.options],
                "after": after,
                "mounts": sources,
            }
            popen = _launch(spec, plan, links.inherited, group, stdin=stdin)
            handed.close()
            pumps = _pumps(popen, spec, stdout, stderr)
            first = _first_process(popen, links.status, pumps[-1])
            tree = _tree(popen, first, pumps[-1])
            links.hold.close()
            kept = undo.pop_all()
        return ConfinedProcess(
            popen,
            tree,
            spec.limits,
            _writable(spec),
            pumps,
            stdout=None if stdout else popen.stdout,
            at_end=kept.close,
            broken=lambda code: _broken(code, links.status, pumps[-1]),
            grace_s=self._grace_s,
            group=group.of(first) if group else None,
        )


class NoSandbox:
    """For --unsafe-no-sandbox: the same limits, but the code can read and change everything that this user can."""

    name = "none"

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s

    def visible(self, mount: Mount) -> str:
        return str(mount.source.resolve())

    def start(
        self, spec: SandboxSpec, *, stdout: Path | None, stderr: Path | None, stdin: bool = False
    ) -> ConfinedProcess:
        env = {**bwrap.base_env(), **(bwrap.TEX_ENV if spec.latex else {}), **spec.env}
        group = cgroups.enclose(spec.limits)
        popen = _launch(spec, {"guard": True, "env": env, "cwd": self._translated(spec)}, [], group, stdin=stdin)
        pumps = _pumps(popen, spec, stdout, stderr)
        return ConfinedProcess(
            popen,
            GuardTree(popen.pid),
            spec.limits,
            _writable(spec),
            pumps,
            stdout=None if stdout else popen.stdout,
            at_end=group.close if group else lambda: None,
            broken=lambda code: "",
            grace_s=self._grace_s,
            group=group.of(popen.pid) if group else None,
        )

    def _translated(self, spec: SandboxSpec) -> str:
        """The working folder on this machine, for one that is given as its path inside the sandbox."""
        for mount in sorted(spec.mounts, key=lambda mount: -len(mount.target)):
            if spec.cwd == mount.target or spec.cwd.startswith(mount.target.rstrip("/") + "/"):
                return self.visible(mount) + spec.cwd[len(mount.target.rstrip("/")) :]
        return spec.cwd


@cache
def version(program: str) -> tuple[int, ...]:
    """bubblewrap's version, e.g. (0, 8, 0).

    Raises:
        InfrastructureError: it is not installed, or does not run.
    """
    try:
        out = subprocess.check_output([program, "--version"], text=True, timeout=START_S)
    except (OSError, subprocess.SubprocessError):
        raise InfrastructureError(
            "No sandbox: `bwrap` is not on PATH or does not run. Install bubblewrap (apt-get, dnf or pacman: "
            "bubblewrap; without root: conda install -c conda-forge bubblewrap), then start the same command again"
        ) from None
    return tuple(int(part) for part in re.findall(r"\d+", out)[:3])


@dataclass(frozen=True)
class _Links:
    """The files that bwrap inherits, the options that name them, and our ends of its pipes."""

    options: list[str]
    inherited: list[int]
    status: IO[bytes]  # bwrap writes here the pid of the first process, and the command's exit code
    hold: IO[bytes]  # bwrap starts the command when this is closed, so its tree is watched from the beginning


def _linked(spec: SandboxSpec, undo: ExitStack, handed: ExitStack) -> _Links:
    """Open these files. `undo` closes our ends, `handed` those that bwrap has inherited by then."""
    read, write = os.pipe()
    status = undo.enter_context(os.fdopen(read, "rb"))
    files: dict[str, IO[bytes]] = {"--json-status-fd": handed.enter_context(os.fdopen(write, "wb"))}
    held, release = os.pipe()
    files["--block-fd"] = handed.enter_context(os.fdopen(held, "rb"))
    hold = undo.enter_context(os.fdopen(release, "wb"))
    if rules := seccomp.filter_bytes(gpu=spec.gpu):
        files["--seccomp"] = handed.enter_context(_memory_file(rules))
    options = [part for option, file in files.items() for part in (option, str(file.fileno()))]
    return _Links(options, [file.fileno() for file in files.values()], status, hold)


def _own_uid(spec: SandboxSpec, undo: ExitStack) -> int:
    """Lease a uid and make it the owner of what the code may write; `undo` gives both back at the end."""
    for mount in spec.mounts:
        uids.check_readable(mount)
    lease = uids.lease()
    undo.callback(lease.release)
    for folder in _writable(spec):
        undo.callback(uids.give, folder, 0)
        uids.give(folder, lease.uid)
    return lease.uid


def _writable(spec: SandboxSpec) -> list[Path]:
    return [mount.source for mount in spec.mounts if mount.writable]


def _source(mount: Mount) -> str:
    try:
        return str(mount.source.resolve(strict=True))
    except OSError as error:
        raise InfrastructureError(f"{mount.source}: cannot be mounted: {error.strerror}") from None


def _memory_file(data: bytes) -> IO[bytes]:
    """A file without a name, from which the launcher or bwrap reads bytes."""
    file = os.fdopen(os.memfd_create("plan"), "wb")
    file.write(data)
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return file


def _launch(
    spec: SandboxSpec, plan: dict[str, Any], inherited: list[int], group: cgroups.Group | None, *, stdin: bool
) -> subprocess.Popen[bytes]:
    """Start confine.py. Its environment is empty, because bwrap's own processes must not have keys either."""
    own_uid = plan.get("uid") is not None
    shared = {
        "guard": False,
        "uid": None,
        "parent": os.getpid(),
        "argv": list(spec.argv),
        "rlimits": limits.rlimits(spec.limits, own_uid=own_uid),
        "groups": group.entries if group else [],
    }
    with _memory_file(json.dumps({**shared, **plan}).encode()) as file:
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(file.fileno())]
        return subprocess.Popen(
            [*(group.prefix if group else ()), *launcher],
            cwd="/",
            start_new_session=True,
            env={"PATH": "/usr/bin:/bin", **cgroups.bus(group.kind if group else None)},
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[file.fileno(), *inherited],
        )


def _pumps(popen: subprocess.Popen[bytes], spec: SandboxSpec, stdout: Path | None, stderr: Path | None) -> list[Pump]:
    """Threads that copy the streams that no caller reads. The one of stderr is always there, and is the last."""
    bound = spec.limits.output_mb * limits.MB
    assert popen.stdout and popen.stderr
    return [*([Pump(popen.stdout, stdout, bound)] if stdout else []), Pump(popen.stderr, stderr, bound)]


def _first_process(popen: subprocess.Popen[bytes], status: IO[bytes], errors: Pump) -> int:
    """Host pid of the sandbox's first process, as bwrap reports it before the command may run."""
    ready = select.select([status], [], [], START_S)[0]
    line = status.readline() if ready else b""
    if line:
        return int(json.loads(line)["child-pid"])
    raise InfrastructureError(_ended_early(popen, errors))


def _tree(popen: subprocess.Popen[bytes], first: int, errors: Pump) -> NamespaceTree:
    """The tree below the sandbox's first process, which cannot have ended by itself: its program has not begun."""
    try:
        return NamespaceTree(first)
    except ProcessLookupError:
        said = _ended_early(popen, errors)
        killed = "the sandbox was killed before its program began; resume to start it again"
        raise InfrastructureError(said if errors.head else killed) from None


def _ended_early(popen: subprocess.Popen[bytes], errors: Pump) -> str:
    popen.kill()
    popen.wait()
    errors.join(timeout=START_S)
    return _problem(errors)


def _broken(code: int, status: IO[bytes], errors: Pump) -> str:
    """Why bwrap could not start the command; "" if it did, because then it reports an exit code."""
    os.set_blocking(status.fileno(), False)
    started = b"exit-code" in (status.read() or b"")
    return "" if started or code != 1 or not errors.head.startswith(b"bwrap: ") else _problem(errors)


def _problem(errors: Pump) -> str:
    said = errors.head.decode("utf-8", "replace").strip() or "it said nothing"
    return f"No sandbox: bubblewrap could not start here ({said}). See --doctor for what helps."
