"""Every bound holds, and a tree ends whole: its daemons, its stoppers of signals, its first process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.manifest import Limits
from agent.core.sandboxing import SandboxSpec
from agent.sandbox.limits import rlimits
from agent.sandbox.trees import NamespaceTree
from tests.support import ROOT
from tests.support.sandbox_box import DAEMON, WALLS, Box, both, gone, marked


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---------------------------------------------------------------- limits


@both
def test_a_memory_hog_is_stopped(tmp_path, sandbox):
    end = Box(tmp_path, sandbox).run(
        """
        hold = []
        while True: hold.append(bytearray(8 << 20)); import time; time.sleep(.01)
        """,
        memory_mb=300,
    )

    assert end.reason == "memory"
    assert 250 < end.peak_memory_mb < 600


def test_memory_spread_over_processes_is_summed(box):
    end = box.run(
        """
        import os, time
        for _ in range(4):
            if os.fork() == 0: hold = bytearray(120 << 20); time.sleep(30)
        time.sleep(30)
        """,
        memory_mb=300,
    )

    assert end.reason == "memory"


def test_files_in_memory_count_as_memory(box):
    end = box.run(
        """
        import time
        for name in ('/tmp/a', '/dev/shm/a'):
            with open(name, 'wb') as f:
                for _ in range(28): f.write(bytes(1 << 20))
        time.sleep(20)
        """,
        memory_mb=50,
    )

    assert end.reason == "memory"


@pytest.mark.skipif(os.getuid() != 0, reason="chroot takes root")
def test_the_hosts_disk_is_no_memory_of_a_sandbox(tmp_path):
    """While bwrap builds its mounts, /dev/shm of a sandbox can lie on the host's disk for a moment."""
    (tmp_path / "dev/shm").mkdir(parents=True)
    code = "import os, sys; os.chroot(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as half:
        half.stdout.readline()
        tree = NamespaceTree(half.pid)
        found = tree.scratch_bytes()
        tree.close()
        half.stdin.close()

    assert found == 0


def test_pages_shared_by_forked_processes_count_once(box):
    end = box.run(
        """
        import os, time
        hold = bytearray(b'x') * (100 << 20)
        for _ in range(4):
            if os.fork() == 0: time.sleep(.8); os._exit(0)
        time.sleep(1)
        """,
        memory_mb=250,
    )

    assert end.reason == "ok"


def test_a_fork_bomb_stays_bounded_and_ends(box):
    token = f"bomb-{os.getpid()}"
    process = box.start(
        f"""
        import os  # {token}
        while True:
            try: os.fork()
            except OSError: pass
        """,
        processes=40,
        wall_s=1.5,
    )
    most = 0
    while process.poll() is None:
        most = max(most, len(marked(token)))
        time.sleep(0.05)

    assert process.wait().reason == "timeout"
    assert 10 < most <= rlimits(Limits(processes=40), own_uid=os.getuid() == 0)["RLIMIT_NPROC"]


@both
def test_endless_output_is_cut_and_ends_the_program(tmp_path, sandbox):
    box = Box(tmp_path, sandbox)
    end = box.run("while True: print('x' * 1000)")

    assert end.reason == "output" and end.wall_s < 5
    assert (box.folder / "stdout").stat().st_size == 1 << 20


def test_filling_the_disk_with_files_within_the_size_limit_is_stopped(box):
    end = box.run(
        """
        import time
        for i in range(50):
            open(f'f{i}', 'wb').write(bytes(10 << 20)); time.sleep(.05)
        time.sleep(20)
        """,
        disk_mb=40,
    )

    assert end.reason == "disk"


def test_unlinked_files_count_as_disk(box):
    end = box.run(
        """
        import os, time
        held = []
        for i in range(4):
            held.append(open(f'f{i}', 'wb')); held[-1].write(bytes(20 << 20)); held[-1].flush(); os.unlink(f'f{i}')
        time.sleep(20)
        """,
        disk_mb=50,
    )

    assert end.reason == "disk"


@both
def test_one_huge_file_hits_the_file_limit(tmp_path, sandbox):
    box = Box(tmp_path, sandbox)
    end = box.run("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))")

    assert end.reason in ("exit", "disk")
    assert (box.out / "big").stat().st_size <= 30 << 20


@pytest.mark.parametrize(
    "code",
    [
        "import time\nfor i in range(1000): open(f'f{i}', 'w')\ntime.sleep(20)",
        "import os\nfor i in range(1000): open(f'f{i}', 'w')",
        "import os, time\nfor i in range(60): os.mkdir('d'); os.chdir('d')\ntime.sleep(20)",
    ],
    ids=["waits", "ends", "deep"],
)
def test_too_many_or_too_deep_files_are_stopped(box, code):
    assert box.run(code).reason == "files"


def test_a_folder_closed_to_the_watcher_hides_nothing(box):
    end = box.run("""
        import os, time
        os.mkdir('d'); os.chdir('d')
        for i in range(300): open(f'f{i}', 'w')
        os.chmod('/w/d', 0); os.chmod('/w', 0); time.sleep(20)
        """)
    box.out.chmod(0o700)
    (box.out / "d").chmod(0o700)

    assert end.reason == "files"


def test_a_limit_passed_between_two_looks_is_still_found_at_the_end(box):
    assert box.run("for i in range(4): open(f'f{i}', 'wb').write(bytes(20 << 20))").reason == "disk"


# ---------------------------------------------------------------- the end of the whole tree


@both
def test_the_wall_clock_asks_first(tmp_path, sandbox):
    box = Box(tmp_path, sandbox)
    end = box.run(
        """
        import signal, sys, time
        def stop(*_): open('saved', 'w').write('yes'); sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        time.sleep(30)
        """,
        wall_s=0.7,
    )

    assert end.reason == "timeout" and end.wall_s < 3
    assert (box.out / "saved").read_text() == "yes"


@both
def test_a_program_that_ignores_sigterm_is_killed(tmp_path, sandbox):
    end = Box(tmp_path, sandbox).run(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", wall_s=0.5
    )

    assert end.reason == "timeout" and 1 <= end.wall_s < 4


@both
def test_a_daemon_ends_with_the_main_program(tmp_path, sandbox):
    token = f"daemon-a-{os.getpid()}-{sandbox.name}"
    end = Box(tmp_path, sandbox).run(DAEMON.format(token=token, stay=0.5))

    assert end.reason == "ok"
    assert gone(token)


@both
def test_kill_ends_the_daemon_as_well(tmp_path, sandbox):
    token = f"daemon-b-{os.getpid()}-{sandbox.name}"
    process = Box(tmp_path, sandbox).start(DAEMON.format(token=token, stay=60))
    while not any("sleep" in Path(f"/proc/{p}/cmdline").read_text() for p in marked(token) if p):
        time.sleep(0.02)
    end = process.kill()

    assert end.reason == "cancelled" and end.wall_s < 10
    assert gone(token)


def test_stopping_the_first_process_of_the_sandbox_does_not_outlast_the_clock(box):
    end = box.run(
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(1, signal.SIGSTOP)
        try: os.kill(1, signal.SIGKILL)
        finally: time.sleep(60)
        """,
        wall_s=0.5,
    )

    assert end.reason == "timeout" and end.wall_s < 4


@both
def test_the_sandbox_dies_with_the_process_that_started_it(tmp_path, sandbox):
    token = f"daemon-c-{os.getpid()}-{sandbox.name}"
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); from pathlib import Path; "
        "from tests.support.sandbox_box import BARE, DAEMON, WALLS, Box; box = Box(Path(sys.argv[1]), "
        "WALLS if sys.argv[3] == 'bwrap' else BARE); "
        "box.start(DAEMON.format(token=open(sys.argv[1] + '/token').read(), stay=60)); time.sleep(60)"
    )
    (tmp_path / "token").write_text(token)
    with subprocess.Popen([sys.executable, "-c", code, tmp_path, ROOT, sandbox.name]) as starter:
        deadline = time.monotonic() + 20
        while not any(f"sleep(60)\0{token}" in Path(f"/proc/{p}/cmdline").read_text() for p in marked(token)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        starter.kill()

    assert gone(token)


def test_limits_hold_for_a_caller_who_only_reads_the_pipe():
    spec = SandboxSpec(
        argv=(sys.executable, "-c", "import time; time.sleep(60)"), cwd="/", mounts=(), limits=Limits(wall_s=0.5)
    )
    process = WALLS.start(spec, stdout=None, stderr=None)

    assert process.stdout.read() == b""
    assert process.wait().reason == "timeout"


def test_the_peak_is_not_that_of_the_process_that_started_the_sandbox(box):
    ballast = bytearray(700 << 20)
    end = box.run("import time; time.sleep(0.5)")
    assert len(ballast) == 700 << 20
    assert end.peak_memory_mb < 200
