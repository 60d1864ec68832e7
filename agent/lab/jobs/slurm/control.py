"""Slurm's commands, run and read. Not here: what follows from their answers (states.py)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.lab.jobs.slurm.states import FORMAT, Task, read_queue

PATIENCE_S = 60.0  # for one command
_AWAY = re.compile(
    r"unable to contact slurm controller|connection refused|socket timed out|connection timed out|zero bytes|"
    r"communication connection failure|slurm backup controller|standby|unexpected message|protocol authentication|"
    r"munge|no route to host|temporarily unable|message receive failure|can't connect|unable to establish",
    re.IGNORECASE,
)
_FULL = re.compile(r"SubmitJob|submit limit|Slurm temporarily|Resource temporarily", re.IGNORECASE)


class Away(Exception):
    """The controller does not answer; the message is what the command said."""


class Full(Exception):
    """The queue takes no more of this person's jobs now."""


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[[Sequence[str]], Said]


class Slurm:
    """The commands, in the environment that jobs shall have: sbatch hands it on to the nodes."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def submit(self, script: Path) -> str:
        """The number of the new job.

        Raises:
            Away, Full: it may be taken later.
            InfrastructureError: Slurm refuses it.
        """
        said = self._run(["sbatch", "--parsable", str(script)])
        if said.code == 0 and (found := re.match(r"\d+", said.out.strip().splitlines()[-1] if said.out else "")):
            return found[0]
        words = _words(said)
        if _FULL.search(said.err):
            raise Full(words)
        _check_away(said)
        raise InfrastructureError(
            f"Slurm refuses the job: {words}. Change what is asked for with --slurm (the script: {script}), and resume"
        )

    def tasks(self, name: str) -> list[Task]:
        """Every task of this user's jobs of that name that Slurm still knows, ended ones too.

        Raises:
            Away: the controller does not answer.
            InfrastructureError: squeue fails in another way.
        """
        states = ["--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--name={name}"]
        said = self._run(["squeue", *states, f"--format={FORMAT}"])
        if said.code:
            _check_away(said)
            raise InfrastructureError(f"squeue does not answer: {_words(said)}")
        return read_queue(said.out)

    def release(self, tasks: Iterable[Task]) -> None:
        """Let tasks that are held be started.

        Raises:
            Away: the controller does not answer.
        """
        for task in tasks:
            _check_away(self._run(["scontrol", "release", f"{task.array}_{task.index}"]))

    def cancel(self, arrays: Iterable[str]) -> None:
        """Take jobs out of the queue and end their tasks; what has ended already is no error.

        Raises:
            Away: the controller does not answer.
        """
        if numbers := sorted(arrays):
            _check_away(self._run(["scancel", *numbers]))


def own_commands(environment: Iterable[str]) -> Run:
    """Runs commands on this machine, with these variables of our environment alone."""

    def run(command: Sequence[str]) -> Said:
        env = {name: os.environ[name] for name in environment if name in os.environ}
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
            )
        except FileNotFoundError:
            raise InfrastructureError(
                f"{command[0]}: not found; --executor slurm needs Slurm's commands here (a login node has them)"
            ) from None
        except subprocess.TimeoutExpired:
            return Said(1, "", f"{command[0]}: Socket timed out: no answer within {PATIENCE_S:.0f} s")
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def _check_away(said: Said) -> None:
    if said.code and _AWAY.search(said.err):
        raise Away(_words(said))


def _words(said: Said) -> str:
    return " ".join((said.err or said.out).split())[:500] or f"status {said.code}, without a word"
