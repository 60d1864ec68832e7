"""Templates and ideas by the name or the path that a person gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.core.errors import UserError
from agent.core.ideas import Idea, find_idea
from agent.core.template import Template, load_template


def template_folder(name: str, home: Path, option: str = "--template") -> Path:
    """Where a template lies, by its name among the project's own or by its folder."""
    folder = home / "templates" / name
    if not folder.is_dir():
        folder = Path(name)
    if not folder.is_dir():
        there = ", ".join(sorted(p.parent.name for p in (home / "templates").glob("*/manifest.toml")))
        raise UserError(f"{option} {name}: not found; there are {there}, or give a folder")
    return folder.resolve()


def named_template(name: str, home: Path, adapt: Callable[[Path], Path]) -> Template:
    """A template by its name or folder; `adapt` makes one of another system's folder."""
    from agent.lab.templating.v1 import is_v1

    folder = template_folder(name, home)
    return load_template(adapt(folder) if is_v1(folder) else folder)


def adapter(workspace: Path, walls: bool = True, *, device: str = "cpu", ask: bool = False) -> Callable[[Path], Path]:
    """Makes a template of an AI-Scientist v1 folder, in the workspace; `ask`: open questions go into adapter.toml."""

    def make(folder: Path) -> Path:
        from agent.lab.templating.adapt import adapt
        from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

        return adapt(folder, workspace, BubblewrapSandbox if walls else NoSandbox, print, device=device, ask=ask)

    return make


def named_idea(name: str, template: str | None, home: Path) -> Idea:
    """The idea by its name, among those that lie in the template's folder too, or by its file."""
    from agent.lab.templating.v1 import ideas

    own, complaints = ideas(template_folder(template, home)) if template else ([], [])
    if named := next((one for one in own if one.Name == name), None):
        return named
    try:
        return find_idea(name, home / "ideas")
    except UserError as error:
        if complaints:
            raise UserError(f"{error}; not read: {complaints[0]}") from None
        raise
