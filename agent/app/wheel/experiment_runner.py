"""Experiments by a language model, measured by the runner: `from experiment_runner import run, resume`.

In the wheel this file is the package experiment_runner. Its folder is laid out like a checkout, and its modules import
each other by the same names (agent, paper). The first import of this package makes these names importable, and they
take precedence over modules of the same name in the current folder or elsewhere on sys.path.
"""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS = ("agent", "paper", "aider")  # the wheel contains aider's files, see build.py


class _Ours(MetaPathFinder):
    """Finds the packages that lie beside this file, and nothing else."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(HERE)], target) if fullname in OURS else None


def _make_importable() -> None:
    """Puts the finder of these packages first.

    Raises:
        ImportError: this program has already imported another module under one of these names.
    """
    for name in OURS:
        there = sys.modules.get(name)
        if there is not None and str(HERE / name) not in (getattr(there, "__path__", None) or ()):
            place = getattr(there, "__file__", None) or ", ".join(getattr(there, "__path__", ())) or "this program"
            raise ImportError(
                f"experiment_runner has a module {name!r} of its own, and {place} was imported under that name before; "
                f"import experiment_runner first, or rename the other {name!r}"
            )
    sys.meta_path.insert(0, _Ours())


_make_importable()

from agent import __all__  # noqa: E402


def __getattr__(name: str) -> Any:
    import agent

    try:
        return getattr(agent, name)
    except AttributeError:
        raise AttributeError(f"module 'experiment_runner' has no attribute {name!r}; public are {__all__}") from None


def main() -> None:
    """The command experiment-runner: launch.py beside this file, in the Python of this environment."""
    os.execv(sys.executable, [sys.executable, str(HERE / "launch.py"), *sys.argv[1:]])
