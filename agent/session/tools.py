"""What actions work with: one bag, filled by app/assemble.py with real things and by tests with theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.core.manifest import Profile
from agent.core.paths import DataPaths, SessionPaths
from agent.core.protocols import Ask, Coder, Literature, Progress, Runner, Sandbox, Shown, Signer, VersionStore
from agent.core.record import Environment
from agent.core.template import Template
from agent.session.events import Event
from agent.session.session import Session, apply, fold


class Log(Protocol):
    """Where events are kept; an event that append() took is still there after a kill.

    check() raises InfrastructureError where it is not there any more, because somebody moved or removed the session.
    """

    def read(self) -> Iterator[Event]: ...
    def append(self, event: Event) -> None: ...
    def head(self) -> tuple[int, str]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class Journal:
    """The log and the state it folds to; appending is the only way to change the state.

    `clock` gives the time of day. `steady` gives seconds from any start and measures active time: it must go on evenly
    while the time of day is set, and stand still while the machine sleeps, as time.monotonic does on Linux.

    Raises:
        UserError: the log is empty, for there is no session before its first event.
    """

    def __init__(self, log: Log, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self.log = log
        self.clock = clock
        self.session = fold(log.read())
        self.listeners: list[Callable[[Event, Session], None]] = []  # told of each event once it is in the log
        self.stopped = ""  # why the process lets go of the session, where something made it
        self._steady, self._began, self._before = steady, steady(), self.session.active_s

    def append(self, event: Event) -> None:
        event = event.model_copy(update={"active": self.active_s()})
        self.log.append(event)
        self.session = apply(self.session, event)
        for listener in self.listeners:
            listener(event, self.session)

    def active_s(self) -> float:
        """Seconds that processes have held the session until now, this one included."""
        return round(self._before + self._steady() - self._began, 3)


class Console(Shown):
    """What a person sees while a session runs. Silent here; app/console.py has the real one."""

    def progress(self, text: str, state: Progress) -> None:
        """How far the trainings of a run are: a line that is overwritten."""

    def keep(self, file: Path) -> None:
        """From here on also append every line to this file, those that are not shown too."""


@dataclass
class Tools:
    paths: SessionPaths
    cache: Path  # shared by all sessions of a workspace
    template: Template
    journal: Journal
    console: Console
    ask: Ask
    coder: Coder
    runner: Runner
    sandbox: Sandbox
    versions: VersionStore
    signer: Signer
    literature: Literature
    prepare: Callable[[Template, Profile, str, int], DataPaths]  # ..., profile's name, number of the world
    secret: Callable[[str, int], int | None]  # of a template's world, by the world's number; None: gone
    sleep: Callable[[float], None]
    environment: Callable[[], Environment | None]  # the template's own Python; None: the runner's
    check_budget: Callable[[], None]  # raises BudgetSpent, or what the log's check() raises

    @property
    def session(self) -> Session:
        return self.journal.session

    @property
    def now(self) -> float:
        return self.journal.clock()

    @property
    def profile(self) -> Profile:
        return self.template.manifest.profiles[self.session.options.profile]

    def say(self, text: str) -> None:
        self.console.say(text)
