"""What a training gets that is not the project's own form: another Python, another system's idea of folders.

Where a script of the AI-Scientist v1 form finds things: a folder it may write, and its data as ../../NAME.

Seen from /w, any number of `../` ends at the root: there the data folders are mounted, read-only. Without walls they
are links at the first three levels above the script's folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent.core.record import Environment
from agent.core.sandboxing import Mount
from agent.lab.measuring.scratch import TrainingPaths
from agent.sandbox.bwrap import python_trees

LEVELS = 3
BESIDE = "beside"  # folder of the data that the script finds in its own folder


def python(environment: Environment | None) -> tuple[str, tuple[Mount, ...]]:
    """The interpreter, and what has to be mounted for it to run."""
    if environment is None:
        return sys.executable, ()
    shown = {str(tree) for tree in python_trees()}
    return environment.python, tuple(Mount(Path(tree), tree) for tree in environment.trees if tree not in shown)


def path_env(environment: Environment | None) -> dict[str, str]:
    """Its programs come first."""
    return {} if environment is None else {"PATH": f"{Path(environment.python).parent}:/usr/local/bin:/usr/bin:/bin"}


def mounts(paths: TrainingPaths, data: Mount, *, walls: bool) -> tuple[Mount, ...]:
    """The folder with the code first; the script makes its own out_dir in it."""
    places = sorted(p for p in data.source.iterdir() if p.is_dir() and p.name != BESIDE)
    own = sorted(p for p in (data.source / BESIDE).glob("*") if p.is_dir())
    if not walls:
        for place in places:
            _link(paths, place)
        for place in own:
            (paths.code / place.name).symlink_to(place)
    code = Mount(paths.code, "/w", writable=True)
    beside = (Mount(place, f"/w/{place.name}") for place in own)
    return (code, *(Mount(place, f"/{place.name}") for place in places), *beside)


def _link(paths: TrainingPaths, place: Path) -> None:
    above = paths.code
    for _ in range(LEVELS):
        above = above.parent
        link = above / place.name
        if not os.path.lexists(link):
            link.symlink_to(place)
