"""One workspace at one path, the process that plays in it, and what its tree does there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.suites.faults.session import Till
from tests.suites.faults.trap import Effect, Trap
from tests.support import ROOT
from tests.support.whole import in_known_worlds

PLAY_S, EMPTY_S, WORDLESS_S = 600.0, 60.0, 60.0  # of a machine that others use as well
SESSION = "20260101_000000_tiny_idea"  # tests.support.whole names it so


@dataclass
class Seen:
    """An effect, and whose: `stream` is a sequence that does not depend on how processes interleave."""

    effect: Effect
    stream: str  # "loop", "supervisor", "worker 0", ...
    own: bool  # by the process itself, not by a child such as git
    alone: bool  # nobody but the loop and its children lives


@dataclass
class Played:
    """How one process of the session ended."""

    status: int
    said: str
    paid: list[tuple[str, int]]
    wall_s: float
    seen: list[Seen] = field(default_factory=list)


Decide = Callable[[Seen, "Stage"], int | None]


class Stage:
    """`with Stage(folder, pdf=False) as stage: stage.play(target=3)`"""

    def __init__(self, folder: Path, *, pdf: bool) -> None:
        self.workspace, self.log, self.witness = folder / "ws", folder / "log", folder / "witness"
        self.session = self.workspace / SESSION
        self.pdf = pdf
        self._till = Till()
        self.loop = 0
        self._traps: list[Trap] = []
        self._supervisors: set[int] = set()
        self._down = threading.Lock()
        self._person: threading.Thread | None = None
        self._unheard: list[str] = []

    def __enter__(self) -> Self:
        in_known_worlds(self.workspace / ".cache")  # the same in every play
        self.witness.touch()
        self._till.__enter__()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._player = subprocess.Popen(
            [sys.executable, "-m", "tests.suites.faults.player", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **threads, "EXPERIMENT_RUNNER_PLACES": str(self.workspace.with_name("places"))},
        )
        theirs.close()
        if self._channel.recv(16) != b"ready":
            raise RuntimeError("the player did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill_all()
        self._channel.close()
        self._player.wait(timeout=30)
        self._till.__exit__()

    # ------------------------------------------------------------ playing

    def play(self, target: int | None, decide: Decide = lambda seen, stage: None) -> Played:
        """Until so many actions are settled, the end, or what `decide` makes happen."""
        self._till.paid.clear()
        self._supervisors.clear()
        self.log.write_text("")
        started, seen = time.monotonic(), []
        request = {
            "workspace": str(self.workspace),
            "target": target,
            "port": self._till.port,
            "log": str(self.log),
            "witness": str(self.witness),
            "pdf": self.pdf,
        }
        with self._down:
            self._channel.send(json.dumps(request).encode())
        status = self._watch(lambda effect: self._heard(effect, seen, decide))
        return Played(
            status, self.log.read_text(errors="replace"), list(self._till.paid), time.monotonic() - started, seen
        )

    def left_alive(self) -> int:
        """Processes of the session that had not ended a while after the last play; they are ended now."""
        deadline = time.monotonic() + EMPTY_S
        over = all(trap.empty.wait(max(0.0, deadline - time.monotonic())) for trap in self._traps)
        left = 0 if over else len([pid for pid in self.tree() if _alive(pid)])
        self.kill_all()
        for trap in self._traps:
            trap.empty.wait(EMPTY_S)
            if trap.error is not None:
                raise trap.error
        self._traps.clear()
        return left

    def _watch(self, handler: Callable[[Effect], int | None]) -> int:
        self._channel.settimeout(PLAY_S)
        while True:
            try:
                message, handles, _, _ = socket.recv_fds(self._channel, 1 << 10, 1)
            except TimeoutError:
                self.kill_all()
                continue
            told = json.loads(message)
            if handles:
                self.loop = told["pid"]
                self._traps.append(Trap(handles[0], handler))
            else:
                return told["status"]

    def _heard(self, effect: Effect, seen: list[Seen], decide: Decide) -> int | None:
        if not self._matters(effect):
            return None
        stream, own = self._stream(_process_of(effect.pid))
        if stream == "supervisor":
            self._supervisors.add(effect.pid)
        found = Seen(effect, stream, own, alone=not any(map(_alive, self._supervisors)))
        seen.append(found)
        return decide(found, self)

    def _matters(self, effect: Effect) -> bool:
        """Whether it would change something durable, or start or call somebody."""
        name, path = effect.name, effect.path
        if name == "connect":
            return True
        if name.startswith("exec"):
            return os.access(path, os.X_OK)
        if not path.startswith(f"{self.workspace}/") or path == f"{self.workspace}/idea.json":  # the idea is ours
            return False
        if name.startswith(("unlink", "rmdir")):
            return os.path.lexists(path)
        if name.startswith(("mkdir", "open")):
            return not os.path.lexists(path)
        return True

    # ------------------------------------------------------------ processes

    def _stream(self, pid: int) -> tuple[str, bool]:
        """Which part of the program a process belongs to, and whether it is that part's own."""
        own = True
        while pid > 1 and pid != self._player.pid:
            if pid == self.loop:
                return "loop", own
            words = _words(pid)
            if "agent.lab.jobs.worker" in words:
                rest = words[words.index("agent.lab.jobs.worker") + 1 :]
                return f"worker {rest[3]}" if len(rest) > 3 else "facts", own
            if "agent.lab.jobs.supervisor" in words:
                return "supervisor", own
            pid, own = _parent(pid), False
        return "orphan", False

    def tree(self) -> Iterator[int]:
        """All that live below the player."""
        parents = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                parents[int(entry.name)] = _parent(int(entry.name))
        below = {self._player.pid}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in below} - below
            below |= more
            grown = bool(more)
        return iter(sorted(below - {self._player.pid}))

    def kill_all(self) -> None:
        """The machine goes down: everybody at once, and whoever was just being born; nobody plays meanwhile."""
        with self._down:
            for _ in range(50):
                alive = [pid for pid in self.tree() if _alive(pid)]
                if not alive:
                    return
                for pid in alive:
                    kill(pid)
                time.sleep(0.005)

    # ------------------------------------------------------------ the cache

    def lose_the_cache(self) -> None:
        """All of it, but for secrets that no session has a copy of: the script's numbers are those of its worlds."""
        cache = self.workspace / ".cache"
        for name in ("data", "baselines"):
            shutil.rmtree(cache / name, ignore_errors=True)
        for kept in (self.session / "secrets").glob("world-*"):
            (cache / "secrets" / f"tiny-{kept.name}").unlink(missing_ok=True)

    def damage_the_data(self) -> None:
        """The last byte of a file of the hidden truth, if there is one."""
        for path in sorted((self.workspace / ".cache" / "data").glob("*/truth/x.npy"))[:1]:
            with open(path, "r+b") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read(1)
                file.seek(-1, os.SEEK_END)
                file.write(bytes([last[0] ^ 1]))

    # ------------------------------------------------------------ a process that is stopped, and a person

    def stop(self, pid: int) -> None:
        """Stop a process; a person, who reads what the session says, lets it go on when told how."""
        os.kill(pid, signal.SIGSTOP)
        self._person = threading.Thread(target=self._read_and_help, args=(_process_of(pid),), daemon=True)
        self._person.start()

    def unheard(self) -> list[str]:
        """Whether a process had to be let go on without a word of it."""
        if self._person is not None:
            self._person.join()
            self._person = None
        said, self._unheard = self._unheard, []
        return said

    def _read_and_help(self, pid: int) -> None:
        """Whoever does not wait for the process need not speak of it."""
        deadline = time.monotonic() + WORDLESS_S
        while _alive(pid) and _alive(self.loop) and f"kill -CONT {pid}" not in self.log.read_text(errors="replace"):
            if time.monotonic() > deadline:
                self._unheard.append("a process is stopped, and nobody says so")
                break
            time.sleep(0.1)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    # ------------------------------------------------------------ checkpoints

    def save(self, folder: Path) -> None:
        subprocess.run(["cp", "-a", self.workspace, folder], check=True)
        shutil.copyfile(self.witness, folder / "witness")

    def restore(self, folder: Path) -> None:
        subprocess.run(["rm", "-rf", self.workspace], check=True)
        subprocess.run(["cp", "-a", folder, self.workspace], check=True)
        os.replace(self.workspace / "witness", self.witness)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _words(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def _process_of(thread: int) -> int:
    try:
        with open(f"/proc/{thread}/status", "rb") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(b"Tgid:"))
    except (OSError, StopIteration):
        return thread


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def _stat(pid: int) -> list[str]:
    """The fields after the name: state, parent, ..."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2].decode().split()
    except OSError:
        return []
