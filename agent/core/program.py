"""This program itself: where its files lie, what a person types to start it, and which version it is.

It is either a checkout, started as launch.py, or an installed wheel, started as experiment-runner. Standard library
only: launch.py reads this before it enters the project's environment.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]  # the checkout, or the folder experiment_runner/ of the wheel
INSTALLED = (HOME / "__init__.py").is_file()  # only the wheel makes a package of its folder
NAME = "experiment-runner" if INSTALLED else "launch.py"
TYPED = NAME if INSTALLED else f"./{NAME}"
OURS = {Path(sys.prefix): "[environment]", HOME: "[checkout]"}  # folders of this machine, and their names elsewhere


def short(path: Path) -> str:
    """A path as a person can type it: relative to the current folder if it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass(frozen=True)
class Places:
    """Where a person's own files lie, and where those lie that come with the program; in a checkout that is one place.

    Templates and ideas that are given by name are looked up in `own` first.
    """

    own: Path  # holds workspace/, and a person's templates/ and ideas/
    shipped: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.own,) if self.own == self.shipped else (self.own, self.shipped)

    @property
    def workspace(self) -> Path:
        return self.own / "workspace"

    def under(self, name: str) -> tuple[Path, ...]:
        """The folders of this name ("templates", "ideas"), the first to be looked into first."""
        return tuple(folder / name for folder in self.folders)


def places() -> Places:
    """An installed program keeps a person's files in the current folder, a checkout in itself."""
    return Places(Path.cwd() if INSTALLED else HOME, HOME)


@cache
def version() -> str:
    """The version as pyproject.toml has it, which lies in a wheel as well: no other file repeats it."""
    import tomllib

    with open(HOME / "pyproject.toml", "rb") as file:
        return str(tomllib.load(file)["project"]["version"])
