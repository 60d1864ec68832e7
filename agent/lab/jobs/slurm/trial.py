"""One small job with the wishes of a training, and what it says of the cluster: for the command doctor."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.lab.jobs.local import PROJECT
from agent.lab.jobs.slurm.control import Away, Full, Run, Slurm, own_commands
from agent.lab.jobs.slurm.look import FILE
from agent.lab.jobs.slurm.patience import Clock
from agent.lab.jobs.slurm.runner import ON_NODES
from agent.lab.jobs.slurm.script import Batch, batch_script
from agent.lab.jobs.slurm.states import Task, queued
from agent.storage.atomic import write_text

START_S = 120.0  # for the job to come to its end; a fuller queue is no fault of the cluster's
CLOCK = Clock(poll_s=1.0, settle_s=10.0)
MAX_LOG = 500  # characters


@dataclass(frozen=True)
class Tried:
    """What the job found: a line about the node, and one for each thing to repair."""

    said: str
    problems: list[str]


def try_cluster(
    root: Path,
    asked: Mapping[str, str],
    device: str,
    sandbox: str,
    *,
    commands: Run | None = None,
    clock: Clock = CLOCK,
    patience_s: float = START_S,
) -> Tried:
    """Run a job that looks around on a node; its folder, below `root`, is removed again."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=root))
    slurm = Slurm(commands or own_commands(ON_NODES))
    try:
        command = (sys.executable, "-m", "agent.lab.jobs.slurm.look", str(folder), device, sandbox)
        batch = Batch(f"er-doctor-{folder.name[-8:]}", folder, command, PROJECT, asked=asked)
        write_text(folder / "batch.sh", batch_script(batch))
        try:
            number = slurm.submit(folder / "batch.sh")
            return _waited(slurm, batch, number, clock, patience_s)
        except (Away, Full) as error:
            return Tried("no answer", [f"Slurm: {error}"])
        except InfrastructureError as error:
            return Tried("refused", [str(error).replace(f" (the script: {folder / 'batch.sh'}), and resume", "")])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _waited(slurm: Slurm, batch: Batch, number: str, clock: Clock, patience_s: float) -> Tried:
    began, ended_at, task = clock.now(), None, None
    while clock.now() - began < patience_s:
        with suppress(OSError, ValueError):
            return _of_node(json.loads((batch.folder / FILE).read_text()))
        task = next((t for t in slurm.tasks(batch.name) if t.array == number), None)
        if task is None or not task.active:
            ended_at = clock.now() if ended_at is None else ended_at
            if clock.now() - ended_at > clock.settle_s:
                return _nothing_left(batch, number, task)
        clock.sleep(clock.poll_s)
    slurm.cancel({number})
    why = queued({0: task}, number) if task else ""
    return Tried(
        "no node answers", [f"Slurm: job {number} did not end within {patience_s:.0f} s: {why or 'it runs still'}"]
    )


def _of_node(found: Mapping[str, object]) -> Tried:
    node, problems = found["node"], found["problems"]
    said = f"node {node} answers: Python {found['python']}, {found['device']}"
    return Tried(said, [f"node {node}: {problem}" for problem in problems] if isinstance(problems, list) else [])


def _nothing_left(batch: Batch, number: str, task: Task | None) -> Tried:
    """Why a job ended that wrote no file."""
    where = f"node {task.node}" if task and task.node else "its node"
    state = f"job {number} ended as {task.state}" if task else f"job {number} is gone"
    logs = sorted(batch.folder.glob("*log.out"))
    if not logs:
        shared = f"put the workspace on a file system that {where} has too, and name it with --workspace"
        return Tried(
            "no result", [f"shared file system: {state}, and nothing of it came back to {batch.folder}: {shared}"]
        )
    tail = logs[0].read_text(encoding="utf-8", errors="replace")[-MAX_LOG:].strip()
    what = "Python" if "No such file" in tail or "not found" in tail or "No module named" in tail else "Slurm"
    mend = "; the checkout and its .venv must lie at the same place on every node" if what == "Python" else ""
    return Tried("no result", [f"{what}: {state} on {where}: {' '.join(tail.split()) or 'it printed nothing'}{mend}"])
