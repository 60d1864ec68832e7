"""Experiments that take too much: memory, processes, disk, files, output, time."""

from __future__ import annotations

from tests.suites.hostile.arena import Arena, experiment
from tests.suites.hostile.attack import Attack, Stopped, first_line, must

# name; code before the training; limits; reason codes that are right; the layer
_CASES: tuple[tuple[str, str, dict[str, float], tuple[str, ...], str], ...] = (
    (
        "memory bomb, anonymous",
        "hold = []\nwhile True: hold.append(bytearray(1 << 24))",
        {},
        ("memory",),
        "memory watcher",
    ),
    (
        "memory bomb, shared mapping",
        """
        import mmap
        hold = []
        while True: hold.append(mmap.mmap(-1, 1 << 24)); hold[-1].write(b'x' * (1 << 24))
        """,
        {},
        ("memory",),
        "memory watcher",
    ),
    (
        "memory bomb, files in /tmp and /dev/shm",
        """
        for n in range(1000):
            for place in ('/dev/shm', '/tmp'): open(f'{place}/{n}', 'wb').write(b'x' * (4 << 20))
        """,
        {},
        ("memory", "exit"),
        "size of the memory file systems",
    ),
    (
        "memory bomb, spread over processes",
        """
        import os, time
        for _ in range(12):
            if os.fork() == 0:
                hold = bytearray(b'x') * (60 << 20); time.sleep(60)
        time.sleep(60)
        """,
        {},
        ("memory",),
        "memory watcher",
    ),
    (
        "memory bomb in threads' stacks",
        """
        import threading, time
        threading.stack_size(64 << 20)
        def fall(n=0):
            a = n; return fall(n + 1) + a
        import sys
        sys.setrecursionlimit(10**9)
        for _ in range(40): threading.Thread(target=fall).start()
        time.sleep(60)
        """,
        {"wall_s": 8},
        ("memory", "signal", "exit"),
        "memory watcher",
    ),
    (
        "fork bomb",
        """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
        {"wall_s": 1},
        ("timeout", "memory"),
        "process limit, wall clock",
    ),
    (
        "double-forked daemon that ignores signals",
        """
        import os, signal, time
        if os.fork() == 0:
            os.setsid()
            for s in range(1, 32):
                try: signal.signal(s, signal.SIG_IGN)
                except (OSError, ValueError): pass
            if os.fork() == 0:
                os.setsid()
                time.sleep(300)
            os._exit(0)
        os._exit(7)
        """,
        {},
        ("exit",),
        "pid namespace",
    ),
    (
        "a daemon that outlives a good training",
        """
        import os, time
        if os.fork() == 0:
            os.setsid(); os.close(1); os.close(2)
            time.sleep(300)
        """,
        {},
        ("",),
        "pid namespace",
    ),
    (
        "SIGTERM ignored at the time limit",
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True: time.sleep(1)
        """,
        {"wall_s": 0.5},
        ("timeout",),
        "wall clock, SIGKILL",
    ),
    (
        "freezing the sandbox's first process",
        """
        import ctypes, os, signal, time
        for act in (lambda: os.kill(1, signal.SIGSTOP), lambda: os.kill(1, signal.SIGKILL),
                    lambda: ctypes.CDLL(None).ptrace(16, 1, 0, 0), lambda: ctypes.CDLL(None).ptrace(0x4206, 1, 0, 0)):
            try: act()
            except OSError: pass
        time.sleep(300)
        """,
        {"wall_s": 0.5},
        ("timeout",),
        "wall clock, SIGKILL",
    ),
    (
        "killing everything it can",
        """
        import os, signal
        for pid in [-1, *range(1, 70_000)]:
            try: os.kill(pid, signal.SIGKILL)
            except OSError: pass
        """,
        {},
        ("signal",),
        "pid namespace",
    ),
    (
        "streams closed, then silence",
        "import os, time\nfor i in range(3): os.close(i)\ntime.sleep(300)",
        {"wall_s": 0.5},
        ("timeout",),
        "wall clock",
    ),
    ("100 GB sparse file", "open(out_dir / 'big', 'wb').truncate(100 << 30)", {}, ("disk", "exit"), "file-size limit"),
    (
        "a large file really written",
        """
        with open(out_dir / 'big', 'wb') as f:
            while True: f.write(b'x' * (1 << 20))
        """,
        {},
        ("disk", "exit"),
        "file-size limit",
    ),
    (
        "many files below the size limit",
        """
        n = 0
        while True: open(out_dir / str(n), 'wb').write(b'x' * (4 << 20)); n += 1
        """,
        {},
        ("disk",),
        "disk watcher",
    ),
    (
        "a deleted file held open",
        """
        import os, time
        for n in range(12):
            h = os.open(out_dir / str(n), os.O_RDWR | os.O_CREAT); os.unlink(out_dir / str(n))
            os.write(h, b'x' * (7 << 20))
        time.sleep(60)
        """,
        {},
        ("disk",),
        "disk watcher",
    ),
    (
        "a million small files",
        "for n in range(1_000_000): open(out_dir / str(n), 'w').close()",
        {},
        ("files",),
        "file-count watcher",
    ),
    (
        "folders nested 20,000 deep",
        """
        import os
        os.chdir(out_dir)
        for n in range(20_000): os.mkdir('d'); os.chdir('d')
        """,
        {"files": 100_000},
        ("files",),
        "file-count watcher",
    ),
    (
        "folders nobody may open",
        """
        import os, time
        (out_dir / 'a').mkdir(); (out_dir / 'a' / 'x').write_text('x'); os.chmod(out_dir / 'a', 0)
        os.chmod(out_dir, 0)
        time.sleep(0.1); os.chmod(out_dir, 0o700)
        """,
        {},
        ("", "files"),
        "harvest by root or by mode",
    ),
    ("endless standard output", "while True: print('x' * 1000)", {}, ("output",), "output limit"),
    (
        "endless standard error",
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)",
        {},
        ("output",),
        "output limit",
    ),
    (
        "endless log.jsonl",
        """
        with open(out_dir / 'log.jsonl', 'w') as f:
            while True: f.write('{"step": 1, "loss": 2.0}\\n' * 1000)
        """,
        {},
        ("disk", "exit"),
        "file-size limit",
    ),
)


def attacks() -> list[Attack]:
    return [Attack(name, _runner(code, limits, reasons, by)) for name, code, limits, reasons, by in _CASES]


def _runner(code: str, limits: dict[str, float], reasons: tuple[str, ...], by: str):
    def run(arena: Arena) -> Stopped:
        training = arena.train(experiment(code), **limits)
        must(training.reason in reasons, f"ended as {training.reason or 'measured'}: {first_line(training.detail)}")
        lines = training.detail.splitlines() or ["the training is measured, nobody is left"]
        return Stopped(by, first_line(lines[-1] if training.reason == "exit" else lines[0]))

    return run
