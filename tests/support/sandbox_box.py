"""What the sandbox tests share: a program that runs in a sandbox, and what it leaves behind."""

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from agent.core.manifest import Limits
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
from agent.sandbox.limits import pids

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
WALLS, BARE = BubblewrapSandbox(grace_s=0.5), NoSandbox(grace_s=0.5)
both = pytest.mark.parametrize("sandbox", [WALLS, BARE], ids=["bwrap", "none"])


class Box:
    """Runs one program in a sandbox with a writable /w, and reads what it printed."""

    def __init__(self, folder, sandbox=WALLS):
        self.folder, self.out, self.sandbox = folder, folder / "out", sandbox
        self.out.mkdir(exist_ok=True)

    def start(self, code, mounts=(), **limits):
        out = Mount(self.out, "/w", writable=True)
        spec = SandboxSpec(
            argv=(sys.executable, "-c", textwrap.dedent(code)),
            cwd="/w",
            mounts=(out, *mounts),
            limits=Limits(
                **{
                    "wall_s": 20.0,
                    "memory_mb": 512,
                    "processes": 64,
                    "disk_mb": 50,
                    "files": 100,
                    "file_mb": 30,
                    "output_mb": 1,
                }
                | limits
            ),
        )
        return self.sandbox.start(spec, stdout=self.folder / "stdout", stderr=self.folder / "stderr")

    def run(self, code, mounts=(), **limits):
        return self.start(code, mounts, **limits).wait()

    @property
    def said(self):
        return (self.folder / "stdout").read_text(errors="replace").strip()

    @property
    def complained(self):
        return (self.folder / "stderr").read_text(errors="replace")


def marked(token):
    """The running processes that have the token on their command line."""
    found = []
    for pid in pids():
        try:
            if token.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid():
                found.append(pid)
        except OSError:
            continue
    return found


def gone(token):
    """Whether the processes with the token end within three seconds."""
    deadline = time.monotonic() + 3.0
    while marked(token) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not marked(token)


DAEMON = """
    import os, signal, subprocess, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)', '{token}'])
        os._exit(0)
    time.sleep({stay})
"""


def refused(box, code):
    """Whether the sandbox stopped the code, which prints "in" after each thing that it managed to do."""
    end = box.run(code)
    assert end.reason == "ok", box.complained
    return "in" not in box.said.split()
