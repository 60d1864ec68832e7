"""Reads files of a folder that somebody else made. Nothing in it can make us read or write elsewhere.

Names are relative to the folder and consist of plain parts. Only regular files of bounded size are read, and no link on
the way to them is followed. git_reader.py reads repositories.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.core.errors import UserError

LARGEST = 64 << 20  # bytes of one file that is read whole
LONGEST_LOG = 1 << 30  # bytes of an event log
MOST = 20_000  # names in one folder
DEEPEST = 16  # parts of a name
_PART = re.compile(r"[\w.][\w.+=@ (),~#%&'-]{0,199}\Z")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Foreign(UserError):
    """Something in a foreign folder is refused; the text says why, and does not contain its name."""


class Missing(Foreign):
    """There is no file of that name."""


class Closed(Foreign):
    """This user may not read the file."""


def is_plain(name: str) -> bool:
    """Whether a name leads to something below its folder, and not into a .git folder."""
    parts = name.split("/")
    return len(parts) <= DEEPEST and all(
        _PART.match(part) and part not in (".", "..") and part.rstrip(". ").lower() != ".git" for part in parts
    )


def opened(folder: Path, name: str, most: int = LARGEST) -> int:
    """An open handle on a regular file, reached one component at a time so that no link on the way is followed.

    Raises:
        Missing, Closed, Foreign: it does not exist, may not be read, is not a regular file or has over `most` bytes.
    """
    above: int | None = None
    parts = name.split("/")
    try:
        for part in (str(folder), *parts[:-1]):
            below = os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=above)
            if above is not None:
                os.close(above)
            above = below
        handle = os.open(parts[-1], _FLAGS, dir_fd=above)
    except FileNotFoundError:
        raise Missing("missing") from None
    except PermissionError:
        raise Closed("this user may not read it") from None
    except (OSError, ValueError) as error:  # ELOOP: a link; ENXIO: a socket; ENOTDIR; a null byte
        raise Foreign(f"not a plain file ({getattr(error, 'strerror', None) or error})") from None
    finally:
        if above is not None:
            os.close(above)
    info = os.fstat(handle)
    problem = ""
    if not stat.S_ISREG(info.st_mode):
        problem = "not a plain file"
    elif info.st_size > most:
        problem = f"too large: {info.st_size} bytes, at most {most} allowed"
    if problem:
        os.close(handle)
        raise Foreign(problem)
    return handle


def read(folder: Path, name: str, most: int = LARGEST) -> bytes:
    """The bytes of a file below a folder.

    Raises:
        Missing, Foreign: as `opened`, or the name is not plain.
    """
    if not is_plain(name):
        raise Foreign("not a plain name")
    with os.fdopen(opened(folder, name, most), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Foreign(f"larger than {most} bytes")
    return data


def read_file(path: Path, most: int = LARGEST) -> bytes:
    """`read` for a path whose folder the caller trusts."""
    return read(path.parent.resolve(), path.name, most)


def names(folder: Path, suffix: str = "") -> list[str]:
    """The plain names of regular files directly in a folder, sorted; empty if the folder is missing or a link.

    Raises:
        Foreign: the folder has more than MOST entries.
    """
    if folder.is_symlink() or not folder.is_dir():
        return []
    found = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count == MOST:
                raise Foreign(f"{folder}: more than {MOST} files")
            if entry.name.endswith(suffix) and is_plain(entry.name) and entry.is_file(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found)


def walk(folder: Path, most: int) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder, as its path there and the result of lstat.

    Raises:
        Foreign: something is neither a regular file nor a folder, or there are more than `most` entries.
    """
    count, waiting = 0, [""]
    while waiting:
        top = waiting.pop()
        with os.scandir(folder / top) as entries:
            for entry in entries:
                count += 1
                name, info = f"{top}{entry.name}", entry.stat(follow_symlinks=False)
                if count > most:
                    raise Foreign(f"more than {most} files")
                if stat.S_ISDIR(info.st_mode):
                    waiting.append(f"{name}/")
                elif stat.S_ISREG(info.st_mode):
                    yield name, info
                else:
                    raise Foreign(f"{name}: not a plain file")


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write foreign files into a folder of our own.

    Raises:
        Foreign: a name would lead out of it.
    """
    for name, data in files.items():
        if not is_plain(name):
            raise Foreign(f"{name!r}: not a plain name inside a folder")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
