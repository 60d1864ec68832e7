"""Finds templates and ideas by the names and paths that a person types, and prints commands that a person can type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.core.errors import UserError
from agent.core.ideas import Idea, find_idea
from agent.core.nearest import did_you_mean
from agent.core.program import HOME, INSTALLED, NAME, Places, places, short
from agent.core.template import Template, load_template


def launcher() -> str:
    """What a person types to start this program from the current folder."""
    if INSTALLED:
        return NAME
    here, script = Path.cwd(), HOME / NAME
    return f"./{script.relative_to(here)}" if script.is_relative_to(here) else str(script)


def command(word: str, session: Path) -> str:
    """What a person types for a command about a session. `word`: the command with its dashes; `session`: a folder."""
    elsewhere = session.parent != places().workspace
    return f"{launcher()} {word} {session.name}" + (f" --workspace {short(session.parent)}" if elsewhere else "")


def template_folder(name: str, where: Places, option: str = "--template") -> Path:
    """The folder of a template, by its name in one of the places or by a path.

    Raises:
        UserError: there is none; the message begins with `option`, which names it.
    """
    found = [path for path in (*(folder / name for folder in where.under("templates")), Path(name)) if path.is_dir()]
    if not found:
        there = sorted({p.parent.name for folder in where.under("templates") for p in folder.glob("*/manifest.toml")})
        meant = did_you_mean(name, there)
        raise UserError(f"{option} {name}: not found" + (meant or f"; there are {', '.join(there)}, or give a folder"))
    return found[0].resolve()


def named_template(name: str, where: Places, adapt: Callable[[Path], Path]) -> Template:
    """A template by its name or folder; `adapt` converts a folder of AI-Scientist (v1) into one first."""
    from agent.lab.templating.v1 import is_v1

    folder = template_folder(name, where)
    return load_template(adapt(folder) if is_v1(folder) else folder)


def adapter(workspace: Path, walls: bool, *, device: str = "cpu", ask: bool = False) -> Callable[[Path], Path]:
    """A function that converts a folder of AI-Scientist (v1) into a template in the workspace, and returns its folder.

    `ask`: questions that the conversion leaves open are written into adapter.toml, for a person to answer.
    """

    def make(folder: Path) -> Path:
        from agent.lab.templating.adapt import adapt
        from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

        return adapt(folder, workspace, BubblewrapSandbox if walls else NoSandbox, print, device=device, ask=ask)

    return make


def named_idea(name: str, template: str | None, where: Places) -> Idea:
    """An idea by its name (those in the template's folder come first), or by its file.

    Raises:
        UserError: there is none.
    """
    from agent.lab.templating.v1 import ideas

    own, complaints = ideas(template_folder(template, where)) if template else ([], [])
    if named := next((one for one in own if one.Name == name), None):
        return named
    try:
        return find_idea(name, *where.under("ideas"))
    except UserError as error:
        if complaints:
            raise UserError(f"{error}; not read: {complaints[0]}") from None
        raise
