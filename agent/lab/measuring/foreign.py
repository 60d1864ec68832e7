"""What a training in another form than ours needs: another Python, and the folders of an AI-Scientist v1 script.

Such a script writes into its own folder and reads its data as ../../NAME. Its folder is mounted as /w, from which any
number of `../` leads to the root, so that the data folders are mounted there, read-only. Without a sandbox, links to
them are put into the first three folders above the script's.
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
    """The interpreter of an environment (None: the runner's own), and the mounts that it needs to run."""
    if environment is None:
        return sys.executable, ()
    shown = {str(tree) for tree in python_trees()}
    return environment.python, tuple(Mount(Path(tree), tree) for tree in environment.trees if tree not in shown)


def path_env(environment: Environment | None) -> dict[str, str]:
    """PATH with the programs of the environment first; nothing for the runner's own."""
    return {} if environment is None else {"PATH": f"{Path(environment.python).parent}:/usr/local/bin:/usr/bin:/bin"}


def mounts(paths: TrainingPaths, data: Mount, *, walls: bool) -> tuple[Mount, ...]:
    """The mounts of a v1 script, that of its code first; the script makes its own output folder there.

    `data` holds the folders that the script reads as ../../NAME and, in BESIDE, those that lie in its own folder.
    `walls`: there is a sandbox; without one, links are made instead.
    """
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
