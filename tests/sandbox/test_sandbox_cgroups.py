"""Where the host gives control groups, the kernel counts for us; they are gone when their sandbox is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.manifest import Limits
from agent.sandbox import cgroups
from agent.sandbox.probe import limits_report
from tests.support.sandbox_box import Box, both

KIND = cgroups.available()
given = pytest.mark.skipif(KIND is None, reason="no control groups are given here")
FILL_PIPES = """
    import os, fcntl, time
    ends = []
    for _ in range(120):
        ends.append(os.pipe())
        fcntl.fcntl(ends[-1][1], 1031, 1 << 20)  # F_SETPIPE_SZ
        os.write(ends[-1][1], bytes(1 << 20))
    time.sleep(20)
    """


def left():
    """Groups of this process, and of runners that are no more; others may be at work beside us."""
    group = cgroups.enclose(Limits())
    group.close()
    there = {folder for place in group.folders for folder in place.parent.glob(f"{cgroups.NAME}-*")}
    runners = {folder: int(folder.name.split("-")[2]) for folder in there}
    return [folder for folder, pid in runners.items() if pid == os.getpid() or not Path("/proc", str(pid)).exists()]


@given
@both
def test_what_the_kernel_holds_for_a_program_counts_as_its_memory(tmp_path, sandbox):
    end = Box(tmp_path, sandbox).run(FILL_PIPES, memory_mb=64)

    assert end.reason == "memory"
    assert end.peak_memory_mb >= 64


@given
def test_a_child_that_the_kernel_ended_for_memory_ends_the_program(tmp_path):
    end = Box(tmp_path).run(
        """
        import os, time
        for _ in range(3):
            if os.fork() == 0: hold = b'1' * (60 << 20); time.sleep(20)
        time.sleep(20)
        """,
        memory_mb=100,
    )

    assert end.reason == "memory"


@given
def test_a_group_goes_with_its_sandbox(tmp_path):
    assert Box(tmp_path).run("pass").reason == "ok"
    assert left() == []


@given
def test_groups_of_a_killed_runner_are_swept():
    code = (
        "from agent.sandbox import cgroups; from agent.core.manifest import Limits; import os, signal\n"
        "print(*cgroups.enclose(Limits()).folders, sep='\\n', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert KIND == "systemd" or died.stdout.strip()
    assert left() == []


def test_the_report_names_the_mechanism():
    said = limits_report()["memory"]

    assert ("no control group" in said) == (KIND is None)
