"""The one place that joins implementations: real model or playback, aider, sandbox, runner, git."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from agent.actions.runs import EXPLORED
from agent.app.bookkeeping import Books
from agent.app.bounds import Budget
from agent.app.sizes import Sizes
from agent.core.earlier import Earlier
from agent.core.errors import BudgetSpent, InfrastructureError
from agent.core.exchange import Role
from agent.core.ideas import Idea
from agent.core.manifest import Profile
from agent.core.options import Options
from agent.core.paths import DataPaths, SessionPaths
from agent.core.protocols import Model, Runner, Sandbox, Signer
from agent.core.record import Environment
from agent.core.template import Template, load_template
from agent.lab.environments import environment_of
from agent.lab.own_worlds import Begun, OwnWorlds
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
from agent.storage.cache import hold, make_room, size_of, size_text, trim
from agent.storage.locks import session_lock
from agent.storage.log import EventLog
from agent.storage.signing import own_signer
from agent.storage.temporary import sweep_folders
from agent.storage.workspace import Workspace

CALL_TIMEOUT_S = 600.0
ROOM = 1.1  # of a world's size, before one like it is built


@dataclass(frozen=True)
class Parts:
    """What a caller brings for a session; None stands for this machine's own."""

    console: Console
    model: Model | None = None
    runner: Runner | None = None
    sandbox: Sandbox | None = None


@dataclass(frozen=True)
class System:
    """The parts that exist before a session does."""

    model: Model
    sandbox: Sandbox
    console: Console
    runner: Runner | None = None  # None: as the options say
    services: tuple[Service, ...] | None = None  # of literature; None: as the options say


def system_for(options: Options, parts: Parts) -> System:
    """What a caller brought, and for the rest what the options say."""
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
    """Where a session's trainings run; `say` hears what a cluster's queue is waited for."""
    from agent.lab.jobs.local import LocalRunner
    from agent.lab.jobs.slurm.runner import SlurmRunner

    if options.executor == "slurm":
        return SlurmRunner(options.slurm, say)
    return LocalRunner(gpus=options.gpus, gpu_gb=_of_a_gpu(options))


def _of_a_gpu(options: Options) -> float:
    """GB that a training takes while it runs and is measured, where the profile's settings tell; else 0."""
    if not options.device.startswith("cuda"):
        return 0.0
    profile = load_template(Path(options.template)).manifest.profiles[options.profile]
    return Sizes(profile, len(profile.seeds), True, options.threads).gpu_gb


def language_model(
    names: Mapping[Role, str], api_base: str | None, console: Console, stated: Stated, fallback: str | None = None
) -> Model:
    """Models behind a provider; `console` is told whom the session waits for, and when one is asked again."""
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
    """What the person said of models that litellm does not know."""
    return Stated(options.price, options.max_output, options.context)


def template_of(options: Options) -> Template:
    """The template of a session, with the metrics of its profile."""
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
    """Hold a session's lock and hand out its tools; says in the log how the process left.

    `new`: start it with this. `earlier`: what a new one takes over from the session that it continues.
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
    with suppress(InfrastructureError):  # a full disk: the line is a courtesy, and what stopped us has been said
        journal.append(ProcessStopped(at=time.time(), reason=reason))
    journal.log.close()


def _tools(
    paths: SessionPaths, workspace: Workspace, system: System, journal: Journal, signer: Signer, holds: ExitStack
) -> Tools:
    """Everything that actions work with; what they hold of the cache is let go with `holds`."""
    from agent.llm.editing.coder import AiderCoder
    from agent.storage.git import GitStore

    say = system.console.say
    explored = holds.enter_context(ExitStack())  # what is held of the explored world
    own_room = partial(_make_room, workspace.cache, journal, say)
    worlds = {
        stack: OwnWorlds(paths.secrets, workspace.cache, say, partial(_hold, stack), own_room)
        for stack in (explored, holds)
    }

    def prepare(template: Template, profile: Profile, name: str, world: int) -> DataPaths:
        session = journal.session
        if world != EXPLORED:  # no run of the session trains there again
            explored.close()
        begun = Begun(session.data_key, session.data_hashes) if world == EXPLORED else Begun()
        data = worlds[explored if world == EXPLORED else holds].data(template, name, profile, world, begun)
        for gone in trim(workspace.cache, journal.session.options.cache_gb):
            say(f"  cache: {gone.path.name} removed ({size_text(gone.size)}), to stay within --cache-gb")
        return data

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
        runner=system.runner or runner_of(journal.session.options, say),
        sandbox=system.sandbox,
        versions=GitStore(paths.repo),
        signer=signer,
        literature=_literature(paths, workspace, system, journal.session.options),
        prepare=prepare,
        secret=worlds[holds].secret,
        sleep=time.sleep,
        environment=environment,
        check_budget=check_budget,
    )
    return tools


def _hold(stack: ExitStack, folder: Path) -> None:
    stack.callback(os.close, hold(folder))


def _make_room(cache: Path, journal: Journal, say: Callable[[str], None]) -> None:
    """For one more world, as large as the explored one: two at a time may be more than the disk holds."""
    key = journal.session.data_key
    needed = sum(size_of(folder) for folder in (cache / "data").glob(f"*-{key}")) if key else 0
    for gone in make_room(cache, int(ROOM * needed)):
        say(f"  cache: {gone.path.name} removed ({size_text(gone.size)}), to make room for the confirmation's data")


def _literature(paths: SessionPaths, workspace: Workspace, system: System, options: Options) -> RecordedSearches:
    """A session that is played back asks nobody: the recording was made with the library."""
    from agent.literature.library import shipped_library

    folder = workspace.cache / "literature"
    finder: Finder = Shelf(shipped_library)
    asked = services() if system.services is None else system.services
    if asked and options.literature == "auto" and not options.playback:
        finder = Online(
            asked, Fetcher(folder), Cache(folder / "answers", time.time), Shelf(shipped_library), system.console.say
        )
    return RecordedSearches(finder, paths.searches, shipped_library)
