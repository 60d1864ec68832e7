"""What the code imports is what pyproject.toml asks for: a package that only another one brings may vanish with it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.support import ROOT

# Never in the project's own environment: what builds a wheel, agent/lab/saebench/requirements.in and
# tests/suites/bench/peers.txt.
APART = {"hatchling", "sae_bench", "sae_probes", "dictionary_learning", "schedulefree", "sparsify"}
FOLDERS = ("agent", "paper", "templates", "tests")


def sources():
    return [ROOT / "launch.py", *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]


def imported(path):
    """The packages that a file imports anywhere, by the first part of the name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*groups):
    """What pyproject.toml asks for in an installed copy, and in these groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"]]
    asked += [line for group in groups for line in project["dependency-groups"][group]]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in asked}


def needed_at_import(path):
    """The packages without which a module cannot be imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_declared():
    files = sources()
    own = {path.stem for path in files} | {path.parent.name for path in files}
    known = own | set(sys.stdlib_module_names) | APART
    distributions, asked = packages_distributions(), declared("dev", "aider")
    missing = {
        (name, path.relative_to(ROOT).as_posix())
        for path in files
        for name in imported(path)
        if name not in known and not {normal(d) for d in distributions.get(name, [name])} & asked
    }

    assert not missing


def test_what_aider_imports_is_declared_because_a_wheel_carries_its_files_alone():
    import agent.llm.editing.aider_edit  # noqa: F401

    files = [Path(m.__file__) for name, m in sys.modules.items() if name.split(".")[0] == "aider" and m.__file__]
    distributions, asked = packages_distributions(), declared()
    wanted = {name for file in files for name in needed_at_import(file)} - {"aider"} - set(sys.stdlib_module_names)
    assert len(files) > 20
    assert {name for name in wanted if not {normal(d) for d in distributions.get(name, [name])} & asked} == set()
