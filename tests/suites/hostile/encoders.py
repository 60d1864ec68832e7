"""What a model class does while the runner measures it: garbage, endless and forged frames, hunger."""

from __future__ import annotations

from tests.suites.hostile.arena import Arena, experiment
from tests.suites.hostile.attack import Attack, Stopped, first_line, must

_PIPE = """
    import glob, os, stat, struct
    def channel():
        for fd in range(3, 64):
            try:
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    os.write(fd, b''); return fd
            except OSError: pass
    def head(rows, stored):
        return struct.pack('<4sBBBBBBQBBQBBQ', b'GAVE', 0, 4, 5, 0, 5, 1, rows, 5, 1, stored, 10, 1, stored)
"""
# name; code at the start of encode(self, x); outcome, reasons; the layer
_CASES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "garbage among the answers",
        _PIPE + "os.write(channel(), os.urandom(4096))\n",
        ("encode-malformed",),
        "frame check",
    ),
    (
        "a frame that never ends",
        _PIPE
        + """
os.write(channel(), head(len(x), 4))
import time
while True: os.write(channel(), b''); time.sleep(0.1)
""",
        ("encode",),
        "wall clock of the encoding",
    ),
    (
        "an endless stream of answers",
        _PIPE + "while True: os.write(channel(), head(len(x), 4))\n",
        ("encode-malformed",),
        "frame check",
    ),
    (
        "a header that asks for 2^60 numbers",
        _PIPE + "os.write(channel(), head(len(x), 1 << 60))\n",
        ("encode-dense",),
        "frame check: bounded by max_l0",
    ),
    (
        "columns that do not exist",
        _PIPE
        + """
n = len(x)
os.write(channel(), head(n, n) + struct.pack(f'<{n + 1}I', 6, *[1] * n) +
         struct.pack(f'<{n}I', *[0xffffffff] * n) + struct.pack(f'<{n}f', *[1.0] * n))
""",
        ("encode-malformed",),
        "frame check",
    ),
    (
        "a forged frame, then the exit",
        _PIPE
        + """
os.write(channel(), head(len(x), 2) + bytes(8)); os._exit(0)
""",
        ("encode",),
        "the process's end is seen",
    ),
    (
        "latents that are infinite",
        "return np.full((len(x), 6), np.inf, np.float32)[:, :] * (np.arange(6) < 2)\n",
        ("encode-not-finite", "encode-dense"),
        "frame check",
    ),
    (
        "a memory bomb in encode",
        "hold = []\nwhile True: hold.append(bytearray(1 << 24))\n",
        ("encode",),
        "memory watcher",
    ),
    ("encode that never returns", "import time\ntime.sleep(300)\n", ("encode",), "wall clock of the encoding"),
    (
        "encode that writes without end to standard error",
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)\n",
        ("encode",),
        "output limit",
    ),
    (
        "a daemon that keeps the pipe open",
        """
import os, time
if os.fork() == 0:
    os.setsid(); time.sleep(300)
os._exit(0)
""",
        ("encode",),
        "pid namespace",
    ),
    (
        "encode that looks for the held-out data",
        """
import os
seen = [p for p in ('/data', 'TRUTH', '/w/task.json') if os.path.exists(p)]
if seen: raise SystemExit(f'GOT {seen}')
raise SystemExit('no data here')
""",
        ("encode",),
        "not mounted",
    ),
    (
        "encode that changes its own code for the second time",
        """
import os
for path in ('/w/experiment.py', '/runner/call_worker.py', '/artefact/sae.safetensors'):
    try: open(path, 'a'); raise SystemExit('GOT ' + path)
    except OSError: pass
raise SystemExit('read-only')
""",
        ("encode",),
        "read-only mounts",
    ),
    (
        "latents that depend on the batch",
        "x = x - x.mean(0)\n",
        ("encode-depends-on-batch",),
        "encoding again, in another order",
    ),
)


def attacks() -> list[Attack]:
    return [Attack(name, _runner(code, reasons, by)) for name, code, reasons, by in _CASES]


def _runner(code: str, reasons: tuple[str, ...], by: str):
    def run(arena: Arena) -> Stopped:
        code_here = code.replace("TRUTH", str(arena.world.truth))
        training = arena.train(_encoding(code_here), wall_s=2.0)
        must(
            training.outcome != "measured" and training.reason in reasons,
            f"{training.outcome} {training.reason}: {first_line(training.detail)}",
        )
        must("GOT" not in training.detail, training.detail)
        lines = training.detail.splitlines()
        return Stopped(by, first_line(lines[-1] if "SAE.load" in lines[0] and len(lines) > 1 else lines[0]))

    return run


def _encoding(code: str) -> str:
    """The attack starts only where the runner encodes: the training itself uses the same class."""
    import textwrap

    body = textwrap.dedent(_PIPE) + code[len(_PIPE) :] if code.startswith(_PIPE) else code
    return experiment(encode="if __name__ != '__main__':\n" + textwrap.indent(body.strip("\n"), "    "))
