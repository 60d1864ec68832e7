"""What a process may load: aider in one module, and nothing heavy before it is needed."""

import ast
import subprocess
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support import ROOT


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_aider_is_imported_in_one_place():
    files = [
        p
        for folder in ("agent", "paper")
        for p in (ROOT / folder).rglob("*.py")
        if any(m.split(".")[0] == "aider" for m in imported(p))
    ]
    assert len(files) == 1


def test_the_ways_in_import_each_other_in_no_circle():
    arrows = {
        f"agent.app.{path.stem}": {name for name in imported(path) if name.startswith("agent.app.")}
        for path in (ROOT / "agent/app").glob("*.py")
    }
    TopologicalSorter({name: found & set(arrows) for name, found in arrows.items()}).prepare()
    reached, ahead = set(), ["agent.app.assemble"]
    while ahead:
        new = arrows.get(ahead.pop(), set()) - reached
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
        "heavy = {'torch', 'sae_lens', 'aider', 'litellm', 'transformer_lens', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
