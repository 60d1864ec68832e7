"""The command stop: does what Ctrl-C does, for a session of another terminal or a training that runs alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.app.exits import DONE, INFRASTRUCTURE
from agent.app.names import command, launcher
from agent.app.standing import job_under_way
from agent.core.errors import UserError
from agent.core.paths import SessionPaths
from agent.core.protocols import Runner
from agent.core.record import Job
from agent.session.session import Session
from agent.session.tools import Console
from agent.storage.locks import is_locked
from agent.storage.workspace import read_session

POLL_S = 0.2
STOPPED_S = 60.0  # seconds that a process has to stop: it may be in the middle of a compile
_HOLDER = re.compile(r"process (\d+) on (\S+) since ")


def stop(paths: SessionPaths, runner: Runner, console: Console) -> int:
    """Stops the process that works on a session; if none does, cancels the trainings that still run.

    Raises:
        UserError: the process runs on another machine or under another user, or nothing of the session runs.
    """
    name = paths.root.name
    if is_locked(paths.lock):
        _end(paths.lock, name)
        console.say(f"Asked {name} to stop")
        if not _until(lambda: not is_locked(paths.lock)):
            console.conclude(f"{name} has not stopped after {STOPPED_S:.0f} s; it stops after its current step")
            return INFRASTRUCTURE
        console.conclude(f"Stopped {name}. Go on with: {command('--resume', paths.root)}")
        for job in trainings(paths, read_session(paths), runner):
            console.conclude(
                f"The training of run {job.run} continues in the background, and a resume finds it. "
                f"To end it too: {command('--stop', paths.root)}"
            )
        return DONE
    jobs = trainings(paths, read_session(paths), runner)
    if not jobs:
        raise UserError(f"{name}: neither it nor a training of it runs; {launcher()} --status shows all sessions")
    for job in jobs:
        runner.cancel(job)
    for job in jobs:
        if not _until(partial(_has_ended, runner, job)):
            console.conclude(f"The training of run {job.run} was asked to end, but has not ended yet; see {job.folder}")
            return INFRASTRUCTURE
        console.conclude(
            f"Ended the training of run {job.run}; a resume starts it again: {command('--resume', paths.root)}"
        )
    return DONE


def _has_ended(runner: Runner, job: Job) -> bool:
    return runner.state(job) != "running"


def trainings(paths: SessionPaths, session: Session, runner: Runner) -> list[Job]:
    """The jobs of a session that run now, whether or not a process works on the session."""
    jobs = [job for run in session.under_way if (job := job_under_way(paths, run))]
    return [job for job in jobs if runner.state(job) == "running"]


def _end(lock: Path, name: str) -> None:
    """Sends SIGTERM to the process that the lock file names, after checking that it has the lock file open.

    Raises:
        UserError: the file names no process, or one that this user cannot stop from here.
    """
    found = _HOLDER.match(lock.read_text(encoding="utf-8", errors="replace")[:200])
    if found is None:
        raise UserError(f"{name}: its lock does not say which process holds it; stop that with Ctrl-C")
    number, host = int(found[1]), found[2]
    if host != socket.gethostname():
        raise UserError(f"{name}: process {number} on {host} works on it; stop it there")
    try:
        handle = os.pidfd_open(number)
    except ProcessLookupError:
        return  # it has ended in the meantime
    try:
        if not _has_open(number, lock):
            raise UserError(f"{name}: another user's process works on it; only that user can stop it")
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _has_open(number: int, file: Path) -> bool:
    """Whether a process has a file open; False if this user may not look at its files."""
    wanted = os.stat(file)
    try:
        handles = list(Path(f"/proc/{number}/fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        try:
            if os.path.samestat(os.stat(handle), wanted):
                return True
        except OSError:
            continue
    return False


def _until(claim: Callable[[], bool]) -> bool:
    for _ in range(round(STOPPED_S / POLL_S)):
        if claim():
            return True
        time.sleep(POLL_S)
    return False
