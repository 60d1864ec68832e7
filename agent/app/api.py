"""run and resume: a session from Python, with a model, runner or sandbox of the caller's own if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.app.assemble import Parts
from agent.app.console import TerminalConsole
from agent.app.start import Start, begin, go_on
from agent.core.errors import UserError
from agent.core.given import place_given
from agent.core.ideas import Idea
from agent.core.options import DEFAULT_TEMPLATE, ROLES, Options
from agent.core.paths import SessionPaths
from agent.core.protocols import Model, Runner, Sandbox
from agent.core.record import RunRecord
from agent.loop import play
from agent.session.session import Session
from agent.session.tools import Console
from agent.storage.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """A session after run() or resume(): finished, or stopped at the stage that was asked for."""

    session: Session = field(repr=False)  # its whole state, too long for a repr
    folder: Path

    @property
    def pdf(self) -> Path | None:
        """The paper, or None if the session has made no PDF."""
        path = SessionPaths(self.folder).repo / "paper" / "paper.pdf"
        return path if path.is_file() else None

    @cached_property
    def records(self) -> list[RunRecord]:
        """What the runner measured: one record for each run, including failed ones."""
        files = sorted((SessionPaths(self.folder).repo / "records").glob("*.json"))
        return [RunRecord.model_validate_json(file.read_bytes()) for file in files]


def run(
    idea: Idea | str | Path,
    *,
    workspace: str | Path,
    template: str | Path = DEFAULT_TEMPLATE,
    profile: str | None = None,
    model: Model | str | None = None,
    runner: Runner | None = None,
    sandbox: Sandbox | None = None,
    console: Console | None = None,
    **options: Any,
) -> Outcome:
    """Starts a session on an idea and plays it to its end.

    Args:
        idea: an Idea, its name, or FILE[:NAME].
        model: answers in all roles: an object, or a litellm name; None plays the template's recording.
        runner, sandbox, console: replace those of this machine; Console() prints nothing.
        options: fields of agent.Options: runs, attempts, baselines, stop_after, pdf, max_usd ...

    Raises:
        UserError: an argument is wrong, or something is missing on this machine; nothing was started.
        InfrastructureError, BudgetSpent: the session stopped cleanly; resume() continues it.
    """
    chosen = {**_known("run", options), "template": str(template)}
    if profile is not None:
        chosen["profile"] = profile
    if model is not None:
        chosen["models"] = dict.fromkeys(ROLES, model if isinstance(model, str) else getattr(model, "name", "own"))
    parts = Parts(console or TerminalConsole(), None if isinstance(model, str) else model, runner, sandbox)
    place = Workspace(place_given(workspace, "workspace"))
    return _played(begin(idea if isinstance(idea, Idea) else str(idea), chosen, place, parts))


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
    """Continues a session after any stop; `changes` are fields of agent.Options, the other arguments as in run().

    `trust`: also continue a session that this installation did not make; its template then runs outside the sandbox.

    Raises:
        UserError, InfrastructureError, BudgetSpent: as run().
    """
    place = Workspace(place_given(folder, "session").parent)
    paths = place.find(Path(folder).name)
    parts = Parts(console or TerminalConsole(), model, runner, sandbox)
    return _played(go_on(paths, _known("resume", changes), place, parts, trust=trust))


def _known(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options; raises UserError if one is no field of Options."""
    unknown = sorted(set(options) - set(Options.model_fields))
    if unknown:
        there = ", ".join(sorted(Options.model_fields))
        raise UserError(f"{function}({unknown[0]}=...): no such option; there are {there}")
    return dict(options)


def _played(start: Start) -> Outcome:
    start.require()
    with start.opened() as tools:
        play(tools)
        return Outcome(tools.session, tools.paths.root)
