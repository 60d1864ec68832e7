"""What the loop needs from the world. Implementations are handed in by app/assemble.py; tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, Protocol

from pydantic import BaseModel

from agent.core.manifest import Limits
from agent.core.record import Job, JobResult
from agent.core.schema import Strict
from agent.core.works import Paper

Role = Literal["planner", "editor", "writer", "reviewer"]


# ---------------------------------------------------------------- models


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


Pictures = Callable[[], Sequence[bytes]]  # PNG files, made when a model that sees is asked


def no_pictures() -> Sequence[bytes]:
    return ()


class Conversation(list[Message]):
    """Messages that ask for a JSON object of a form; a model that sees gets the pictures beside the last of them."""

    def __init__(self, messages: Sequence[Message], form: type[BaseModel], pictures: Pictures = no_pictures) -> None:
        super().__init__(messages)
        self.form, self.pictures = form, pictures


@dataclass(frozen=True)
class Reply:
    """One answer of a model. cost_usd is None where the price is not known."""

    text: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    finish: str = "stop"
    estimated: str = ""  # why tokens or cost are an estimate; "" where the provider's own count stands
    tokens_cached: int = 0  # of tokens_in, read by the provider from its cache of earlier requests
    pictures: int = 0  # that the model was sent beside the words
    recorded: bool = False  # taken from this session's record, not asked anew
    # Says, for the session's log, why this answer is not taken.
    refuse: Callable[[str], None] = field(default=lambda reason: None, compare=False, repr=False)


class Watch:
    """Hears what happens between the tries of one call. Deaf here; llm/calls.py has the real one."""

    def wasted(self, spent: Reply, why: str) -> None:
        """A try is paid for and gave nothing of use; `spent` has no text, only what it took."""

    def waits(self, seconds: float) -> None:
        """Before a wait and the try after it. May raise BudgetSpent."""


@dataclass(frozen=True)
class Call:
    """Where a request stands in the session; (step, ordinal) is its identity."""

    step: str  # e.g. "run-2.edit-1", "paper.write-1"
    ordinal: int  # 1, 2, ... within the step
    role: Role
    watch: Watch = field(default=Watch(), compare=False, repr=False)
    form: type[BaseModel] | None = field(default=None, compare=False, repr=False)  # of the answer, where it is JSON
    pictures: Pictures = field(default=no_pictures, compare=False, repr=False)


class Shown:
    """What a person sees while a model is asked. Silent here; app/console.py has the real one."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def detail(self, text: str) -> None:
        """A line that only a person who asked for every detail wants to see."""

    def conclude(self, text: str) -> None:
        """A line that also a person who asked for quiet needs to see: how it ended, and what to do now."""
        self.say(text)

    def waiting(self, text: str) -> None:
        """Who is waited for and how long: a line that is overwritten, and removed by an empty text."""


class Model(Protocol):
    """Answers messages. An empty or missing answer is an error, never an empty Reply."""

    def complete(self, messages: Sequence[Message], call: Call) -> Reply: ...


# Step, role, messages (a Conversation where the answer has a form): an answer that is on disk already.
Ask = Callable[[str, Role, list[Message]], Reply]


@dataclass(frozen=True)
class EditResult:
    """What an editing conversation did. `refused` says why it counts as no edit."""

    changed: tuple[str, ...]
    refused: str = ""  # code: "no-block", "mismatch", "no-change", "forbidden-file"
    detail: str = ""  # for the next attempt's prompt
    reply: str = ""


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
        """`briefing` is what several edits have in common: it stands first, where a provider's cache serves it."""

    def warm(self) -> None:
        """Load what an edit needs, which takes seconds; called while something else is waited for anyway."""


# ---------------------------------------------------------------- jobs


@dataclass(frozen=True)
class Progress:
    """How far a running job is; for a person's eyes only."""

    done: int
    total: int
    fraction: float  # 0..1 over all trainings and their measuring, self-reported by the experiments
    phase: Literal["training", "measuring"] = "training"  # measuring: no training runs, and one is being measured
    step: float = 0.0  # of the first training that runs, as its log says; steps or samples
    steps: float = 0.0  # of these at its end; 0 where the log does not say it
    loss: float | None = None  # the newest in that log
    stuck: str = ""  # who does not go on, and what a person can do about it; "" while all do
    waiting: str = ""  # who holds the places of this machine that the job waits for; "" while one of its trainings runs


def together(states: Sequence[Progress]) -> Progress:
    """How far several jobs are that run side by side, as one."""
    return Progress(
        done=sum(state.done for state in states),
        total=sum(state.total for state in states),
        fraction=sum(state.fraction for state in states) / len(states),
        phase="training" if any(state.phase == "training" for state in states) else "measuring",
        stuck=next((state.stuck for state in states if state.stuck), ""),
        waiting=states[0].waiting if all(state.waiting for state in states) else "",
    )


class Runner(Protocol):
    """Owns jobs. submit is idempotent by key; a job survives the death of the loop."""

    def submit(self, job: Job) -> None: ...
    def state(self, job: Job) -> Literal["unknown", "running", "finished", "lost"]: ...
    def progress(self, job: Job) -> Progress: ...
    def result(self, job: Job) -> JobResult: ...
    def cancel(self, job: Job) -> None: ...


# ---------------------------------------------------------------- literature


class Searched(Strict):
    """What one step of a session found: works under the keys by which they are cited, each once."""

    queries: tuple[str, ...]
    sources: tuple[str, ...]  # who answered, in the order of the queries
    papers: tuple[Paper, ...]


class Literature(Protocol):
    """Finds works. A step searches once in a session; a service that fails is no error."""

    def search(self, step: str, queries: Sequence[str]) -> Searched: ...
    def found(self) -> dict[str, Paper]:
        """Every work that this session's searches returned, by key."""


# ---------------------------------------------------------------- sandbox


@dataclass(frozen=True)
class Mount:
    source: Path
    target: str  # absolute, as seen inside
    writable: bool = False


@dataclass(frozen=True)
class SandboxSpec:
    """One command for the sandbox. `env` is everything it gets besides PATH, HOME and LANG.

    `writable` mounts are watched for size and number of files against `limits`.
    """

    argv: tuple[str, ...]
    cwd: str
    mounts: tuple[Mount, ...]
    limits: Limits
    env: dict[str, str] = field(default_factory=dict)
    gpu: bool = False
    network: bool = False
    latex: bool = False  # adds TeX's own read-only trees and its strict settings


ExitReason = Literal["ok", "exit", "signal", "timeout", "memory", "host-memory", "disk", "files", "output", "cancelled"]


@dataclass(frozen=True)
class Exit:
    """How a sandboxed process tree ended."""

    reason: ExitReason
    code: int
    wall_s: float
    cpu_s: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Used:
    """What a process tree has taken so far."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0


class SandboxProcess(Protocol):
    """A running tree. Whoever started it must call poll() often: limits are enforced there."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> Exit | None: ...
    def used(self) -> Used: ...
    def wait(self) -> Exit: ...
    def kill(self) -> Exit: ...


class Sandbox(Protocol):
    """Runs code nobody trusts."""

    name: str

    def visible(self, mount: Mount) -> str:
        """The path under which a mount's source appears to the code inside."""

    def start(
        self, spec: SandboxSpec, *, stdout: Path | None, stderr: Path | None, stdin: bool = False
    ) -> SandboxProcess:
        """stdout None: a pipe on the process; a path: a file bounded by limits.output_mb."""


# ---------------------------------------------------------------- history


class Signer(Protocol):
    """Signs in the name of this installation."""

    public: str  # its public key, in hex

    @property
    def fingerprint(self) -> str: ...

    def sign(self, purpose: str, data: bytes) -> str: ...


class VersionStore(Protocol):
    """The session's repository and its only committer."""

    def commit(self, files: Sequence[str], subject: str, trailers: dict[str, str]) -> str:
        """Commit the named files; found again by its trailers if it was made already. Returns the id."""

    def base(self, trailers: dict[str, str]) -> str:
        """Where an action that ends in a commit with these trailers starts from, also when it is repeated."""

    def find(self, trailers: dict[str, str]) -> str | None: ...
    def tree(self, commit: str) -> str: ...
    def reset(self, commit: str) -> None:
        """Make the work tree equal to the commit, dropping everything else."""

    def restore(self, commit: str, files: Sequence[str]) -> None:
        """Put these files of an earlier commit into the work tree; history does not move."""

    def diff(self, old: str, new: str, files: Sequence[str] = ()) -> str: ...
    def show(self, commit: str, file: str) -> str: ...
    def tag(self, name: str, commit: str) -> None: ...
    def head(self) -> str: ...
