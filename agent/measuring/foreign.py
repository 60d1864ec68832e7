"""Where a script of the AI-Scientist v1 form finds things: a folder it may write, and its data as ../../NAME.

Seen from /w, any number of `../` ends at the root: there the data folders are mounted, read-only. Without walls they
are links at the first three levels above the script's folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.measuring.scratch import TrainingPaths
from agent.protocols import Mount

LEVELS = 3


def mounts(paths: TrainingPaths, data: Mount, *, walls: bool) -> tuple[Mount, ...]:
    """The folder with the code first; the script makes its own out_dir in it."""
    places = sorted(p for p in data.source.iterdir() if p.is_dir())
    if not walls:
        for place in places:
            _link(paths, place)
    code = Mount(paths.code, "/w", writable=True)
    return (code, *(Mount(place, f"/{place.name}") for place in places))


def _link(paths: TrainingPaths, place: Path) -> None:
    above = paths.code
    for _ in range(LEVELS):
        above = above.parent
        link = above / place.name
        if not os.path.lexists(link):
            link.symlink_to(place)
