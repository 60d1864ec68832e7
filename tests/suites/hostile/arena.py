"""A session's folder with things worth stealing, and the way a hostile experiment takes through the product.

The way: a job, the local runner, its supervisor, a worker, the sandbox, harvest, encoding, evaluation.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from agent.core.manifest import Limits
from agent.core.record import Job, Training
from agent.core.template import load_template
from agent.lab.jobs.local import LocalRunner
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.worlds import prepared
from agent.sandbox.limits import descendants
from tests.suites.hostile.attack import Escape, must
from tests.support import TEMPLATE

TINY = load_template(TEMPLATE)
KEY_NAME, KEY = "OPENAI_API_KEY", "hk-planted-" + "0f1e2d3c"  # in the environment of whoever starts this
SAVE = '    train(task, out_dir).save(out_dir / task["artefact"])\n'
PR_SET_CHILD_SUBREAPER = 36
LIMITS = {"wall_s": 20.0, "memory_mb": 400, "processes": 48, "disk_mb": 24, "files": 200, "file_mb": 8, "output_mb": 1}
JOB_S = 120.0


class Arena:
    """One session's folder, jobs in it, and listeners outside that nobody may reach."""

    def __init__(self, root: Path) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # whoever is orphaned becomes our child
        self.root, self.session = root, root / "session"
        settings = TINY.manifest.profiles["tiny"].settings
        self.world = prepared(TINY, "tiny", settings, 7, root / "cache")
        self._plant()
        self._listen()
        self._jobs = 0
        self.last: Job | None = None
        self._before = self._canaries()

    def _plant(self) -> None:
        for name, text in (
            ("events.jsonl", "{}\n"),
            ("lock", ""),
            ("runs/0/attempt-1/result.json", "{}"),
            ("repo/notes.txt", "notes"),
            ("home/.ssh/id_ed25519", "private"),
            ("cache/secrets/w", "7"),
        ):
            path = self.session / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "init", "-q", self.session / "repo"], check=True)

    def _listen(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.abstract, self.named = (socket.socket(socket.AF_UNIX) for _ in range(2))
        self.abstract.bind(f"\0hostile-{os.getpid()}")
        self.socket_path = self.root / "socket"
        self.named.bind(str(self.socket_path))
        for listener in (self.server, self.abstract, self.named):
            listener.listen()
            listener.setblocking(False)

    # ---------------------------------------------------------------- a job

    def job(self, code: str, *, template: Path | None = None, **limits: float) -> Job:
        """One seed of a hostile experiment.py, in a folder of the session."""
        self._jobs += 1
        folder = self.session / "runs" / str(self._jobs) / "attempt-1"
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "experiment.py").write_text(code)
        profile = TINY.manifest.profiles["tiny"]
        bounds = Limits(**{**LIMITS, **limits})
        self.last = Job(
            key=f"hostile-{self._jobs}",
            run=str(self._jobs),
            kind="experiment",
            attempt=1,
            folder=str(folder),
            code=str(folder / "code"),
            script="experiment.py",
            template=str(template or TINY.folder),
            train_data=str(self.world.train),
            truth_data=str(self.world.truth),
            settings=profile.settings,
            seeds=(0,),
            conditions=profile.conditions,
            limits=bounds,
            evaluate_limits=bounds,
            device="cpu",
            slots=1,
            threads=1,
            sandbox="bwrap",
        )
        return self.last

    def train(
        self,
        code: str,
        meanwhile: Callable[[Job], None] | None = None,
        *,
        template: Path | None = None,
        **limits: float,
    ) -> Training:
        """Submit and wait, asking for the progress as the loop does."""
        job, runner = self.job(code, template=template, **limits), LocalRunner()
        runner.submit(job)
        deadline = time.monotonic() + JOB_S
        while runner.state(job) == "running":
            runner.progress(job)
            if meanwhile:
                meanwhile(job)
            if time.monotonic() > deadline:
                runner.cancel(job)
                raise Escape(f"the job did not end within {JOB_S:g} s")
            time.sleep(0.02)
        must(runner.state(job) == "finished", f"the supervisor is {runner.state(job)}")
        return runner.result(job).trainings[0]

    def honest(self) -> None:
        """The session goes on: an ordinary training is measured."""
        training = self.train(experiment())
        must(training.outcome == "measured", f"an honest training afterwards: {training.reason}: {training.detail}")

    @property
    def next_run(self) -> int:
        """The number of the job that comes next; its output folder is called run_N."""
        return self._jobs + 1

    def printed(self) -> str:
        """What the last job's training wrote to its standard output."""
        job = self.last
        return TrainingPaths.of(job, 0, job.conditions[0].name).text("train.stdout").read_text(errors="replace")

    # ---------------------------------------------------------------- afterwards

    def check(self) -> None:
        """Nothing outside was touched, and nobody called."""
        must(self._canaries() == self._before, "files outside the output folder were changed")
        must(not (self.root / "pwned").exists(), "code of the attacker ran outside the sandbox")
        for listener in (self.server, self.abstract, self.named):
            try:
                listener.accept()
            except BlockingIOError:
                continue
            raise Escape("somebody connected to a listener outside the sandbox")

    def _canaries(self) -> str:
        watched = [self.session / name for name in ("events.jsonl", "lock", "runs/0", "repo", "home", "cache")]
        watched += [self.world.train, self.world.truth, self.world.truth.parent / "manifest.json"]
        digest = hashlib.sha256()
        for top in watched:
            for path in sorted([top, *top.rglob("*")]):
                info = path.lstat()
                digest.update(f"{path} {info.st_mode} {info.st_uid}".encode())
                digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()

    def close(self) -> None:
        for listener in (self.server, self.abstract, self.named):
            listener.close()


def left_behind(seconds: float = 5.0) -> int:
    """How many of our processes outlive an attack: all that we started end up below us, however they forked."""
    deadline = time.monotonic() + seconds
    while True:
        _reap()
        living = descendants(os.getpid())
        if not living or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for pid in living:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(living)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def experiment(before: str = "", *, encode: str = "", top: str = "", after: str = "") -> str:
    """The tiny template's experiment with foreign lines: at its top, before it trains, in encode, after it saved."""
    text = TINY.path("experiment.py").read_text()
    must(text.count(SAVE) == 1 and text.count("    def encode(self, x):\n") == 1, "the tiny template has changed")
    text = text.replace(SAVE, _lines(before, 4) + SAVE + _lines(after, 4))
    text = text.replace("    def encode(self, x):\n", "    def encode(self, x):\n" + _lines(encode, 8))
    return text.replace("RATE = 0.02", f"{_lines(top, 0)}\nRATE = 0.02")


def _lines(code: str, indent: int) -> str:
    return textwrap.indent(textwrap.dedent(code).strip("\n") + "\n", " " * indent) if code.strip() else ""


def fresh_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
