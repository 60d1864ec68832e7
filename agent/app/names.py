"""Templates, ideas and this program by the name or the path that a person gives or can type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.core.errors import UserError
from agent.core.ideas import Idea, find_idea
from agent.core.nearest import did_you_mean
from agent.core.program import HOME, INSTALLED, NAME, Places, places
from agent.core.program import short as short
from agent.core.template import Template, load_template


def launcher() -> str:
    """What to type for this program, from the folder where this command was typed."""
    if INSTALLED:
        return NAME
    here, script = Path.cwd(), HOME / NAME
    return f"./{script.relative_to(here)}" if script.is_relative_to(here) else str(script)


def command(word: str, session: Path) -> str:
    """What to type for a command (with its dashes) about a session, by its folder."""
    elsewhere = session.parent != places().workspace
    return f"{launcher()} {word} {session.name}" + (f" --workspace {short(session.parent)}" if elsewhere else "")


def template_folder(name: str, where: Places, option: str = "--template") -> Path:
    """Where a template lies, by its name in one of the places or by its folder."""
    found = [path for path in (*(folder / name for folder in where.under("templates")), Path(name)) if path.is_dir()]
    if not found:
        there = sorted({p.parent.name for folder in where.under("templates") for p in folder.glob("*/manifest.toml")})
        meant = did_you_mean(name, there)
        raise UserError(f"{option} {name}: not found" + (meant or f"; there are {', '.join(there)}, or give a folder"))
    return found[0].resolve()


def named_template(name: str, where: Places, adapt: Callable[[Path], Path]) -> Template:
    """A template by its name or folder; `adapt` makes one of another system's folder."""
    from agent.lab.templating.v1 import is_v1

    folder = template_folder(name, where)
    return load_template(adapt(folder) if is_v1(folder) else folder)


def adapter(workspace: Path, walls: bool = True, *, device: str = "cpu", ask: bool = False) -> Callable[[Path], Path]:
    """Makes a template of an AI-Scientist v1 folder, in the workspace; `ask`: open questions go into adapter.toml."""

    def make(folder: Path) -> Path:
        from agent.lab.templating.adapt import adapt
        from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

        return adapt(folder, workspace, BubblewrapSandbox if walls else NoSandbox, print, device=device, ask=ask)

    return make


def named_idea(name: str, template: str | None, where: Places) -> Idea:
    """The idea by its name, among those that lie in the template's folder too, or by its file."""
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
