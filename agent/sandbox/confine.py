"""The last program of ours before hostile code: it sets limits, drops the uid, and starts bwrap, or is itself a guard.

agent/sandbox/boxes.py starts it as `python -I -S confine.py FD`; the file behind FD has a JSON plan. It is a process of
its own, because in a parent with threads no Python code is safe between fork and exec. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable
from typing import Any

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    handle = int(sys.argv[1])
    with os.fdopen(handle, "rb") as file:
        plan = json.load(file)
    os.umask(0o022)  # another uid must be able to read what is made here
    _die_with(plan["parent"], signal.SIGTERM if plan["guard"] else signal.SIGKILL)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)  # Python ignores these signals, and exec would pass that on
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # if the machine runs out of memory, the kernel kills this tree first
    if plan["guard"]:
        _guard(plan)
    else:
        _enclose(plan)


def _enclose(plan: dict[str, Any]) -> None:
    """Start bwrap and wait until no process of its tree is left.

    bwrap itself exits before its first process is reaped, and would lose the tree's CPU time. Whoever waits for this
    process instead gets the resource use of the whole tree.
    """
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    me = os.getpid()
    child = os.fork()
    if child == 0:
        _become_bwrap(plan, me)
    os.closerange(3, 256)  # only bwrap may keep the status pipe and the streams open
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    _leave_with(child, lambda: None)


def _become_bwrap(plan: dict[str, Any], parent: int) -> None:
    _die_with(parent, signal.SIGKILL)
    staged = plan["uid"] is not None and _stage(plan)
    _set_limits(plan)
    if plan["uid"] is not None:
        os.setgroups([])
        os.setresgid(plan["uid"], plan["uid"], plan["uid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
        _die_with(parent, signal.SIGKILL)  # again, because a change of the uid resets it
    try:
        os.execve(plan["bwrap"], _bwrap_argv(plan, staged), {"PATH": "/usr/bin:/bin"})
    except OSError as error:
        sys.exit(f"confine: {plan['bwrap']}: {error.strerror}")


def _leave_with(child: int, at_its_end: Callable[[], None]) -> None:
    """Reap all processes of the tree, then exit with the child's status. `at_its_end` is called from its end on."""
    code, ended = 0, False
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        if pid == child:
            code, ended = os.waitstatus_to_exitcode(status), True
        if ended:
            at_its_end()
    os._exit(code if code >= 0 else 128 - code)


def _die_with(parent: int, sign: int) -> None:
    """Let the kernel send this process a signal when its parent ends; exit if the parent has ended already."""
    LIBC.prctl(PR_SET_PDEATHSIG, int(sign), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _stage(plan: dict[str, Any]) -> bool:
    """Mount the sources in a folder that the dropped uid can enter; only this process and its children see it.

    A source may lie below a folder that only root may enter (a HOME of mode 0700, a session's folder). Returns False
    if this process may not mount.
    """
    if LIBC.unshare(CLONE_NEWNS) != 0:
        return False  # root without CAP_SYS_ADMIN (a container): the uid must be able to enter the sources' own folders
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    stage = plan["stage"]
    _mount("tmpfs", stage, "tmpfs", 0, "mode=0755,size=1g")
    for index, (_, source, _) in enumerate(plan["mounts"]):
        place = f"{stage}/{index}"
        if os.path.isdir(source):
            os.mkdir(place, 0o755)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
            if not os.stat(source).st_mode & stat.S_IROTH:  # the uid could not read this file, so it gets a copy
                _copy(source, place)
                continue
        _mount(source, place, None, MS_BIND | MS_REC)
    return True


def _copy(source: str, target: str) -> None:
    with open(source, "rb") as one, open(target, "wb") as other:
        while block := one.read(1 << 20):
            other.write(block)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    names = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if LIBC.mount(*names[:3], ctypes.c_ulong(flags), names[3]) != 0:
        error = ctypes.get_errno()
        sys.exit(f"confine: mount {source} on {target}: {os.strerror(error)}")


def _set_limits(plan: dict[str, Any]) -> None:
    for entry in plan["groups"]:
        with open(entry, "w") as file:
            file.write(str(os.getpid()))
    for name, value in plan["rlimits"].items():
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _bwrap_argv(plan: dict[str, Any], staged: bool) -> list[str]:
    """bwrap's command line. Its options are in a file, so that the command line shows no path of the host."""
    options: list[str] = list(plan["before"])
    for index, (flag, source, target) in enumerate(plan["mounts"]):
        options += [flag, f"{plan['stage']}/{index}" if staged else source, target]
    options += plan["after"]
    handle = os.memfd_create("options", 0)
    os.write(handle, b"".join(os.fsencode(option) + b"\0" for option in options))
    os.lseek(handle, 0, os.SEEK_SET)
    return ["bwrap", "--args", str(handle), "--", *plan["argv"]]


def _guard(plan: dict[str, Any]) -> None:
    """Without bwrap: run the command, adopt its orphans, and kill all that is left when it ends."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda number, frame: _kill_children())
    me = os.getpid()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with(me, signal.SIGKILL)
        _set_limits(plan)
        os.setsid()
        os.chdir(plan["cwd"])
        try:
            os.execvpe(plan["argv"][0], plan["argv"], plan["env"])
        except OSError as error:
            print(f"confine: {plan['argv'][0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    _leave_with(child, _kill_children)


def _kill_children() -> None:
    me = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit() and _parent(name) == me:
            try:
                os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                continue


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
