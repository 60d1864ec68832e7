"""The command-line options of bubblewrap for one sandbox. Looks at the host's files, and starts nothing."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from agent.core.sandboxing import SandboxSpec
from agent.sandbox.limits import MB

USR_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ca-certificates", "/etc/pki")
TEX_TREES = ("/etc/texmf", "/var/lib/texmf")
TEX_ENV = {
    "TEXMFVAR": "/tmp/texmf-var",
    "TEXMFHOME": "/tmp/texmf-home",
    "openin_any": "p",
    "openout_any": "p",
    "shell_escape": "f",
}
GPU_DEVICES = (
    *(f"nvidia{i}" for i in range(16)),
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
)
SCRATCH_MB = 1024  # largest size of /tmp and of /dev/shm, each


def base_env() -> dict[str, str]:
    """The environment variables that every command gets besides its own."""
    return {
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "XDG_CACHE_HOME": "/tmp/cache",
    }


@cache
def python_trees() -> tuple[Path, ...]:
    """The folders that `sys.executable` needs to run."""
    return trees_of(Path(sys.executable), (Path(sys.prefix), Path(sys.base_prefix)))


def trees_of(python: Path, prefixes: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders that an interpreter needs to run: `prefixes`, and the folder of each link on the way to it."""
    found = [*prefixes, *(Path(os.path.realpath(prefix)) for prefix in prefixes)]
    link = python
    while link.is_symlink():
        link = Path(os.path.normpath(link.parent / os.readlink(link)))
        found.append(link.parent.parent)
    kept: list[Path] = []
    for tree in sorted({tree for tree in found if tree.is_dir()}):
        covered = any(tree == above or above in tree.parents for above in (Path("/usr"), *kept))
        if not covered and tree != Path("/"):
            kept.append(tree)
    return tuple(kept)


def options(spec: SandboxSpec, *, as_root: bool, version: tuple[int, ...]) -> tuple[list[str], list[str]]:
    """The options that come before the mounts, and those that come after them."""
    walls = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        *([] if spec.network else ["--unshare-net"]),
        *(["--disable-userns"] if version >= (0, 8) else []),  # before 0.8 only the system-call filter does this
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "sandbox",
        "--new-session",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
    ]
    return [*walls, *_system(spec), *_kernel(spec, as_root, version)], _inside(spec)


def _system(spec: SandboxSpec) -> list[str]:
    found = ["--ro-bind", "/usr", "/usr"]
    for name in USR_LINKS:
        if os.path.islink(name):
            found += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            found += ["--ro-bind", name, name]
    trees = [*SYSTEM, *(NETWORK if spec.network else ()), *(TEX_TREES if spec.latex else ())]
    return found + [part for tree in trees for part in ("--ro-bind-try", tree, tree)]


def _kernel(spec: SandboxSpec, as_root: bool, version: tuple[int, ...]) -> list[str]:
    """Options for /proc, /dev and the file systems in memory."""
    found = ["--proc", "/proc", *(["--ro-bind", "/proc/sys", "/proc/sys"] if as_root else [])]
    found += ["--dev", "/dev"]
    if spec.gpu:
        found += [part for name in GPU_DEVICES for part in ("--dev-bind-try", f"/dev/{name}", f"/dev/{name}")]
        found += ["--ro-bind-try", "/sys", "/sys"]
    scratch = min(SCRATCH_MB, max(64, spec.limits.memory_mb // 4)) * MB
    for place in ("/tmp", "/dev/shm"):
        # Versions before 0.7 have no --size; the memory watcher counts these files in any case.
        found += [*(["--size", str(scratch)] if version >= (0, 7) else []), "--tmpfs", place]
    return [*found, "--remount-ro", "/dev"]


def _inside(spec: SandboxSpec) -> list[str]:
    env = {**base_env(), **(TEX_ENV if spec.latex else {}), **spec.env}
    settings = [part for name, value in env.items() for part in ("--setenv", name, value)]
    return ["--chdir", spec.cwd, "--remount-ro", "/", "--clearenv", *settings]
