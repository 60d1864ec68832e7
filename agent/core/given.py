"""Reads files and folders that a person names on the command line, within bounds: plain files, JSON, TOML."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from agent.core.errors import UserError

LARGEST = 16 << 20  # bytes of a file
DEEPEST = 32  # levels of objects and arrays in a JSON file


def read_given(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a file; links are followed.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is a folder or a pipe, is larger than `most` bytes, or may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # NONBLOCK: opening a pipe would wait
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file that can be read") from None
    info = os.fstat(handle)
    problem = ""
    if stat.S_ISDIR(info.st_mode):
        problem = "a folder, not a file; name the file inside it"
    elif not stat.S_ISREG(info.st_mode):
        problem = "not a plain file (a pipe or a device); copy what it gives into one"
    elif info.st_size > most:
        problem = f"{info.st_size >> 20} MB; at most {most >> 20} MB are read"
    if problem:
        os.close(handle)
        raise UserError(f"{path}: {problem}")
    with os.fdopen(handle, "rb") as file:
        return file.read(most)


def place_given(name: str | Path, option: str) -> Path:
    """The absolute path of a folder, which need not exist yet. `option` is the option that named it.

    Raises:
        UserError: its links form a circle, or it exists and is not a folder.
    """
    try:
        place = Path(name).resolve()
    except (OSError, RuntimeError) as error:  # pathlib raises RuntimeError for a circle of links
        said = error.strerror if isinstance(error, OSError) else "its links lead in a circle"
        raise UserError(f"{option} {name}: {said}; name a folder") from None
    if os.path.lexists(place) and not place.is_dir():
        raise UserError(f"{option} {name}: not a folder")
    return place


def json_given(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        FileNotFoundError, UserError: as `read_given`.
        UserError: also if it is not JSON, has a name twice in one object, or nests too deep.
    """
    try:
        text = read_given(path).decode("utf-8-sig")
        value = plain_json(text)
        _check_kept(value, DEEPEST)
        return value
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits is a ValueError too
        raise UserError(f"{path}: not valid JSON ({_said(error)}); repair the file") from None


def _check_kept(value: Any, depth: int) -> None:
    """Check that our own files can hold a value.

    Raises:
        ValueError: it nests too deep, or has a text that cannot be written as UTF-8.
    """
    if isinstance(value, str):
        value.encode("utf-8")  # fails for half of a surrogate pair, which JSON can hold as \ud800
    elif isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"it nests deeper than {DEEPEST} levels")
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_kept(item, depth - 1)


def toml_given(data: bytes, where: str) -> dict[str, Any]:
    """The content of a TOML file, given as bytes; `where` names it in the error.

    Raises:
        UserError: it is not TOML.
    """
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not valid TOML: {_said(error)}") from None


def _said(error: Exception) -> str:
    """A parser's message in one line, without Python's advice on how to raise the limit for long integers."""
    return " ".join(str(error).partition(" for integer string conversion")[0].split())


class NotPlain(ValueError):
    """Something that Python's JSON reader would accept, and that has no single meaning or no finite value."""


def plain_json(text: str, *, finite: bool = True) -> Any:
    """The value of a JSON text. With `finite=False`, NaN and infinite numbers are returned as such floats.

    Raises:
        NotPlain: an object has a name twice, or a number is not finite.
        ValueError, RecursionError: it is not JSON, an integer has thousands of digits, or it nests too deep.
    """
    return json.loads(
        text,
        parse_constant=_no_constant if finite else float,
        parse_float=_finite if finite else float,
        object_pairs_hook=_once,
    )


def _no_constant(name: str) -> Any:
    raise NotPlain(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotPlain(f"{text[:40]} is beyond every float")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotPlain(f"{twice[:80]!r} is given twice in one object")
    return found
