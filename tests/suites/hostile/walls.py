"""One hostile experiment that tries to get out or to look outside, by many ways; what each met is read back.

Every way is a small program in a process of its own inside the training. It prints "GOT ..." for whatever it
reached; an exception is what stopped it. Afterwards the same training goes on and must be measured.
"""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

from agent.sandbox.bwrap import python_trees
from agent.sandbox.limits import descendants
from tests.suites.hostile.arena import KEY, Arena, experiment
from tests.suites.hostile.attack import Attack, Stopped, first_line, must
from tests.support import ROOT

NAMES, CALLS, FILES = "namespaces", "system-call filter", "read-only mounts"
ABSENT = "not mounted"
# name; layer; program. Names in capitals are filled in from the arena.
_PROBES: tuple[tuple[str, str, str], ...] = (
    (
        "reading HOME, shadow and passwd",
        ABSENT,
        """
        for path in ('/etc/shadow', '/etc/passwd', '/home', os.path.expanduser('~/.ssh'), *HOME_FILES,
                     SESSION + '/home/.ssh/id_ed25519'):
            look(path)
        """,
    ),
    (
        "keys in its environment",
        "environment by allow-list",
        """
        for name, value in os.environ.items():
            if KEY in value or 'KEY' in name or 'TOKEN' in name: got(name)
        """,
    ),
    (
        "keys in /proc/1/environ",
        "launcher started with an empty environment",
        """
        if KEY.encode() in open('/proc/1/environ', 'rb').read(): got('the key')
        """,
    ),
    (
        "keys in any /proc/*/environ or command line",
        "launcher started with an empty environment",
        """
        for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
            try: text = open(path, 'rb').read()
            except OSError: continue
            if KEY.encode() in text: got(path)
        """,
    ),
    (
        "/proc of the runner and the supervisor",
        NAMES,
        """
        for pid in PIDS:
            if os.path.exists(f'/proc/{pid}/stat') and b'agent' in open(f'/proc/{pid}/cmdline', 'rb').read(): got(pid)
        if sum(name.isdigit() for name in os.listdir('/proc')) > 8: got(os.listdir('/proc'))
        """,
    ),
    (
        "killing runner and supervisor by their pids",
        NAMES,
        """
        for pid in PIDS:
            if pid not in mine():
                attempt(lambda: os.kill(pid, signal.SIGKILL))
        """,
    ),
    (
        "killing by guessed pids",
        NAMES,
        """
        for pid in range(2, 100_000):
            if pid not in mine():
                attempt(lambda: os.kill(pid, signal.SIGKILL))
        """,
    ),
    ("other runs' folders", ABSENT, "look(SESSION + '/runs/0/attempt-1/result.json'); look(SESSION + '/runs')"),
    (
        "its own job.json and result.json",
        ABSENT,
        """
        for name in ('job.json', 'result.json', 'lock', 'cancel', 'supervisor.json'):
            look(JOB + '/' + name); attempt(lambda: open(JOB + '/' + name, 'w'))
            attempt(lambda: open('/w/../' + name, 'w'))
        """,
    ),
    ("the truth data by its path", ABSENT, "look(TRUTH); look(TRUTH + '/x.npy'); look('/data/../truth')"),
    (
        "the truth data by searching",
        ABSENT,
        """
        for top, folders, files in os.walk('/'):
            folders[:] = [f for f in folders if top != '/' or f not in ('proc', 'sys', 'usr')]
            for name in files:
                if name in ('directions.npy', 'features.npz', 'events.jsonl', 'result.json', 'id_ed25519'): got(top + '/' + name)
        """,
    ),
    (
        "files through /proc/1/root, /proc/1/cwd and map_files",
        NAMES,
        """
        for way in ('/proc/1/root', '/proc/1/cwd', '/proc/self/root', '/proc/self/task/1/root', '/proc/1/map_files'):
            for path in (SESSION + '/events.jsonl', '/etc/shadow', TRUTH): look(way + path)
        """,
    ),
    (
        "the repository and its git folder",
        ABSENT,
        """
        look(SESSION + '/repo/.git/config'); attempt(lambda: open(SESSION + '/repo/.git/hooks/post-commit', 'w'))
        """,
    ),
    ("events.jsonl", ABSENT, "look(SESSION + '/events.jsonl'); attempt(lambda: open(SESSION + '/events.jsonl', 'a'))"),
    (
        "its own code, before it is measured",
        FILES,
        """
        attempt(lambda: open('/w/experiment.py', 'a')); attempt(lambda: os.replace('/w/run_1/x', '/w/experiment.py'))
        attempt(lambda: os.unlink('/w/experiment.py')); attempt(lambda: open('/w/numpy.py', 'w'))
        """,
    ),
    (
        "its time limit in task.json",
        FILES,
        """
        attempt(lambda: open('task.json', 'w')); attempt(lambda: os.rename('/w', '/w2'))
        attempt(lambda: os.chmod('task.json', 0o777))
        """,
    ),
    (
        "its limits, raised again",
        "hard limits of the kernel",
        """
        import resource
        for what in ('FSIZE', 'NPROC', 'CPU', 'NOFILE', 'CORE'):
            attempt(lambda: resource.setrlimit(getattr(resource, 'RLIMIT_' + what), (1 << 40, 1 << 40)))
        """,
    ),
    (
        "the training data",
        FILES,
        "attempt(lambda: open('/data/activations.npy', 'r+b')); attempt(lambda: open('/data/x', 'w'))",
    ),
    (
        "Python's own packages",
        FILES,
        """
        import numpy
        attempt(lambda: open(numpy.__file__, 'a')); attempt(lambda: open(sys.prefix + '/lib/x.pth', 'w'))
        """,
    ),
    (
        "relaunching launch.py",
        ABSENT,
        """
        for path in (ROOT + '/launch.py', '/w/launch.py', '/w/../launch.py'):
            look(path)
            if subprocess.run([sys.executable, path, '--help'], capture_output=True).returncode == 0: got(path)
        if subprocess.run([sys.executable, '-m', 'agent.lab.jobs.supervisor', '/w'], capture_output=True).returncode == 0: got('it')
        """,
    ),
    (
        "a loopback connection",
        "network namespace",
        """
        attempt(lambda: socket.create_connection(('127.0.0.1', PORT), 2)); attempt(lambda: socket.create_connection(('::1', PORT), 2))
        """,
    ),
    (
        "connections to the outside, and names",
        "network namespace",
        """
        for where in (('192.0.2.1', 80), ('1.1.1.1', 53), ('169.254.169.254', 80)):
            attempt(lambda: socket.create_connection(where, 2))
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); attempt(lambda: u.sendto(b'x', where))
        attempt(lambda: socket.getaddrinfo('example.org', 80))
        """,
    ),
    (
        "an abstract unix socket of the host",
        "network namespace",
        """
        s = socket.socket(socket.AF_UNIX); attempt(lambda: s.connect(ABSTRACT))
        """,
    ),
    (
        "a unix socket in the session's folder",
        ABSENT,
        "s = socket.socket(socket.AF_UNIX); attempt(lambda: s.connect(SOCKET))",
    ),
    (
        "raw, packet and vsock sockets",
        CALLS,
        """
        for family, kind in ((17, 3), (2, 3), (40, 1), (38, 5), (29, 3)): attempt(lambda: socket.socket(family, kind))
        """,
    ),
    ("ptrace", CALLS, "call('attach', 101, 16, 1, 0, 0); call('seize', 101, 0x4206, 1, 0, 0)"),
    (
        "another process's memory",
        CALLS,
        """
        call('readv', 310, 1, 0, 0, 0, 0, 0); call('writev', 311, 1, 0, 0, 0, 0, 0); call('pidfd_getfd', 438, 3, 0, 0)
        """,
    ),
    (
        "the first process, through /proc/1/mem",
        "no capabilities, the same filter",
        """
        for line in open('/proc/1/status'):
            name, _, value = line.partition(':')
            if name in ('CapPrm', 'CapEff', 'CapInh', 'CapAmb') and int(value, 16): got(line)
            if name == 'Seccomp' and value.strip() != '2': got('a first process without filter')
            if name == 'NoNewPrivs' and value.strip() != '1': got('new privileges')
        for space in ('user', 'mnt', 'net', 'pid'):
            try: theirs = os.readlink('/proc/1/ns/' + space)
            except OSError as e: stops.append(e.errno); continue
            if theirs != os.readlink('/proc/self/ns/' + space): got('another namespace: ' + space)
        """,
    ),
    (
        "mount, by the old and the new interface",
        CALLS,
        """
        call('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0); call('fsopen', 430, b'tmpfs', 0)
        call('open_tree', 428, -100, b'/', 1); call('move_mount', 429, -100, b'/tmp', -100, b'/w', 0)
        """,
    ),
    (
        "unmounting and remounting writable",
        CALLS,
        """
        call('umount', 166, b'/w', 2); call('remount', 165, b'', b'/', b'', 0x20 | 0x1000, 0)
        call('mount_setattr', 442, -100, b'/', 0, buffer(64), 32)
        """,
    ),
    (
        "chroot, pivot_root, open_by_handle_at",
        CALLS,
        """
        call('chroot', 161, b'/tmp'); call('pivot_root', 155, b'/tmp', b'/tmp')
        call('name_to_handle', 303, -100, b'/w', buffer(64), buffer(8), 0); call('by_handle', 304, 3, buffer(64), 0)
        """,
    ),
    (
        "keyctl and the key rings",
        CALLS,
        """
        call('keyctl', 250, 0, -3, 1); call('add_key', 248, b'user', b'a', b'b', 1, -3)
        call('request_key', 249, b'user', b'a', 0, -3)
        """,
    ),
    (
        "a user namespace of its own",
        CALLS,
        """
        call('unshare', 272, 0x10000000); call('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)
        call('clone3', 435, buffer(88), 88); attempt(lambda: open('/proc/sys/user/max_user_namespaces', 'w'))
        """,
    ),
    (
        "another process's namespaces",
        CALLS,
        """
        h = os.open('/proc/self/ns/net', os.O_RDONLY); call('setns', 308, h, 0)
        """,
    ),
    ("bpf", CALLS, "call('bpf', 321, 0, buffer(128), 128); call('bpf', 321, 5, buffer(128), 128)"),
    ("io_uring", CALLS, "call('setup', 425, 8, buffer(200)); call('enter', 426, 3, 1, 0, 0, 0, 0)"),
    (
        "perf, userfaultfd, fanotify",
        CALLS,
        """
        call('perf', 298, buffer(120), 0, -1, -1, 0); call('userfaultfd', 323, 0); call('fanotify', 300, 0, 0)
        """,
    ),
    (
        "memory that no watcher sees",
        CALLS,
        "call('memfd', 319, b'a', 0); call('shmget', 29, 0, 1 << 20, 0o1600); call('secret', 447, 0)",
    ),
    (
        "space taken at once, before a watcher looks",
        CALLS,
        """
        h = os.open(OUT + '/room', os.O_CREAT | os.O_RDWR)
        for mode in (0, 1, 16): call('fallocate', 285, h, mode, ctypes.c_long(0), ctypes.c_long(1 << 20))
        import fcntl, struct
        room = struct.pack('hhqqiI4i', 0, 0, 0, 1 << 20, 0, 0, 0, 0, 0, 0)
        for request in (0x40305828, 0x4030582A, 0x40305839): attempt(lambda: fcntl.ioctl(h, request, room))
        if os.fstat(h).st_blocks: got('blocks')
        """,
    ),
    (
        "kernel modules, kexec, reboot, clocks",
        CALLS,
        """
        call('init_module', 175, 0, 0, 0); call('finit_module', 313, 3, b'', 0); call('kexec', 246, 0, 0, 0, 0)
        call('reboot', 169, 0xfee1dead, 672274793, 0, 0); call('settime', 227, 0, buffer(16)); call('syslog', 103, 3, buffer(64), 64)
        """,
    ),
    (
        "a set-id file",
        CALLS,
        """
        open(OUT + '/f', 'w').close()
        attempt(lambda: os.chmod(OUT + '/f', 0o4755)); attempt(lambda: os.open(OUT + '/g', os.O_CREAT, 0o6755))
        """,
    ),
    (
        "a device node",
        "no capabilities",
        """
        attempt(lambda: os.mknod(OUT + '/d', 0o60666, os.makedev(8, 0))); attempt(lambda: os.mknod('/dev/d', 0o20666, 0x101))
        attempt(lambda: open('/dev/mem')); attempt(lambda: open('/dev/kmsg')); attempt(lambda: open('/dev/vda'))
        """,
    ),
    (
        "kernel settings",
        FILES,
        """
        for path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/kernel/hostname',
                     '/sys/fs/cgroup/x', '/sys/kernel/uevent_helper'):
            attempt(lambda: open(path, 'w'))
        """,
    ),
    (
        "becoming another user",
        "no capabilities",
        """
        for act in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0),
                    lambda: os.chown(OUT, 0, 0), lambda: put('/proc/self/uid_map', b'0 0 1')): attempt(act)
        """,
    ),
    (
        "set-id programs of the system",
        "no new privileges",
        """
        done = subprocess.run(['/usr/bin/su', '-c', 'id -u'], input=b'', capture_output=True)
        if done.stdout.strip() == b'0': got('su')
        if 'NoNewPrivs:\\t1' not in open('/proc/self/status').read(): got('new privileges')
        """,
    ),
    (
        "a hard link to foreign data",
        FILES,
        """
        for path in ('/data/activations.npy', '/usr/bin/env', '/w/experiment.py'): attempt(lambda: os.link(path, OUT + '/h'))
        """,
    ),
    (
        "inherited file handles",
        "handles closed before the start",
        """
        for pid in ('self', '1'):
            for fd in os.listdir(f'/proc/{pid}/fd') if os.access(f'/proc/{pid}/fd', os.R_OK) else ():
                try: target = os.readlink(f'/proc/{pid}/fd/{fd}')
                except OSError: continue
                if int(fd) > 2 and not target.startswith(('/proc/', 'pipe:', 'anon_inode:')): got(target)
        """,
    ),
    (
        "injecting keys into the terminal",
        CALLS,
        """
        import fcntl
        attempt(lambda: open('/dev/tty')); attempt(lambda: fcntl.ioctl(0, 0x5412, b'x')); attempt(lambda: fcntl.ioctl(0, 0x541C, b'x'))
        """,
    ),
    (
        "taking the machine's processors",
        "no capabilities",
        """
        attempt(lambda: os.nice(-10)); attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
        attempt(lambda: put('/proc/self/oom_score_adj', b'-900'))
        """,
    ),
)
_HELPERS = """
    import ctypes, glob, json, os, signal, socket, subprocess, sys
    libc = ctypes.CDLL(None, use_errno=True)
    stops = []
    def got(what): print('GOT', what, flush=True)
    def attempt(act):
        try: act()
        except OSError as e: stops.append(e.errno)
        except ValueError as e: stops.append(str(e)[:40])
        else: got(act.__code__.co_name + ' in line ' + str(act.__code__.co_firstlineno))
    def look(path):
        try: os.stat(path); os.listdir(path) if os.path.isdir(path) else open(path).close()
        except OSError as e: stops.append(e.errno)
        else: got(path)
    def put(path, data): h = os.open(path, os.O_WRONLY); os.write(h, data)
    def buffer(n): return ctypes.create_string_buffer(n)
    def call(name, number, *args):
        if libc.syscall(number, *args) >= 0: got(name)
        else: stops.append(ctypes.get_errno())
    def mine(): return {os.getpid(), os.getppid()}
    import errno
    def said(e): return errno.errorcode.get(e, str(e)) if isinstance(e, int) else str(e)
    for i, program in enumerate(json.loads(PROGRAMS)):
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            sys.stdout = open(1, 'w', closefd=False)
            print('PROBE', i, flush=True)
            try: exec(program, globals())
            except BaseException as e: stops.append(type(e).__name__ + ' ' + str(e)[:60])
            print('END', i, ' '.join(dict.fromkeys(map(said, stops))), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
"""


class Walls(Arena):
    """Runs the one experiment at the first question, and answers for each probe from what it printed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._said: dict[int, str] | None = None

    def said(self, number: int) -> str:
        if self._said is None:
            self._said = self._ask()
        return self._said.get(number, "")

    def _ask(self) -> dict[int, str]:
        programs = [textwrap.dedent(code) for _, _, code in _PROBES]
        own = [os.getpid(), *descendants(os.getpid())]
        half = len(KEY) // 2
        known = {
            "PROGRAMS": json.dumps(programs),
            "HOME_FILES": home_files(),
            "SESSION": str(self.session),
            "ROOT": str(ROOT),
            "JOB": str(self.session / "runs" / str(self.next_run) / "attempt-1"),
            "TRUTH": str(self.world.truth),
            "PORT": self.server.getsockname()[1],
            "ABSTRACT": f"\0hostile-{os.getpid()}",
            "SOCKET": str(self.socket_path),
            "OUT": f"/w/run_{self.next_run}",
            "PIDS": own,
        }
        lines = [f"{name} = {value!r}" for name, value in known.items()]
        lines.append(f"KEY = {KEY[:half]!r} + {KEY[half:]!r}")  # never whole in a file of the session
        lines += ["for pid in range(1, 60): PIDS.append(PIDS[0] + pid)"]  # the supervisor starts after us
        code = experiment(
            "globals().update(task=json.loads(Path('task.json').read_text()))",
            top="\n".join([*lines, "if __name__ == '__main__':", _HELPERS]),
        )
        leaks: list[str] = []
        training = self.train(code, lambda job: leaks.extend(keys_held_by_descendants()), wall_s=60)
        must(training.outcome == "measured", f"the training did not go on: {training.reason}: {training.detail}")
        must(not leaks, f"the key stands in the environment of {leaks[:3]}")
        found: dict[int, str] = {}
        for part in self.printed().split("PROBE ")[1:]:
            number, _, rest = part.partition("\n")
            found[int(number)] = rest
        return found


def home_files() -> list[str]:
    """What lies in our HOME, save the way to Python itself, which is mounted."""
    home = Path.home()
    mounted = {part for tree in python_trees() for part in (tree, *tree.parents)}
    return [str(path) for path in home.iterdir() if path not in mounted][:50]


def keys_held_by_descendants() -> list[str]:
    """Processes of the job that carry the planted key; the supervisor needs none either."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            if KEY.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes()[:60]!r}")
        except OSError:
            continue
    return found


def attacks() -> list[Attack]:
    return [Attack(name, _reader(number, by)) for number, (name, by, _) in enumerate(_PROBES)]


def _reader(number: int, by: str):
    def run(walls: Walls) -> Stopped:
        said = walls.said(number)
        must("GOT" not in said, first_line(said[max(0, said.find("GOT")) :]))
        must(f"END {number}" in said, f"the program did not come to its end: {first_line(said)}")
        met = said.partition(f"END {number}")[2].strip()
        return Stopped(by, met or "nothing found")

    return run
