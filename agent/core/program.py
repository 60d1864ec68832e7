"""This program: where its files lie, what a person types to start it, and which version it is.

It is either a checkout, started as launch.py, or an installed wheel, started as experiment-runner. Standard library
only, because launch.py imports this before it enters the project's environment.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]  # the checkout, or the folder experiment_runner/ of the wheel
INSTALLED = (HOME / "__init__.py").is_file()  # only in the wheel is this folder a package
NAME = "experiment-runner" if INSTALLED else "launch.py"
TYPED = NAME if INSTALLED else f"./{NAME}"
# Folders of this machine, and what replaces them in texts that leave it.
OURS = {Path(sys.prefix): "[environment]", HOME: "[checkout]"}


def short(path: Path) -> str:
    """A path as a person can type it: relative to the current folder if it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass(frozen=True)
class Places:
    """The folder of a person's own files, and the folder of those that come with the program; equal in a checkout.

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
        """The folders of this name ("templates", "ideas"), in the order in which they are searched."""
        return tuple(folder / name for folder in self.folders)


def places() -> Places:
    """The folders of this process. A person's own files lie in the current folder, or in the checkout if it is one."""
    return Places(Path.cwd() if INSTALLED else HOME, HOME)


@cache
def version() -> str:
    """The version, read from pyproject.toml, which is also part of the wheel."""
    import tomllib

    with open(HOME / "pyproject.toml", "rb") as file:
        return str(tomllib.load(file)["project"]["version"])
