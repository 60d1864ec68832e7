"""The tools that actions get: app/assemble.py makes them with the real implementations, tests with their own."""

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
    """The event log. An event that append() has written survives a kill.

    check() raises InfrastructureError if the log was moved or removed meanwhile.
    """

    def read(self) -> Iterator[Event]: ...
    def append(self, event: Event) -> None: ...
    def head(self) -> tuple[int, str]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class Journal:
    """The log, and the session's state, which is a fold of the log's events. Only append() changes the state.

    `clock` gives the time of day. `steady` measures active time in seconds from any start: setting the time of day must
    not change it, and it must stand still while the machine sleeps, as time.monotonic does on Linux.

    Raises:
        UserError: the log is empty.
    """

    def __init__(self, log: Log, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self.log = log
        self.clock = clock
        self.session = fold(log.read())
        self.listeners: list[Callable[[Event, Session], None]] = []  # called with each event once it is in the log
        self.stopped = ""  # why this process has to stop its work on the session; "" if it has not
        self._steady, self._began, self._before = steady, steady(), self.session.active_s

    def append(self, event: Event) -> None:
        """Write an event to the log, apply it to the state, and call the listeners."""
        event = event.model_copy(update={"active": self.active_s()})
        self.log.append(event)
        self.session = apply(self.session, event)
        for listener in self.listeners:
            listener(event, self.session)

    def active_s(self) -> float:
        """Seconds that processes have worked on the session until now, this one included."""
        return round(self._before + self._steady() - self._began, 3)


class Console(Shown):
    """What a person sees while a session runs. This one prints nothing; app/console.py has the real one."""

    def progress(self, text: str, state: Progress) -> None:
        """Show how far the trainings of a run are, in a line that the next one overwrites."""

    def keep(self, file: Path) -> None:
        """Append every line from now on to this file, those that are not shown included."""


@dataclass
class Tools:
    """Everything that an action may use besides its own fields."""

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
    prepare: Callable[[Template, Profile, str, int], DataPaths]  # (template, profile, its name, number of the world)
    secret: Callable[[str, int], int | None]  # (template's name, number of the world); None: it was deleted
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
