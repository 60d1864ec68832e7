"""The commands list, status and clean."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.app.wording import compact
from agent.core.errors import InfrastructureError, UserError
from agent.core.ideas import Idea, all_ideas
from agent.core.paths import SessionPaths
from agent.core.template import load_template
from agent.core.visible import line
from agent.session.session import missing_pdf, stage
from agent.storage.cache import clean
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace, read_session


def show_ideas(ideas: Path, templates: Path, template: str | None = None) -> int:
    """All ideas and templates; with a template's name or folder, the ideas that lie in it too."""
    table = table_of("idea", "title", title="Ideas")
    found, complaints = all_ideas(ideas)
    own, unread = _ideas_of(template, templates) if template else ([], [])
    complaints += unread
    for idea in [*found, *own]:
        add(table, idea.Name, idea.Title)
    show(table)
    print()
    table = table_of("template", "question", "profiles", "baselines", title="Templates")
    for manifest_file in sorted(templates.glob("*/manifest.toml")):
        try:
            manifest = load_template(manifest_file.parent).manifest
        except UserError as error:
            complaints.append(str(error))
            continue
        profiles = [f"{name}*" if name == manifest.default_profile else name for name in manifest.profiles]
        add(table, manifest.name, manifest.question, ", ".join(profiles), ", ".join(b.name for b in manifest.baselines))
    show(table)
    for complaint in complaints:
        print(line(complaint), file=sys.stderr)
    return 2 if complaints else 0


def _ideas_of(template: str, templates: Path) -> tuple[list[Idea], list[str]]:
    from agent.app.names import template_folder
    from agent.lab.templating.v1 import ideas

    return ideas(template_folder(template, templates.parent))


def show_status(workspace: Workspace) -> int:
    sessions = workspace.sessions()
    if closed := workspace.closed():
        print(line(f"not shown, for this user may not read them: {', '.join(closed)}"), file=sys.stderr)
    if not sessions:
        print(f"no sessions in {workspace.root} yet")
        return 0
    table = table_of("session", "state", "stage", "runs", "tokens", "cost")
    for paths in sessions:
        add(table, *_row(paths))
    show(table)
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
        return paths.root.name, "unreadable", str(error).partition(paths.events.name)[2].strip(":, ")[:60], "", "", ""
    held = is_locked(paths.lock)
    done = "no PDF" if missing_pdf(session) else "done"
    state = done if session.finished else "running" if held else "stopped"
    measured = sum(1 for r in session.experiments if r.phase == "measured")
    failed = sum(1 for r in session.experiments if r.phase == "failed")
    runs = f"{measured} of {session.options.runs}" + (f", {failed} failed" if failed else "")
    cost = f"${session.usd:.2f}" + ("+?" if session.unpriced_calls else "")
    tokens = compact(session.tokens) + (f", {compact(session.tokens_cached)} cached" if session.tokens_cached else "")
    return paths.root.name, state, stage(session), runs, tokens, cost


def table_of(*heads: str, title: str | None = None) -> Table:
    return Table(*heads, title=title, title_justify="left", box=None, pad_edge=False)


def add(table: Table, *cells: str) -> None:
    table.add_row(*map(line, cells))


def show(table: Table) -> None:
    """Plain: words in it may be anybody's, and are neither markup nor colours."""
    Console(color_system=None, force_terminal=False, markup=False, emoji=False, highlight=False).print(table)
