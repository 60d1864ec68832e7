"""What a sandbox is given to run, and how that ended. Data alone; the protocol `Sandbox` is in protocols.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.core.manifest import Limits


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine that the code in the sandbox sees."""

    source: Path
    target: str  # absolute path inside the sandbox
    writable: bool = False


@dataclass(frozen=True)
class SandboxSpec:
    """One command for the sandbox.

    The size and the number of files of every writable mount are held within `limits`.
    """

    argv: tuple[str, ...]
    cwd: str
    mounts: tuple[Mount, ...]
    limits: Limits
    env: dict[str, str] = field(default_factory=dict)  # all it gets besides what every sandbox sets (PATH, HOME, ...)
    gpu: bool = False
    network: bool = False
    latex: bool = False  # also shows TeX's own folders, read-only, and sets TeX's strict options


ExitReason = Literal["ok", "exit", "signal", "timeout", "memory", "host-memory", "disk", "files", "output", "cancelled"]


@dataclass(frozen=True)
class Exit:
    """How a sandboxed process tree ended, and what it took."""

    reason: ExitReason
    code: int
    wall_s: float
    cpu_s: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Used:
    """What a process tree has taken so far."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0
