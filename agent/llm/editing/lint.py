"""Checks that a Python file compiles and uses no undefined names. The file is read and never run.

`# noqa` comments and configuration files of the agent have no effect.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError

CODES = ("E9", "F821", "F823", "F831", "F406", "F407", "F701", "F702", "F704", "F706")
MAX_ERRORS = 20
AROUND = 3  # lines shown before and after
MAX_WIDTH = 200  # characters that are shown of a line
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class LintError:
    """One fault in a file."""

    line: int
    code: str
    text: str
    around: str  # the lines around it with their numbers; the line itself is marked


def lint(path: Path) -> tuple[LintError, ...]:
    """The first MAX_ERRORS faults of a file, by line; empty if it has none.

    Raises:
        InfrastructureError: the file cannot be read, or flake8 is not installed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}") from None
    lines = data.decode("utf-8", "replace").splitlines()
    found = _compile(data, path.name) or _flake8(path)
    return tuple(LintError(line, code, text, _around(lines, line)) for line, code, text in found[:MAX_ERRORS])


def _compile(data: bytes, name: str) -> list[tuple[int, str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return [(error.lineno or 1, "E999", f"{type(error).__name__}: {error.msg}")]
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        return [(1, "E902", f"the file cannot be compiled: {type(error).__name__}: {error}")]
    return []


def _flake8(path: Path) -> list[tuple[int, str, str]]:
    # With -I, a module called flake8 beside the experiment is not imported as the linter.
    command = [
        sys.executable,
        "-I",
        "-m",
        "flake8",
        "--isolated",
        "--disable-noqa",
        "--jobs",
        "1",
        "--select",
        ",".join(CODES),
        "--format",
        "%(row)d:%(code)s:%(text)s",
        str(path.absolute()),
    ]
    try:
        done = subprocess.run(
            command, cwd=path.parent, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [(1, "E902", f"the linter did not finish within {TIMEOUT_S:g} s; write simpler code")]
    if "No module named" in done.stderr and "flake8" in done.stderr:
        raise InfrastructureError("flake8 is not installed; run the set-up again (make demo)")
    found = []
    for text in done.stdout.splitlines():
        row, code, message = (text.split(":", 2) + ["", ""])[:3]
        if row.isdigit():
            found.append((int(row), code, message))
    if -done.returncode in (signal.SIGKILL, signal.SIGTERM):  # any other signal is a crash, which the source caused
        raise InfrastructureError(f"flake8 was ended by signal {-done.returncode}, not by this program; resume")
    if done.returncode and not found:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return [(1, "E902", f"the linter cannot read this file ({last[:MAX_WIDTH]})")]
    return sorted(set(found))


def _around(lines: list[str], line: int) -> str:
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    width = len(str(last))
    return "\n".join(
        f"{'>' if n == line else ' '} {n:{width}} | {lines[n - 1][:MAX_WIDTH]}".rstrip() for n in range(first, last + 1)
    )
