"""Attacks: each test is a program that tries one thing, and what is left afterwards."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox import boxes, uids
from tests.support import ROOT
from tests.support.sandbox_box import BARE, WALLS, Box, as_root, both, marked, refused


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---------------------------------------------------------------- what it may do


@both
def test_a_program_writes_its_results_and_ends_well(tmp_path, sandbox):
    box = Box(tmp_path, sandbox)
    end = box.run("open('result', 'w').write('42'); print('done')")

    assert (end.reason, end.code, box.said) == ("ok", 0, "done")
    assert (box.out / "result").read_text() == "42"
    assert (box.out / "result").stat().st_uid == os.getuid()


@both
@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [("raise SystemExit(3)", "exit", 3), ("import os; os.abort()", "signal", 134), ("1 / 0", "exit", 1)],
)
def test_the_exit_says_how_it_ended(tmp_path, sandbox, code, reason, status):
    end = Box(tmp_path, sandbox).run(code)

    assert (end.reason, end.code) == (reason, status)


def test_torch_trains_inside(box):
    end = box.run(
        """
        import torch
        w = torch.zeros(4, requires_grad=True)
        for _ in range(3):
            loss = ((w - 1) ** 2).sum(); loss.backward(); w.data -= w.grad
        print('trained', torch.multiprocessing.get_all_start_methods()[0])
        """,
        memory_mb=2048,
    )

    assert end.reason == "ok" and "trained" in box.said, box.complained


def test_multiprocessing_works_inside(box):
    end = box.run("""
        import multiprocessing as m
        with m.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))
        with m.Manager() as manager: print(len(manager.list([1])))
        """)

    assert end.reason == "ok" and box.said.startswith("[1, 2]"), box.complained


def test_pipes_carry_a_dialogue(tmp_path):
    spec = SandboxSpec(argv=(sys.executable, "-c", "print(input()[::-1])"), cwd="/", mounts=(), limits=Limits())
    process = WALLS.start(spec, stdout=None, stderr=None, stdin=True)
    process.stdin.write(b"abc\n")
    process.stdin.flush()

    assert process.stdout.readline() == b"cba\n"
    assert process.wait().reason == "ok"


def test_cpu_time_and_memory_are_those_of_the_whole_tree(box):
    end = box.run("""
        import subprocess, sys
        burn = ('b = bytearray(120 << 20); import time; start = time.process_time()\\n'
                'while time.process_time() - start < .4: pass')
        both = [subprocess.Popen([sys.executable, '-c', burn]) for _ in range(2)]
        for p in both: p.wait()
        """)

    assert 0.8 <= end.cpu_s < 3
    assert 240 <= end.peak_memory_mb < 400


@both
def test_the_last_moments_of_a_program_are_counted(tmp_path, sandbox):
    end = Box(tmp_path, sandbox).run("import time\nwhile time.process_time() < 0.28: pass")

    assert end.cpu_s >= 0.28


def test_a_source_below_a_private_folder_is_visible(box, tmp_path):
    private = tmp_path / "private"
    (private / "data").mkdir(parents=True)
    (private / "data" / "x").write_text("seen")
    private.chmod(0o700)
    end = box.run("print(open('/data/x').read())", mounts=(Mount(private / "data", "/data"),))

    assert (end.reason, box.said) == ("ok", "seen"), box.complained


@as_root
def test_a_source_that_the_dropped_uid_cannot_read_is_named(box, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)

    with pytest.raises(InfrastructureError, match=r"chmod -R go\+rX"):
        box.run("pass", mounts=(Mount(tmp_path / "data", "/data"),))


def test_a_missing_source_is_named(box, tmp_path):
    with pytest.raises(InfrastructureError, match="absent: cannot be mounted"):
        box.run("pass", mounts=(Mount(tmp_path / "absent", "/data"),))


# ---------------------------------------------------------------- what it may not see


def test_home_shadow_and_the_project_are_not_there(box):
    assert refused(
        box,
        f"""
        import os
        for path in ('/etc/shadow', '/etc/passwd', os.path.expanduser('~{os.environ.get("USER", "root")}/.bashrc'),
                     '{ROOT}/pyproject.toml', '{box.folder}', '/root/.bashrc', '/run', '/var', '/home'):
            try: os.stat(path); print('in', path)
            except OSError: pass
        """,
    )


def test_no_process_of_the_host_is_seen_or_reached(box):
    assert refused(
        box,
        f"""
        import os
        mine = [p for p in os.listdir('/proc') if p.isdigit()]
        if len(mine) > 2: print('in', mine)
        try: os.kill({os.getpid()}, 0); print('in')
        except ProcessLookupError: pass
        """,
    )


def test_no_key_is_in_any_environment(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; "
        "from tests.support.sandbox_box import Box; box = Box(Path(sys.argv[1])); "
        "box.run(\"import os, glob\\nfor f in glob.glob('/proc/*/environ'): print(open(f).read())\\n"
        'print(dict(os.environ))"); print(box.said)'
    )
    environment = {**os.environ, "OPENAI_API_KEY": "planted-7"}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, ROOT], env=environment, capture_output=True, text=True, check=True
    )

    assert "HOME" in done.stdout
    assert "planted-7" not in done.stdout and "OPENAI" not in done.stdout


def test_loopback_names_and_the_outside_are_out_of_reach(box):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0planted-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        assert refused(
            box,
            f"""
            import socket
            for family, where in ((socket.AF_INET, ('127.0.0.1', {server.getsockname()[1]})),
                                  (socket.AF_INET, ('192.0.2.1', 80)), (socket.AF_UNIX, {name!r}), (40, (2, 80))):
                try:
                    s = socket.socket(family); s.settimeout(1); s.connect(where); print('in', where)
                except OSError: pass
            try: socket.getaddrinfo('example.org', 80); print('in')
            except OSError: pass
            """,
        )


def test_with_network_the_loopback_answers(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]})); print('connected')"
        spec = SandboxSpec(argv=(sys.executable, "-c", code), cwd="/", mounts=(), limits=Limits(), network=True)
        end = WALLS.start(spec, stdout=box.folder / "stdout", stderr=box.folder / "stderr").wait()

    assert (end.reason, box.said) == ("ok", "connected")


# ---------------------------------------------------------------- what it may not do


def test_nothing_outside_its_folder_is_writable(box, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("kept")
    box.run(
        f"""
        import os
        for path in ('/x', '/usr/x', '/etc/x', '/data/y', '/data/x', '{sys.prefix}/x', '/dev/x', '/sys/x',
                     '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/1/oom_score_adj'):
            try: open(path, 'w'); print('in', path)
            except OSError: pass
        for source in ('/data/x', '/usr/bin/env'):
            try: os.link(source, '/w/hard'); print('in', source)
            except OSError: pass
        """,
        mounts=(Mount(data, "/data"),),
    )

    assert box.said in ("", "in /proc/1/oom_score_adj"), box.said
    assert (data / "x").read_text() == "kept"


def test_privileged_calls_are_refused(box):
    assert refused(
        box,
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def tried(name, number, *args):
            if libc.syscall(number, *args) >= 0: print('in', name)
        tried('keyctl', 250, 0, -3, 1); tried('add_key', 248, b'user', b'a', b'b', 1, -3)
        tried('ptrace', 101, 16, 1, 0, 0); tried('bpf', 321, 0, 0, 0); tried('userfaultfd', 323, 0)
        tried('perf', 298, 0, 0, -1, -1, 0); tried('io_uring', 425, 1, ctypes.create_string_buffer(200))
        tried('unshare', 272, 0x10000000); tried('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)
        tried('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0); tried('umount', 166, b'/tmp', 2)
        tried('memfd', 319, b'a', 0); tried('shmget', 29, 0, 1 << 20, 0o1600); tried('setns', 308, 0, 0)
        tried('clone3', 435, ctypes.create_string_buffer(88), 88); tried('x32', 0x40000000 + 39)
        tried('process_vm_readv', 310, 1, 0, 0, 0, 0, 0); tried('tiocsti', 16, 0, 0x5412, b'x')
        for act in (lambda: os.setuid(0), lambda: os.chroot('/tmp'), lambda: os.mknod('/w/d', 0o20666, 0x101),
                    lambda: os.chown('/w', 0, 0), lambda: os.setgroups([0]), lambda: open('/dev/mem'),
                    lambda: open('/proc/1/mem', 'rb').read(1)):
            try: act(); print('in', act.__code__.co_firstlineno)
            except OSError: pass
        """,
    )


def test_no_set_id_file_can_be_made(box):
    assert refused(
        box,
        """
        import os
        open('/w/f', 'w').close()
        for act in (lambda: os.chmod('/w/f', 0o4755), lambda: os.fchmod(os.open('/w/f', 0), 0o2755),
                    lambda: os.open('/w/g', os.O_CREAT, 0o4755)):
            try: act(); print('in')
            except OSError: pass
        """,
    )
    assert all(not p.stat().st_mode & 0o6000 for p in box.out.iterdir())


@as_root
def test_under_root_the_code_runs_as_a_uid_of_its_own(box):
    token = f"own-uid-{os.getpid()}"
    process = box.start(f"import time; time.sleep(20)  # {token}")
    seen = {os.stat(f"/proc/{pid}").st_uid for pid in marked(token)}
    process.kill()

    assert len(seen) == 1 and seen.pop() in uids.RANGE


@as_root
def test_two_sandboxes_have_two_uids_and_give_them_back():
    first, second = uids.lease(), uids.lease()
    first.release()
    third = uids.lease()
    second.release()
    third.release()

    assert first.uid != second.uid and third.uid == first.uid


# ---------------------------------------------------------------- without walls


def test_without_walls_paths_are_those_of_the_host(tmp_path):
    mount = Mount(tmp_path, "/w")

    assert BARE.visible(mount) == str(tmp_path.resolve())
    assert WALLS.visible(mount) == "/w"


def test_without_walls_no_key_is_handed_on(tmp_path):
    box = Box(tmp_path, BARE)
    os.environ["PLANTED_API_KEY"] = "planted-8"
    try:
        box.run("import os; print(dict(os.environ))")
    finally:
        del os.environ["PLANTED_API_KEY"]

    assert "HOME" in box.said and "planted-8" not in box.said


def test_a_command_that_is_not_there_is_an_exit_not_an_exception(tmp_path):
    spec = SandboxSpec(argv=("/no/such/program",), cwd="/", mounts=(), limits=Limits())

    assert BARE.start(spec, stdout=None, stderr=None).wait().reason == "exit"


SHORT = SandboxSpec(argv=("/bin/true",), cwd="/", mounts=(), limits=Limits())


def test_a_program_that_ends_before_we_look_has_ended_well(monkeypatch):
    first = boxes._first_process
    monkeypatch.setattr(boxes, "_first_process", lambda *said: (first(*said), time.sleep(0.3))[0])

    assert WALLS.start(SHORT, stdout=None, stderr=None).wait().reason == "ok"


def test_a_sandbox_that_is_killed_before_its_program_begins_is_an_infrastructure_error(monkeypatch):
    def killed(popen, *said):
        pid = first(popen, *said)
        os.kill(pid, signal.SIGKILL)
        popen.wait()
        return pid

    first = boxes._first_process
    monkeypatch.setattr(boxes, "_first_process", killed)

    with pytest.raises(InfrastructureError, match="killed before its program began"):
        WALLS.start(SHORT, stdout=None, stderr=None)
