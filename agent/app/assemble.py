"""Joins the implementations that a session works with: model or playback, aider, sandbox, runner, git, literature."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.app.bookkeeping import Books
from agent.app.bounds import Budget
from agent.app.sizes import Sizes
from agent.app.worlds import SessionWorlds
from agent.core.earlier import Earlier
from agent.core.errors import BudgetSpent, InfrastructureError
from agent.core.exchange import Role
from agent.core.ideas import Idea
from agent.core.options import Options
from agent.core.paths import SessionPaths
from agent.core.protocols import Model, Runner, Sandbox, Signer
from agent.core.record import Environment
from agent.core.template import Template, load_template
from agent.lab.environments import environment_of
from agent.literature.fetch import Fetcher
from agent.literature.search import Cache, Finder, Online, Shelf
from agent.literature.searches import RecordedSearches
from agent.literature.services import Service, services
from agent.llm.calls import RecordedCalls
from agent.llm.playback import PlaybackModel
from agent.llm.providers import Stated
from agent.session.events import OptionsChanged, ProcessStarted, ProcessStopped, SessionStarted
from agent.session.tools import Console, Journal, Tools
from agent.storage.atomic import sweep
from agent.storage.locks import session_lock
from agent.storage.log import EventLog
from agent.storage.signing import own_signer
from agent.storage.temporary import sweep_folders
from agent.storage.workspace import Workspace

CALL_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Parts:
    """The parts that a caller provides for a session; None stands for this machine's own."""

    console: Console
    model: Model | None = None
    runner: Runner | None = None
    sandbox: Sandbox | None = None


@dataclass(frozen=True)
class System:
    """The parts that are made before a session is opened."""

    model: Model
    sandbox: Sandbox
    console: Console
    runner: Runner | None = None  # None: the one that the options name
    services: tuple[Service, ...] | None = None  # literature services; None: those that the options name


def system_for(options: Options, parts: Parts) -> System:
    """The parts that the caller provides, and for the others those that the options name."""
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

    sandbox = parts.sandbox or (BubblewrapSandbox() if options.sandbox == "bwrap" else NoSandbox())
    if parts.model:
        model = parts.model
    elif options.playback:
        model = PlaybackModel(Path(options.playback))
    else:
        model = language_model(
            options.models.names(), options.api_base, parts.console, stated_of(options), options.fallback
        )
    return System(model, sandbox, parts.console, parts.runner)


def runner_of(options: Options, say: Callable[[str], None]) -> Runner:
    """Where a session's trainings run. A runner of a cluster calls `say` with what it waits for in the queue."""
    from agent.lab.jobs.local import LocalRunner
    from agent.lab.jobs.slurm.runner import SlurmRunner

    if options.executor == "slurm":
        return SlurmRunner(options.slurm, say)
    return LocalRunner(gpus=options.gpus, gpu_gb=_of_a_gpu(options))


def _of_a_gpu(options: Options) -> float:
    """GB of GPU memory that one training takes, as the profile's settings tell; 0 if they do not, or on a CPU."""
    if not options.device.startswith("cuda"):
        return 0.0
    profile = load_template(Path(options.template)).manifest.profiles[options.profile]
    return Sizes(profile, len(profile.seeds), True, options.threads).gpu_gb


def language_model(
    names: Mapping[Role, str], api_base: str | None, console: Console, stated: Stated, fallback: str | None = None
) -> Model:
    """Models behind providers, by role. `console` shows which model is waited for, and when one is asked again."""
    from agent.llm.litellm_model import LiteLLMModel

    return LiteLLMModel(
        names,
        timeout_s=CALL_TIMEOUT_S,
        notify=console.say,
        api_base=api_base,
        stated=stated,
        fallback=fallback,
        console=console,
    )


def stated_of(options: Options) -> Stated:
    """What the options state about models that litellm does not know: price, longest answer, context."""
    return Stated(options.price, options.max_output, options.context)


def template_of(options: Options) -> Template:
    """The template of a session, with the metrics that its profile adds (sae-bench's, if it asks for them)."""
    from agent.lab.saebench.catalogue import at_profile

    return at_profile(load_template(Path(options.template)), options.profile)


@contextmanager
def open_session(
    paths: SessionPaths,
    workspace: Workspace,
    system: System,
    *,
    new: tuple[Idea, Options] | None = None,
    earlier: Earlier | None = None,
    changed: Options | None = None,
) -> Iterator[Tools]:
    """Locks a session and yields its tools; logs when the process starts and how it stops.

    Args:
        new: idea and options of a session that starts now; None continues the session that is there.
        earlier: what a new session takes over from the one that it continues (--after).
        changed: the options of a session that continues, if they differ from before.
    """
    with session_lock(paths.lock):
        system.console.keep(paths.log)
        for folder in (paths.root, workspace.cache):
            sweep(folder)
        sweep_folders()
        signer = own_signer()
        log = EventLog(paths.events, signer)
        if new:
            idea, options = new
            session = paths.root.name
            log.append(SessionStarted(at=time.time(), session=session, idea=idea, options=options, earlier=earlier))
        journal = Journal(log, time.time, time.monotonic)
        journal.append(ProcessStarted(at=time.time(), pid=os.getpid(), host=socket.gethostname()))
        if changed:
            journal.append(OptionsChanged(at=time.time(), options=changed))
        reason = "error"
        try:
            with ExitStack() as holds:
                yield _tools(paths, workspace, system, journal, signer, holds)
            reason = "end"
        except KeyboardInterrupt:
            reason = "interrupt"
            raise
        except (BudgetSpent, InfrastructureError) as error:
            journal.stopped = str(error)
            raise
        finally:
            _say_goodbye(journal, " ".join(journal.stopped.split())[:500] or reason)


def _say_goodbye(journal: Journal, reason: str) -> None:
    with suppress(InfrastructureError):  # on a full disk: the event is not essential, and the reason is printed anyway
        journal.append(ProcessStopped(at=time.time(), reason=reason))
    journal.log.close()


def _tools(
    paths: SessionPaths, workspace: Workspace, system: System, journal: Journal, signer: Signer, holds: ExitStack
) -> Tools:
    """Everything that actions work with. Data of the cache that they use stay locked until `holds` is closed."""
    from agent.llm.editing.coder import AiderCoder
    from agent.storage.git import GitStore

    worlds = SessionWorlds(paths, workspace.cache, journal, system.console.say, holds)

    @cache
    def environment() -> Environment | None:
        return environment_of(tools.template, workspace.cache, system.console.say)

    check_budget = Budget(journal)
    books = Books(paths, journal, system.console)
    calls = RecordedCalls(
        system.model, paths.calls, books.on_call, check_budget, on_waste=books.on_waste, on_refusal=books.on_refusal
    )
    tools = Tools(
        paths=paths,
        cache=workspace.cache,
        template=template_of(journal.session.options),
        journal=journal,
        console=system.console,
        ask=calls.ask,
        coder=AiderCoder(calls.ask),
        runner=system.runner or runner_of(journal.session.options, system.console.say),
        sandbox=system.sandbox,
        versions=GitStore(paths.repo),
        signer=signer,
        literature=_literature(paths, workspace, system, journal.session.options),
        prepare=worlds.prepare,
        secret=worlds.secret,
        sleep=time.sleep,
        environment=environment,
        check_budget=check_budget,
    )
    return tools


def _literature(paths: SessionPaths, workspace: Workspace, system: System, options: Options) -> RecordedSearches:
    """Searches in the services that the options name, or in the shipped library alone.

    A playback always uses the library, because the recording was made with it.
    """
    from agent.literature.library import shipped_library

    folder = workspace.cache / "literature"
    finder: Finder = Shelf(shipped_library)
    asked = services() if system.services is None else system.services
    if asked and options.literature == "auto" and not options.playback:
        finder = Online(
            asked, Fetcher(folder), Cache(folder / "answers", time.time), Shelf(shipped_library), system.console.say
        )
    return RecordedSearches(finder, paths.searches, shipped_library)
