"""Finds out whether the sandbox works on this machine, and what helps if it does not.

For the preflight and --doctor.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Exit, SandboxSpec
from agent.sandbox import cgroups, seccomp
from agent.storage.temporary import TemporaryFolder

APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
USERNS = (Path("/proc/sys/kernel/unprivileged_userns_clone"), Path("/proc/sys/user/max_user_namespaces"))
CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))
APPARMOR_REMEDY = (
    "let bwrap make user namespaces, as root: printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\n"
    "profile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n}\\n' > /etc/apparmor.d/bwrap && "
    "apparmor_parser -r /etc/apparmor.d/bwrap"
)
CONTAINER_REMEDY = (
    "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined (and, if it still fails, --cap-add SYS_ADMIN)"
)
USERNS_REMEDY = (
    "user namespaces are off; as root: sysctl -w user.max_user_namespaces=15000 "
    "kernel.unprivileged_userns_clone=1; on a cluster ask its administrators, or use another node"
)


def probe(sandbox: Sandbox | None = None) -> list[str]:
    """What keeps the sandbox from working here, each with what helps; empty if a program runs in it."""
    from agent.sandbox.boxes import BubblewrapSandbox

    try:
        end, said = _try(sandbox or BubblewrapSandbox())
    except InfrastructureError as error:
        remedy = remedy_for(str(error))
        return [f"{error}{f'; {remedy}' if remedy else ''}"]
    if end.reason == "ok":
        return []
    python = f"{sys.executable} does not start in the sandbox ({said.strip()[-200:] or end.reason})"
    if end.reason != "exit":
        return [f"{python}; the machine may be busy or short of memory: try again"]
    return [f"{python}; make it readable: chmod -R go+rX {sys.prefix} {sys.base_prefix}"]


def remedy_for(
    said: str,
    *,
    apparmor: Path = APPARMOR,
    userns: tuple[Path, ...] = USERNS,
    containers: tuple[Path, ...] = CONTAINERS,
) -> str:
    """What helps on this host if bubblewrap printed `said`; "" if that text names a remedy itself."""
    if "not on PATH" in said:
        return ""
    if any(mark.exists() for mark in containers):
        return CONTAINER_REMEDY
    if _reads(apparmor, "1") and ("uid map" in said or "ermission denied" in said or "RTM_NEWADDR" in said):
        return APPARMOR_REMEDY
    if any(_reads(switch, "0") for switch in userns) or "user namespace" in said or "CLONE_NEWUSER" in said:
        return USERNS_REMEDY
    return "see what it says; --doctor tries again"


GROUPS = {"systemd": "a scope of systemd", "v2": "a control group (v2)", "v1": "a control group (v1)"}


def limits_report() -> dict[str, str]:
    """For each limit, what enforces it on this machine."""
    own = "a uid of its own and " if os.getuid() == 0 else "this user's own count and "
    watcher = "a watcher (anonymous, shared and tmpfs pages, 10 times a second)"
    group = GROUPS.get(cgroups.available() or "")
    return {
        "wall time": "the runner's clock: SIGTERM, then SIGKILL to the whole tree",
        "memory": f"{group}, and {watcher}"
        if group
        else f"{watcher}; no control group is given here, so what the "
        "kernel holds for a process (socket buffers) is not counted",
        "processes": f"{group + ', ' if group else ''}{own}RLIMIT_NPROC (threads count)",
        "cpu": "RLIMIT_CPU on each process, behind the wall clock",
        "one file": "RLIMIT_FSIZE",
        "disk": "a watcher (blocks below the output folder and unlinked files, once a second); "
        "no quota, so a burst may pass the limit for a second",
        "files": "a watcher (once a second)",
        "output": "the runner's pipes",
        "/tmp": "a tmpfs of bounded size",
        "system calls": "a seccomp filter" if seccomp.filter_bytes() else f"no filter for {platform.machine()}",
        "GPU memory": "not limited",
    }


def _try(sandbox: Sandbox) -> tuple[Exit, str]:
    with TemporaryFolder("probe") as folder:
        stderr = Path(folder) / "stderr"
        spec = SandboxSpec(argv=(sys.executable, "-c", "pass"), cwd="/", mounts=(), limits=Limits(wall_s=60.0))
        end = sandbox.start(spec, stdout=Path(folder) / "stdout", stderr=stderr).wait()
        return end, stderr.read_text(errors="replace")


def _reads(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False
