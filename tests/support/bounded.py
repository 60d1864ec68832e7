"""Runs launch.py in a forked child with bounds on time and memory, so that a hang or a leak fails only this test."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

from agent.app import arguments, cli
from agent.publishing.verify import command  # noqa: F401 - imported here, so that no child has to

MEMORY = 12 << 30  # bytes of address space


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


def launch(*words: object, seconds: float = 100.0) -> Ended:
    """The exit status and output of a command.

    Raises:
        TimeoutError: it did not end in time, and was killed.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as out,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
    ):
        child = os.fork()
        if child == 0:
            _run([str(word) for word in words], out.fileno(), errors.fileno())
        deadline = time.monotonic() + seconds
        while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise TimeoutError(f"launch.py {' '.join(map(str, words))} does not end")
            time.sleep(0.02)
        for file in (out, errors):
            file.seek(0)
        return Ended(os.waitstatus_to_exitcode(done[1]), out.read(), errors.read())


def _run(words: list[str], out: int, errors: int) -> None:
    """Runs the command in the child and ends the child; it never returns."""
    status = 1
    try:
        os.dup2(out, 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        status = cli.run(arguments.parse(words))
    except arguments.Refusal as refused:
        print(refused, file=sys.stderr)
        status = 2
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
