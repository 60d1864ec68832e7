"""The protocols of everything that the loop uses and that has effects: models, jobs, searches, sandbox, repository.

agent/app/assemble.py hands in the implementations, tests hand in their own. The data that these protocols exchange
are in exchange.py, record.py, works.py and sandboxing.py; `Progress` alone, which a Runner reports, is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from agent.core.exchange import Call, EditResult, Message, Reply, Role
from agent.core.record import Job, JobResult
from agent.core.sandboxing import Exit, Mount, SandboxSpec, Used
from agent.core.works import Paper, Searched

# ---------------------------------------------------------------- models


class Shown:
    """What a person sees while a model is asked. This one prints nothing; app/console.py has the real one."""

    def say(self, text: str) -> None:
        """Print a line."""

    def detail(self, text: str) -> None:
        """Print a line only if the person asked for every detail (-v)."""

    def conclude(self, text: str) -> None:
        """Print a line even if the person asked for quiet (-q): how the session ended, and what to do now."""
        self.say(text)

    def waiting(self, text: str) -> None:
        """Show who is waited for and for how long, in a line that the next one overwrites; "" removes it."""


class Model(Protocol):
    """Answers messages. If there is no answer, or an empty one, it raises an error."""

    def complete(self, messages: Sequence[Message], call: Call) -> Reply: ...


# Takes a step, a role and messages (a Conversation if the answer has a form); returns a reply that is on disk by then.
Ask = Callable[[str, Role, list[Message]], Reply]


class Coder(Protocol):
    """Turns an instruction into SEARCH/REPLACE edits of the editable files and nothing else."""

    def edit(
        self,
        folder: Path,
        editable: Sequence[str],
        instruction: str,
        *,
        step: str,
        role: Role,
        read_only: Sequence[str] = (),
        briefing: str = "",
    ) -> EditResult:
        """`briefing` is what several edits have in common. It stands first, so that a provider can cache it."""

    def warm(self) -> None:
        """Import what an edit needs, which takes seconds. Called while the loop waits for something else anyway."""


# ---------------------------------------------------------------- jobs


@dataclass(frozen=True)
class Progress:
    """How far a running job is. It is shown to a person and used for nothing else."""

    done: int  # trainings that are measured
    total: int
    fraction: float  # 0..1 over all trainings and their measuring, self-reported by the experiments
    phase: Literal["training", "measuring"] = "training"  # measuring: no training runs, and one is being measured
    step: float = 0.0  # of the first training that runs, as its log says; steps or samples
    steps: float = 0.0  # how many there will be; 0 if the log does not say it
    loss: float | None = None  # the newest in that log
    stuck: str = ""  # why the job does not go on, and what a person can do about it; "" while it does
    waiting: str = ""  # who holds the places of this machine that the job waits for; "" while one of its trainings runs


def together(states: Sequence[Progress]) -> Progress:
    """The progress of several jobs that run side by side, as if they were one."""
    return Progress(
        done=sum(state.done for state in states),
        total=sum(state.total for state in states),
        fraction=sum(state.fraction for state in states) / len(states),
        phase="training" if any(state.phase == "training" for state in states) else "measuring",
        stuck=next((state.stuck for state in states if state.stuck), ""),
        waiting=states[0].waiting if all(state.waiting for state in states) else "",
    )


class Runner(Protocol):
    """Runs jobs. A job survives the death of the process that submitted it."""

    def submit(self, job: Job) -> None:
        """Start a job, or continue a lost one. A job that runs or is finished is left alone."""

    def state(self, job: Job) -> Literal["unknown", "running", "finished", "lost"]:
        """A job is "unknown" before submit(), and "lost" if its supervisor ended without writing a result."""

    def progress(self, job: Job) -> Progress: ...
    def result(self, job: Job) -> JobResult: ...
    def cancel(self, job: Job) -> None: ...


# ---------------------------------------------------------------- literature


class Literature(Protocol):
    """Finds works. Each step searches once in a session. A service that fails is no error: another one is asked."""

    def search(self, step: str, queries: Sequence[str]) -> Searched: ...
    def found(self) -> dict[str, Paper]:
        """Every work that this session's searches returned, by key."""


# ---------------------------------------------------------------- sandbox


class SandboxProcess(Protocol):
    """A running process tree. Whoever started it must call poll() often, because limits are enforced there."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> Exit | None: ...
    def used(self) -> Used: ...
    def wait(self) -> Exit: ...
    def kill(self) -> Exit: ...


class Sandbox(Protocol):
    """Runs code that is not trusted."""

    name: str

    def visible(self, mount: Mount) -> str:
        """The path under which the code inside sees the source of a mount."""

    def start(
        self, spec: SandboxSpec, *, stdout: Path | None, stderr: Path | None, stdin: bool = False
    ) -> SandboxProcess:
        """With stdout None the process has a pipe; with a path, a file of at most limits.output_mb is written."""


# ---------------------------------------------------------------- history


class Signer(Protocol):
    """Signs in the name of this installation."""

    public: str  # its public key, in hex

    @property
    def fingerprint(self) -> str: ...

    def sign(self, purpose: str, data: bytes) -> str: ...


class VersionStore(Protocol):
    """The session's git repository. Nothing else commits to it."""

    def commit(self, files: Sequence[str], subject: str, trailers: dict[str, str]) -> str:
        """Commit the named files and return the commit's id; a commit with these trailers is made only once."""

    def base(self, trailers: dict[str, str]) -> str:
        """The commit from which an action starts that ends in a commit with these trailers.

        That is HEAD; if the action has committed already and is repeated, it is the parent of its commit.
        """

    def find(self, trailers: dict[str, str]) -> str | None: ...
    def tree(self, commit: str) -> str: ...
    def reset(self, commit: str) -> None:
        """Make the work tree equal to the commit; whatever else is in it is dropped."""

    def restore(self, commit: str, files: Sequence[str]) -> None:
        """Put these files of an earlier commit into the work tree; history does not change."""

    def diff(self, old: str, new: str, files: Sequence[str] = ()) -> str: ...
    def show(self, commit: str, file: str) -> str: ...
    def tag(self, name: str, commit: str) -> None: ...
    def head(self) -> str: ...
