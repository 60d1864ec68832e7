"""Where everything of a workspace lies. Nobody else joins these names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SessionPaths:
    """One session's folder."""

    root: Path

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """Every line that was said, also those that were not shown; for a person, and read by nobody else."""
        return self.root / "session.log"

    @property
    def repo(self) -> Path:
        return self.root / "repo"

    @property
    def calls(self) -> Path:
        return self.root / "calls"

    @property
    def searches(self) -> Path:
        """What was found in the literature, a file a step."""
        return self.root / "searches"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def slots(self) -> Path:
        """Locks, of which each training that runs holds one."""
        return self.root / "slots"

    @property
    def secrets(self) -> Path:
        """What its worlds are drawn from; no sandbox, prompt or archive sees it."""
        return self.root / "secrets"

    @property
    def feedback(self) -> Path:
        """A person's word to the planner; read once and moved into the record."""
        return self.root / "feedback.txt"

    def attempt(self, run: str, attempt: int, restart: int) -> Path:
        again = f"-again-{restart}" if restart else ""
        return self.runs / run / f"attempt-{attempt}{again}"

    def scratch(self, name: str) -> Path:
        return self.root / "scratch" / name


@dataclass(frozen=True)
class DataPaths:
    """Where a world's files lie. Experiments see `train` alone."""

    train: Path
    truth: Path
    key: str  # names template, profile, settings, code and world; reveals none of the secret
    hashes: dict[str, str]  # sha256 by name, e.g. "train/activations.npy"
