"""Every path of a job, and how its files are read and written. Nobody else joins these names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.record import Job, JobResult, Training
from agent.core.schema import Strict
from agent.lab.measuring.scratch import TrainingPaths, remove
from agent.storage.atomic import write_text

LOST = ("supervisor", "killed", "data")  # reasons of trainings that somebody else than their code brought to nothing


class Supervisor(Strict):
    """Who owns a job (supervisor.json); pid and start together name one process for ever."""

    pid: int
    start: int  # clock ticks since boot
    first_started_at: float  # of the job's first supervisor, seconds since the epoch


class JobFacts(Strict):
    """What holds for the whole job (facts.json)."""

    device: str
    versions: dict[str, str]
    hashes: dict[str, str]


@dataclass(frozen=True)
class JobPaths:
    """One job's folder."""

    root: Path

    @classmethod
    def of(cls, job: Job) -> JobPaths:
        return cls(Path(job.folder))

    @property
    def job(self) -> Path:
        return self.root / "job.json"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def facts(self) -> Path:
        return self.root / "facts.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "lock"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor.json"

    @property
    def log(self) -> Path:
        return self.root / "supervisor.log"

    @property
    def waiting(self) -> Path:
        """Who holds the places that the job's next training waits for, while none of its trainings runs."""
        return self.root / "waiting"

    @property
    def cancel(self) -> Path:
        """Its being there is the request."""
        return self.root / "cancel"

    def training(self, seed: int, condition: str) -> Path:
        """A finished training; written once."""
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", condition)
        if plain != condition:
            plain += "-" + hashlib.sha256(condition.encode()).hexdigest()[:8]
        return self.root / f"training-{seed}-{plain}.json"

    def read_job(self) -> Job:
        return Job.model_validate_json(self.job.read_bytes())

    def read_result(self) -> JobResult:
        """
        Raises:
            InfrastructureError: it is not there or damaged.
        """
        try:
            return JobResult.model_validate_json(self.result.read_bytes())
        except (OSError, ValueError) as error:
            raise InfrastructureError(f"{self.result}: unreadable: {error}") from None

    def read_training(self, seed: int, condition: str) -> Training | None:
        """A finished training, None when there is none (a torn one cannot be: it is renamed into place)."""
        try:
            found = Training.model_validate_json(self.training(seed, condition).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if (found.seed, found.condition) == (seed, condition) else None

    def write_training(self, training: Training) -> None:
        path = self.training(training.seed, training.condition)
        write_text(path, training.model_dump_json(indent=1) + "\n")


def take_over(job: Job, seed: int, condition: str) -> Training | None:
    """A training that was measured under a supervisor that was lost, moved whole into this job's folder.

    One that failed is trained again: a baseline that failed for a reason of the machine is tried by every resume.
    """
    for folder in job.earlier:
        before = job.model_copy(update={"folder": folder})
        found = JobPaths.of(before).read_training(seed, condition)
        if found is None or found.outcome != "measured":
            continue
        old, new = (TrainingPaths.of(where, seed, condition).root for where in (before, job))
        if old.is_dir():  # else a kill fell between the move and what follows
            new.parent.mkdir(parents=True, exist_ok=True)
            remove(new)
            old.rename(new)
        JobPaths.of(job).write_training(found)
        return found
    return None
