"""Whether the files of a world (the data drawn from one secret) are still those that were built.

A built world has a manifest.json with the sha256 of each of its files. Not here: building a world (worlds.py).
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from agent.core.paths import DataPaths

MANIFEST = "manifest.json"
CONDITIONS = "conditions"  # folder below a world, with the data of those conditions that have data of their own
PARTS = ("train", "truth", CONDITIONS)


def of_condition(world: Path, name: str) -> Path:
    """The folder that holds `train` and `truth` of one condition: its own, or the world's, which conditions share."""
    own = world / CONDITIONS / name
    return own if own.is_dir() else world


def data_of(world: DataPaths, condition: str) -> DataPaths:
    """The paths and hashes of one condition's data; hashes are named from the condition's own folder."""
    place = of_condition(world.train.parent, condition)
    if place == world.train.parent:
        return world
    prefix = f"{CONDITIONS}/{condition}/"
    hashes = {name.removeprefix(prefix): h for name, h in world.hashes.items() if name.startswith(prefix)}
    return DataPaths(place / "train", place / "truth", world.key, hashes)


def damage(folder: Path, *, thorough: bool = False) -> str:
    """Says in words what is missing, changed or added since the world was built; "" if it is whole.

    Data may be large, so a file is hashed only if it was touched after the build, or if `thorough` is set.
    """
    try:
        about = json.loads((folder / MANIFEST).read_text())
        sealed, built = (folder / MANIFEST).stat().st_ctime_ns, dict(about["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{MANIFEST} is gone or cannot be read" if folder.is_dir() else "is gone"
    hashed = False
    for name, digest in built.items():
        try:
            touched = (folder / name).stat().st_ctime_ns >= sealed  # `>=`: the kernel's clock has coarse ticks
            if (thorough or touched) and file_sha256(folder / name) != digest:
                return f"{name} is not the file that was prepared"
        except OSError:
            return f"{name} is gone or cannot be read"
        hashed = hashed or touched
    for path in (path for part in PARTS for path in (folder / part).rglob("*") if path.is_file()):
        if path.relative_to(folder).as_posix() not in built:
            return f"{path.relative_to(folder)} was added"
    if hashed:
        with suppress(OSError):  # the cache may be read-only
            os.utime(folder / MANIFEST)  # the touched files are unchanged, so that they need not be hashed again
    return ""


def forget(folder: Path) -> None:
    """Mark a world as not built, so that the next one who asks for it builds it again."""
    with FileLock(f"{folder}.lock"):
        (folder / MANIFEST).unlink(missing_ok=True)


def build_of(folder: Path) -> str:
    """The random id of the build that made this world; "" if there is no world, or an older version built it."""
    try:
        return str(json.loads((folder / MANIFEST).read_text()).get("build", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def recorded_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each file, by its name below the world's folder, as recorded when the data were built."""
    return json.loads((folder / MANIFEST).read_text())["files"]


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_hashes(world: Path) -> dict[str, str]:
    """sha256 of every file of a world's data as it is now, by its name below the world's folder."""
    return {f"{part}/{name}": digest for part in PARTS for name, digest in folder_hashes(world / part).items()}


def folder_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every regular file below a folder, by relative name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
