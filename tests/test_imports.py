"""Imports run one way: launch -> loop -> policy, actions -> protocols, types."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IMPLEMENTATIONS = {"agent.assemble", "agent.command.cli", "agent.editing.aider_edit", "agent.editing.coder",
                   "agent.literature", "agent.literature.fetch", "agent.literature.search",
                   "agent.literature.searches", "agent.models.calls", "agent.models.model", "agent.models.playback",
                   "agent.runners",
                   "agent.sandbox.boxes", "agent.sandbox.confine", "agent.versions.git"}
PURE = ["types", "reviews", "paper_events", "events", "states", "judging", "steps",
        "session", "policy", "schema", "benchmarks", "manifest", "record"]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "agent/actions").glob("*.py")), ids=lambda p: p.name)
def test_an_action_imports_no_implementation(path):
    assert not imported(path) & IMPLEMENTATIONS


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_only_pure_modules(name):
    ours = {m for m in imported(ROOT / "agent" / f"{name}.py") if m.startswith(("agent.", "paper"))}
    assert all(m.split(".")[1] in {*PURE, "errors", "events"} for m in ours)


def test_the_paper_imports_only_plain_things_of_the_agent():
    allowed = ("agent.manifest", "agent.record", "agent.protocols", "agent.errors", "agent.measuring.harvest",
               "agent.atomic", "agent.schema", "agent.types")
    for path in (ROOT / "paper").rglob("*.py"):
        ours = {m for m in imported(path) if m.startswith("agent.")}
        assert all(m.startswith(allowed) for m in ours - {"agent.measuring"}), (path, ours)


def test_aider_is_imported_in_one_place():
    files = [p for folder in ("agent", "paper") for p in (ROOT / folder).rglob("*.py")
             if any(m.split(".")[0] == "aider" for m in imported(p))]
    assert len(files) == 1


def test_help_is_quick_and_needs_no_environment(tmp_path):
    best = 9.0
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-S", "-E", ROOT / "launch.py", "--help"], capture_output=True,
                              text=True, cwd=tmp_path, check=False)
        best = min(best, time.perf_counter() - started)
    assert done.returncode == 0
    assert "--resume" in done.stdout
    assert best < 0.3


def test_events_and_policy_load_nothing_heavy():
    code = ("import sys, agent.policy, agent.session, agent.loop, agent.command.cli; "
            "heavy = {'torch', 'sae_lens', 'aider', 'litellm', 'transformer_lens', 'matplotlib'} & set(sys.modules); "
            "assert not heavy, heavy")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
