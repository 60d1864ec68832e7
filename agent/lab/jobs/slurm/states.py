"""What Slurm says of tasks, and what follows from it for a job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.record import Training

KILLED = "killed"  # reason of a training that the machine lost
FORMAT = "%i|%T|%N|%r"  # of squeue: id, state, node, reason; the reason may hold anything, and stands last
# States that a task does not leave. Every other word, also one that we do not know, means that it may still run.
# States that a task does not leave. Every other word, also one that we do not know, means that it may still run.
ENDED = {
    "BOOT_FAIL": "its node did not boot",
    "CANCELLED": "somebody cancelled it with scancel",
    "COMPLETED": "it ended without a result",
    "DEADLINE": "its deadline in Slurm passed",
    "FAILED": "its process failed or was killed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it took more memory than Slurm gave it; give more with --slurm mem=...",
    "PREEMPTED": "another job took its place, and Slurm did not put it back into the queue",
    "REVOKED": "another cluster took it",
    "TIMEOUT": "Slurm's time limit ended it; give more with --slurm time=MINUTES",
}
# Reasons for which a task waits that do not go away by waiting.
_FOR_EVER = re.compile(
    "PartitionTimeLimit|PartitionNodeLimit|BadConstraints|[Hh]eld|HoldMaxRequeue|InvalidAccount|InvalidQOS|"
    "DependencyNeverSatisfied|MaxWallDurationPerJob|MaxNodePerJob|MaxCpuPerJob|MaxMemPerJob|MaxGRESPerJob|AccountNotAllowed|"
    "QOSNotAllowed"
)


@dataclass(frozen=True)
class Task:
    """One task as the queue shows it."""

    array: str
    index: int
    state: str
    node: str = ""
    reason: str = ""

    @property
    def active(self) -> bool:
        return self.state not in ENDED

    @property
    def launch_failed(self) -> bool:
        """Whether Slurm could not start it on a node, and holds it until somebody releases it."""
        return self.active and self.reason.replace("_", " ") == "launch failed requeued held"


def read_queue(text: str) -> list[Task]:
    """The tasks in squeue's answer (FORMAT, one line for each task); lines that are none are left out."""
    found = []
    for line in text.splitlines():
        number, _, rest = line.strip().partition("|")
        match = re.fullmatch(r"(\d+)(?:_(\d+))?", number)
        fields = rest.split("|", 2)
        if match and len(fields) == 3:
            state, node, reason = (field.strip() for field in fields)
            found.append(Task(match[1], int(match[2] or 0), state, node, reason))
    return found


def next_step(trainings: Sequence[Training | None], *, active: bool, facts: bool) -> Literal["wait", "settle", "end"]:
    """What a job needs now.

    Args:
        trainings: each of the job's, None where no task has left one.
        active: whether a task waits or runs.
        facts: whether hashes and versions are there.

    Returns:
        "end" where all is there, "settle" where something is missing and no task is left to bring it.
    """
    if all(trainings) and facts:
        return "end"
    return "wait" if active else "settle"


def spoiled(trainings: Iterable[Training | None]) -> bool:
    """Whether a training came to nothing by its own code, so that no other is worth its time."""
    return any(t is not None and t.outcome != "measured" and t.reason != KILLED for t in trainings)


def of_array(tasks: Iterable[Task], array: str) -> tuple[dict[int, Task], set[str]]:
    """The tasks of one array by their index, and the numbers of other arrays of the same name that are active."""
    own: dict[int, Task] = {}
    others = set()
    for task in tasks:
        if task.array == array:
            own[task.index] = task
        elif task.active:
            others.add(task.array)
    return own, others


def in_words(task: Task | None, array: str, index: int) -> str:
    """How a task ended that left no training."""
    if task is None:
        return f"Slurm knows nothing of task {array}_{index} any more, and it left no result"
    node = f" on {task.node}" if task.node else ""
    return f"task {array}_{index}{node}: {ENDED.get(task.state, task.state)} ({task.state})"


def queued(own: Mapping[int, Task], array: str) -> str:
    """Why no task of an array runs; "" where one does, or none is left."""
    active = [task for task in own.values() if task.active]
    if not active or any(task.state in ("RUNNING", "COMPLETING", "CONFIGURING") for task in active):
        return ""
    reasons = sorted({task.reason or task.state for task in active})
    said = ", ".join(reasons)[:200]
    count = f"{len(active)} of its tasks wait" if len(active) > 1 else "its task waits"
    if any(_FOR_EVER.search(reason) for reason in reasons):
        return (
            f"{count} in Slurm's queue (job {array}): {said}; this does not end by waiting: see scontrol show job "
            f"{array}, change --slurm, and resume after a scancel {array}"
        )
    return f"{count} in Slurm's queue (job {array}): {said}"
