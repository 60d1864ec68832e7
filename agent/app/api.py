"""A session from Python, with a model, runner or sandbox of one's own. launch.py does the same with words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.app import options as choices
from agent.app import preflight
from agent.app.assemble import System, open_session, system_for
from agent.app.console import TerminalConsole
from agent.core.errors import UserError
from agent.core.ideas import Idea, find_idea
from agent.core.options import Models, Options
from agent.core.paths import SessionPaths
from agent.core.protocols import Model, Runner, Sandbox
from agent.core.record import RunRecord
from agent.core.template import Template
from agent.loop import play
from agent.publishing.verify.trust import ask_for_trust, is_ours
from agent.session.session import Session, fold
from agent.session.tools import Console
from agent.storage.log import EventLog
from agent.storage.workspace import Workspace, new_session_folder

TRUSTED = "its template runs here without walls, its experiments and replies as its log says"
HOME = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """Where a session stands after run() or resume(): finished, or at the stop that was asked for."""

    session: Session = field(repr=False)  # all of its state, which fills a screen
    folder: Path

    @property
    def pdf(self) -> Path | None:
        path = SessionPaths(self.folder).repo / "paper" / "paper.pdf"
        return path if path.is_file() else None

    @cached_property
    def records(self) -> list[RunRecord]:
        """What the runner measured, one record a run, failed ones included."""
        files = sorted((SessionPaths(self.folder).repo / "records").glob("*.json"))
        return [RunRecord.model_validate_json(file.read_bytes()) for file in files]


def run(
    idea: Idea | str | Path,
    *,
    workspace: str | Path,
    template: str | Path = "synth_sae",
    profile: str | None = None,
    model: Model | str | None = None,
    runner: Runner | None = None,
    sandbox: Sandbox | None = None,
    console: Console | None = None,
    **options: Any,
) -> Outcome:
    """A new session on an idea, played to its end.

    Args:
        idea: an Idea, its name among the project's own, or FILE[:NAME].
        model: answers all roles: an object, or a litellm name; None plays the recording of the template.
        runner, sandbox, console: in the place of this machine's own; Console() says nothing.
        options: fields of agent.core.options.Options: runs, attempts, baselines, stop_after, pdf, max_usd ...

    Raises:
        UserError: something given is wrong, or missing on this machine; nothing was started.
        InfrastructureError, BudgetSpent: the session stopped cleanly; resume() goes on.
    """
    idea = idea if isinstance(idea, Idea) else find_idea(str(idea), HOME / "ideas")
    chosen = choices.template(str(template), HOME, choices.adapter(Path(workspace).resolve()))
    settled = _options(chosen, profile, idea, model, options)
    system = _system(settled, model, runner, sandbox, console)
    place = Workspace(Path(workspace).resolve())
    _preflight(settled, chosen, system, place)
    paths = new_session_folder(place, idea.Name)
    with open_session(paths, place, system, new=(idea, settled)) as tools:
        play(tools)
        return Outcome(tools.session, paths.root)


def resume(
    folder: str | Path,
    *,
    model: Model | None = None,
    runner: Runner | None = None,
    sandbox: Sandbox | None = None,
    console: Console | None = None,
    trust: bool = False,
    **changes: Any,
) -> Outcome:
    """Go on with a session after any stop, with the same parts; `changes` are fields of Options.

    `trust`: also with one that this installation did not make, whose template is run without walls.

    Raises:
        UserError, InfrastructureError, BudgetSpent: as run().
    """
    place = Workspace(Path(folder).resolve().parent)
    paths = place.find(Path(folder).name)
    if not is_ours(paths):
        ask_for_trust(paths.root.name, TRUSTED, trust)
    before = fold(EventLog(paths.events).read()).options
    if before is None:
        raise UserError(f"{paths.root}: its log is empty; start the idea anew")
    settled = choices.checked(**{**before.__dict__, "stop_after": None, **changes})
    system = _system(settled, model, runner, sandbox, console)
    _preflight(settled, choices.load(settled), system, place)
    with open_session(paths, place, system, changed=settled if settled != before else None) as tools:
        play(tools)
        return Outcome(tools.session, paths.root)


def _options(
    template: Template, profile: str | None, idea: Idea, model: Model | str | None, options: dict[str, Any]
) -> Options:
    unknown = sorted(set(options) - set(Options.model_fields))
    if unknown:
        raise UserError(f"run({unknown[0]}=...): no such option; there are {', '.join(sorted(Options.model_fields))}")
    recording = Path(template.folder) / "playback" / idea.Name
    if model is None and not recording.is_dir():
        raise UserError(f"run(): {template.manifest.name} has no recording of idea {idea.Name}; give a model")
    name = model if isinstance(model, str) else getattr(model, "name", "own") if model else "playback"
    slots, threads = choices.cores()
    values: dict[str, Any] = {
        "template": str(template.folder),
        "profile": profile or template.manifest.default_profile,
        "models": Models(**dict.fromkeys(choices.ROLES, name)),
        "playback": None if model else str(recording),
        "baselines": tuple(b.name for b in template.manifest.baselines[:2]),
        "slots": slots,
        "threads": threads,
        "device": choices.own_device(),
    }
    return choices.checked(**{**values, **options})


def _system(
    options: Options, model: Model | str | None, runner: Runner | None, sandbox: Sandbox | None, console: Console | None
) -> System:
    if model is None or isinstance(model, str):
        usual = system_for(options, None)
        return System(usual.model, sandbox or usual.sandbox, console or usual.console, None, runner)
    from agent.sandbox.boxes import BubblewrapSandbox

    return System(model, sandbox or BubblewrapSandbox(), console or TerminalConsole(), None, runner)


def _preflight(options: Options, template: Template, system: System, workspace: Workspace) -> None:
    complaints = preflight.complaints(options, template, system, workspace.root)
    if complaints:
        raise UserError("; ".join(complaints))
