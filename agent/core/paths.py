"""Where the files of a session and of a world lie. No other module builds these paths."""

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
        """Every line that was printed, also those that -q hid. It is for a person; the program never reads it."""
        return self.root / "session.log"

    @property
    def repo(self) -> Path:
        return self.root / "repo"

    @property
    def calls(self) -> Path:
        return self.root / "calls"

    @property
    def searches(self) -> Path:
        """What was found in the literature, in one file for each step."""
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
        """The secrets that its worlds are drawn from. No sandbox, prompt or archive gets to see them."""
        return self.root / "secrets"

    @property
    def feedback(self) -> Path:
        """A person's message to the planner."""
        return self.root / "feedback.txt"

    def attempt(self, run: str, attempt: int, restart: int) -> Path:
        """The folder of an attempt; `restart` counts how often its training was started again."""
        again = f"-again-{restart}" if restart else ""
        return self.runs / run / f"attempt-{attempt}{again}"

    def scratch(self, name: str) -> Path:
        return self.root / "scratch" / name


@dataclass(frozen=True)
class DataPaths:
    """Where the files of a world (data drawn from a secret) lie. Experiments see only `train`."""

    train: Path
    truth: Path
    key: str  # depends on template, profile, settings, code and world; does not reveal the secret
    hashes: dict[str, str]  # sha256 by name, e.g. "train/activations.npy"
