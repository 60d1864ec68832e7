"""The commands list, status and clean."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.app.wording import compact
from agent.core.errors import InfrastructureError, UserError
from agent.core.ideas import Idea, all_ideas
from agent.core.paths import SessionPaths
from agent.core.template import load_template
from agent.session.session import missing_pdf, stage
from agent.storage.cache import clean
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace, read_session


def show_ideas(ideas: Path, templates: Path, template: str | None = None) -> int:
    """All ideas and templates; with a template's name or folder, the ideas that lie in it too."""
    console = Console()
    table = Table("idea", "title", title="Ideas", title_justify="left", box=None, pad_edge=False)
    found, complaints = all_ideas(ideas)
    for idea in [*found, *(_ideas_of(template, templates) if template else ())]:
        table.add_row(idea.Name, idea.Title)
    console.print(table)
    console.print()
    table = Table(
        "template",
        "question",
        "profiles",
        "baselines",
        title="Templates",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for manifest_file in sorted(templates.glob("*/manifest.toml")):
        try:
            manifest = load_template(manifest_file.parent).manifest
        except UserError as error:
            complaints.append(str(error))
            continue
        profiles = [f"{name}*" if name == manifest.default_profile else name for name in manifest.profiles]
        table.add_row(
            manifest.name, manifest.question, ", ".join(profiles), ", ".join(b.name for b in manifest.baselines)
        )
    console.print(table)
    for complaint in complaints:
        Console(stderr=True).print(complaint, style="red", markup=False)
    return 2 if complaints else 0


def _ideas_of(template: str, templates: Path) -> list[Idea]:
    from agent.app.names import template_folder
    from agent.lab.templating.v1 import ideas

    return ideas(template_folder(template, templates.parent))


def show_status(workspace: Workspace) -> int:
    console = Console()
    sessions = workspace.sessions()
    if not sessions:
        console.print(f"no sessions in {workspace.root} yet", markup=False)
        return 0
    table = Table("session", "state", "stage", "runs", "tokens", "cost", box=None, pad_edge=False)
    for paths in sessions:
        table.add_row(*_row(paths))
    console.print(table)
    return 0


def clean_cache(workspace: Workspace) -> int:
    """Free the cache, and say what that frees."""
    busy = any(is_locked(paths.lock) for paths in workspace.sessions())
    print(clean(workspace.cache, busy=busy))
    return 0


def _row(paths: SessionPaths) -> tuple[str, ...]:
    try:
        session = read_session(paths)
    except UserError:
        return paths.root.name, "empty", "", "", "", ""
    except InfrastructureError as error:
        return paths.root.name, "unreadable", str(error)[:60], "", "", ""
    held = is_locked(paths.lock)
    done = "no PDF" if missing_pdf(session) else "done"
    state = done if session.finished else "running" if held else "stopped"
    measured = sum(1 for r in session.experiments if r.phase == "measured")
    failed = sum(1 for r in session.experiments if r.phase == "failed")
    runs = f"{measured} of {session.options.runs}" + (f", {failed} failed" if failed else "")
    cost = f"${session.usd:.2f}" + ("+?" if session.unpriced_calls else "")
    return paths.root.name, state, stage(session), runs, compact(session.tokens), cost
