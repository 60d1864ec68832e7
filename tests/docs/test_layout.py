"""The rooms: a room imports only rooms to its right, no module is part of a circle, and the drawing shows just this.

Also what a process may load: aider in one module, and nothing heavy before it is needed.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support import ROOT

# Left to right: each may import those behind it. "paper" stands beside agent/, the others lie in it.
ROOMS = (
    ("app",),
    ("loop",),
    ("actions",),
    ("pages",),
    ("publishing",),
    ("paper",),
    ("lab",),
    ("literature",),
    ("llm",),
    ("sandbox",),
    ("storage",),
    ("session",),
    ("core",),
)
# Inside two rooms; names in one pair of brackets do not import each other.
PAPER = (("press",), ("truth", "pictures"), ("reading",), ("text", "evidence"))
LAB = (
    ("jobs", "templating", "plots"),
    ("published",),
    ("measuring",),
    ("integrity", "saebench", "machine", "own_worlds"),
    ("worlds", "environments", "environment_probe"),
    ("built",),
)
OF_AGENT_FOR_PAPER = {"literature", "sandbox", "storage", "core"}
ELSEWHERE = (  # run on their own, not as modules
    "agent/lab/templating/skeleton/",
    "agent/lab/saebench/worker/",
    "agent/app/wheel/",
)
Imports = Mapping[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """Every module of agent/ and paper/ by its dotted name."""
    found = {}
    for path in sorted([*(root / "agent").rglob("*.py"), *(root / "paper").rglob("*.py")]):
        inside = path.relative_to(root).as_posix()
        if not inside.startswith(ELSEWHERE):
            found[inside.removesuffix(".py").replace("/", ".").removesuffix(".__init__")] = path
    return found


def imports_of(root: Path) -> Imports:
    """What each module imports of ours, wherever in the file the statement stands."""
    known = modules(root)
    return {name: {_nearest(m, known) for m in imported(path)} - {"", name} for name, path in known.items()}


def _nearest(name: str, known: Mapping[str, Path]) -> str:
    """The module that an imported name stands for; "" for what is not ours."""
    if name in known:
        return name
    package, _, _ = name.rpartition(".")
    return package if package in known else ""


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    """ "paper", or the folder or module right below agent/; "" for agent itself, which hands out public names."""
    parts = module.split(".")
    return "paper" if parts[0] == "paper" else "".join(parts[1:2])


def part(module: str) -> str:
    """The part of paper or lab; "" for the package itself."""
    parts = module.split(".")
    return "".join(parts[1:2] if parts[0] == "paper" else parts[2:3])


def against_the_direction(imports: Imports) -> list[str]:
    """Each import that leads to a room on the left, or inside a room to a part on the left or beside."""
    wrong = []
    for module, found in imports.items():
        here = room(module)
        for other in sorted(found if here else ()):
            there = room(other)
            inside = {"paper": PAPER, "lab": LAB}.get(here, ()) if here == there else ()
            if inside and part(module) and part(other) and part(module) != part(other):
                allowed = _place(inside, part(module)) < _place(inside, part(other))
            elif here == "paper" and there != "paper":
                allowed = there in OF_AGENT_FOR_PAPER
            else:
                allowed = bool(there) and _place(ROOMS, here) <= _place(ROOMS, there)
            if not allowed:
                wrong.append(f"{module} imports {other}")
    return wrong


def _place(order: tuple[tuple[str, ...], ...], name: str) -> int:
    return next(place for place, names in enumerate(order) if name in names)


def circle(imports: Imports) -> list[str]:
    """Modules that import each other in a circle; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_a_room_imports_only_rooms_to_its_right():
    assert against_the_direction(imports_of(ROOT)) == []


def test_no_module_is_part_of_a_circle():
    assert circle(imports_of(ROOT)) == []


@pytest.mark.parametrize(
    ("planted", "wrong"),
    [
        # a circle of two modules in one room, and one that leads through two rooms
        ({"agent.storage.log": {"agent.storage.git"}, "agent.storage.git": {"agent.storage.log"}}, []),
        (
            {"agent.llm.calls": {"agent.session.tools"}, "agent.session.tools": {"agent.llm.calls"}},
            ["agent.session.tools imports agent.llm.calls"],
        ),
    ],
)
def test_a_planted_circle_is_found(planted, wrong):
    imports = {name: found | planted.get(name, set()) for name, found in imports_of(ROOT).items()}

    assert set(planted) <= set(circle(imports))
    assert against_the_direction(imports) == wrong


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("agent.core.record", "agent.session.events"),
        ("agent.actions.runs", "agent.app.assemble"),
        ("paper.press.render", "agent.llm.prompting"),
        ("paper.truth.checks", "paper.press.tables"),
        ("paper.text.nodes", "paper.evidence.facts"),
        ("agent.lab.worlds", "agent.lab.machine"),
        ("agent.lab.jobs.local", "agent.lab.plots.pictures"),
    ],
)
def test_an_import_to_the_left_is_found(module, other):
    imports = {name: found | ({other} if name == module else set()) for name, found in imports_of(ROOT).items()}

    assert f"{module} imports {other}" in against_the_direction(imports)


def test_the_drawing_in_architecture_md_shows_the_rooms_and_what_they_import():
    """Each row of the drawing: a room, a bar of arrows to rooms below it; see `drawing`."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = re.search(r"<!-- rooms -->\n```\n(.*?)```\n<!-- /rooms -->", page, re.DOTALL)[1]

    assert drawn == drawing(imports_of(ROOT)), "write it anew: python -m tests.docs.test_layout"


SAYS = {
    "app": "the ways in: command line and Python; the one place where parts are joined",
    "loop": "decide, perform, append: read this first",
    "actions": "Action -> Event: one function an action, safe to repeat",
    "pages": "what a browser shows of sessions: one file, or all of them live",
    "publishing": "what is made of a session: notes, manuscript, review, verification, bundle",
    "paper": "records and Markdown -> a checked PDF",
    "lab": "one job: trained, measured, judged",
    "literature": "the works that may be cited, and the services that find them",
    "llm": "language models: every answer is on disk before anybody acts on it",
    "sandbox": "walls for code nobody trusts, and the bounded way out of them",
    "storage": "what survives a kill: log, git, locks, cache, atomic files",
    "session": "events -> state -> next action; pure",
    "core": "the frozen data everybody speaks, and the protocols",
}


def drawing(imports: Imports) -> str:
    """The rooms as a staircase: a dot in a row stands below each room that imports the row's room."""
    names = [name for names in ROOMS for name in names]
    used = {(room(m), room(o)) for m, found in imports.items() for o in found if room(m) and room(m) != room(o)}
    lines = []
    for row, name in enumerate(names):
        cells = "".join("●  " if (above, name) in used else "│  " for above in names[:row])
        lines.append(f"{cells}{name}{' ' * (3 * (len(names) - row) + 9 - len(name))}{SAYS[name]}")
    return "\n".join(lines) + "\n"


def test_aider_is_imported_in_one_place():
    files = [
        p
        for folder in ("agent", "paper")
        for p in (ROOT / folder).rglob("*.py")
        if any(m.split(".")[0] == "aider" for m in imported(p))
    ]
    assert len(files) == 1


def test_what_joins_the_parts_knows_nothing_of_how_they_are_asked_for():
    imports, reached, ahead = imports_of(ROOT), set(), ["agent.app.assemble"]
    while ahead:
        new = {name for name in imports[ahead.pop()] if room(name) == "app"} - reached
        reached |= new
        ahead += new

    assert not reached & {"agent.app.cli", "agent.app.console", "agent.app.choices", "agent.app.arguments"}


def test_help_is_quick_and_needs_no_environment(tmp_path):
    best = 9.0
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-S", "-E", ROOT / "launch.py", "--help"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        best = min(best, time.perf_counter() - started)
    assert done.returncode == 0
    assert "--resume" in done.stdout
    assert best < 0.3


def test_events_and_policy_load_nothing_heavy():
    code = (
        "import sys, agent.session.policy, agent.session.session, agent.loop, agent.app.cli; "
        "heavy = {'torch', 'sae_lens', 'aider', 'litellm', 'transformer_lens', 'matplotlib', 'scipy'}; "
        "heavy &= set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


if __name__ == "__main__":  # writes the drawing
    page = ROOT / "ARCHITECTURE.md"
    text = re.sub(
        r"(<!-- rooms -->\n```\n).*?(```\n<!-- /rooms -->)",
        lambda found: found[1] + drawing(imports_of(ROOT)) + found[2],
        page.read_text(),
        flags=re.DOTALL,
    )
    page.write_text(text)
