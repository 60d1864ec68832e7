"""What lies in a job's folder beside that of every job (jobs/paths.py): what was submitted, and what each task says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agent.core.record import Job
from agent.core.schema import Strict
from agent.storage.atomic import write_text
from agent.storage.locks import is_locked

Key = tuple[int, str]  # seed, condition


class Submission(Strict):
    """The array that a job became (submission.json)."""

    id: str  # Slurm's number
    at: float  # seconds since the epoch


class Begun(Strict):
    """What one task says of itself (task-N.json), kept over its restarts."""

    node: str
    first_started_at: float  # seconds since the epoch
    starts: int = 1
    timeouts: int = 0  # how often Slurm's time limit ended it


@dataclass(frozen=True)
class SlurmPaths:
    """The part of a job's folder that has to do with Slurm."""

    root: Path

    @classmethod
    def of(cls, job: Job) -> SlurmPaths:
        return cls(Path(job.folder) / "slurm")

    @property
    def script(self) -> Path:
        return self.root / "batch.sh"

    @property
    def submission(self) -> Path:
        return self.root / "submission.json"

    def task(self, index: int) -> Path:
        return self.root / f"task-{index}.json"

    def lock(self, what: str) -> Path:
        """Held by the task that makes `what`, so that two starts of a task never work side by side."""
        return self.root / f"{what}.lock"

    def log(self, array: str, index: int) -> Path:
        """What a task printed; submitit chose the name."""
        return self.root / f"{array}_{index}_0_log.out"

    def read_submission(self) -> Submission | None:
        try:
            return Submission.model_validate_json(self.submission.read_bytes())
        except (OSError, ValueError):
            return None

    def write_submission(self, submission: Submission) -> None:
        write_text(self.submission, submission.model_dump_json() + "\n")

    def read_task(self, index: int) -> Begun | None:
        try:
            return Begun.model_validate_json(self.task(index).read_bytes())
        except (OSError, ValueError):
            return None

    def write_task(self, index: int, begun: Begun) -> None:
        write_text(self.task(index), begun.model_dump_json() + "\n")


def is_out(folder: Path) -> bool:
    """Whether the job in a folder is trained here now, or was handed to Slurm and its result is not taken yet."""
    submitted = (folder / "slurm" / "submission.json").exists() and not (folder / "result.json").exists()
    return submitted or is_locked(folder / "lock")


def keys_of(job: Job) -> list[Key]:
    """A job's trainings; the place in this list is the index of the task."""
    return [(seed, condition.name) for condition in job.conditions for seed in job.seeds]


def name_of(job: Job) -> str:
    """What Slurm calls the job: the same for the same job in the same folder, and for no other."""
    digest = hashlib.sha256(f"{job.key} {job.folder}".encode()).hexdigest()[:12]
    return f"er-{job.run}-{job.attempt}-{digest}"
