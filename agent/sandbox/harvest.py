"""Reads named files, JSON and text that hostile code left behind. Every size is bounded.

Links, devices and names that start with a dot are refused. agent/lab/measuring/artefact.py reads tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.core.given import NotPlain, plain_json
from agent.storage import foreign
from agent.storage.atomic import open_beside

CHUNK = 1 << 20
SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@ -]{0,127}")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|.)?", re.S)
# The possessive quantifiers (++, *+) match a string as a whole. Without them, unclosed quotes would take n squared
# time.
_BRACKETS = re.compile(rb'[\[\]{}]|"(?:[^"\\]++|\\.)*+"?', re.S)
_PROGRESS = re.compile(r"\d{1,3}%\s?\||\b(?:it|s|steps?|examples?|[kKMG]?i?B)/(?:s|it)\s*[\],]|^\s*[\d?]+it \[")


class Unharvestable(Exception):
    """Something that was found cannot be used; the text is for the agent."""


@dataclass
class Harvest:
    """The result of copying: the sha256 of each copied file, and for each other file why it was not copied."""

    sha256: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------- files


def copy_files(source: Path, target: Path, wanted: Mapping[str, int], *, max_total: int, mode: int = 0o644) -> Harvest:
    """Copy regular files by their paths below `source`.

    `wanted` maps each path to the largest size of its file, in bytes; all files together may have `max_total` bytes.
    """
    harvest = Harvest()
    left = max_total
    for name, max_bytes in wanted.items():
        try:
            copied, digest = _copy(source, target, name, max_bytes, left, mode)
        except Unharvestable as problem:
            harvest.problems[name] = str(problem)
        else:
            harvest.sha256[name] = digest
            left -= copied
    return harvest


def listing(source: Path, suffixes: Iterable[str], *, max_files: int = 100) -> list[str]:
    """The names of plain files directly in a folder with one of the suffixes.

    Names with odd characters are left out.
    """
    endings = tuple(suffixes)
    found: list[str] = []
    with os.scandir(source) as entries:
        for entry in entries:
            if len(found) == max_files:
                break
            plain = SAFE_PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            if plain and entry.name.endswith(endings):
                found.append(entry.name)
    return sorted(found)


def read_bytes(source: Path, name: str, max_bytes: int) -> bytes:
    """One file's bytes, read as carefully as `copy_files` reads.

    Raises:
        Unharvestable: it is missing, not a plain file, or larger than allowed.
    """
    handle = _open(source, name, max_bytes)
    with os.fdopen(handle, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise Unharvestable(f"larger than {max_bytes} bytes")
    return data


def read_tail(source: Path, name: str, max_bytes: int) -> bytes:
    """The last `max_bytes` of a file of any size.

    Raises:
        Unharvestable: it is missing or not a plain file.
    """
    with os.fdopen(_open(source, name, sys.maxsize), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - max_bytes))
        return file.read(max_bytes)


def _copy(source: Path, target: Path, name: str, max_bytes: int, left: int, mode: int) -> tuple[int, str]:
    bound = min(max_bytes, left)
    handle = _open(source, name, bound)
    place = target / name
    digest, copied = hashlib.sha256(), 0
    with os.fdopen(handle, "rb") as file:
        place.parent.mkdir(parents=True, exist_ok=True)
        out, beside = open_beside(place)
        try:
            with os.fdopen(out, "wb") as copy:
                while chunk := file.read(CHUNK):
                    copied += len(chunk)
                    if copied > bound:  # it grew after its size was checked
                        raise Unharvestable(f"larger than {bound} bytes")
                    digest.update(chunk)
                    copy.write(chunk)
                copy.flush()
                os.fchmod(copy.fileno(), mode)
                os.fsync(copy.fileno())  # a record will contain its hash
                os.replace(beside, place)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    return copied, digest.hexdigest()


def _open(source: Path, name: str, max_bytes: int) -> int:
    """Open a plain file without following a link; a file with a second (hard) link is refused."""
    if not all(SAFE_PART.fullmatch(part) for part in name.split("/")):
        raise Unharvestable("a name with odd characters")
    try:
        handle = foreign.opened(source, name, max_bytes)
    except foreign.Foreign as problem:
        raise Unharvestable(str(problem)) from None
    if (links := os.fstat(handle).st_nlink) != 1:
        os.close(handle)
        raise Unharvestable(f"a hard link ({links} names)")
    return handle


# ---------------------------------------------------------------- JSON


def dumps(value: Any) -> str:
    """JSON with sorted keys and indentation, without NaN."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def parse_json(data: bytes, *, max_bytes: int = 1 << 20, max_depth: int = 16, finite: bool = True) -> Any:
    """Parse hostile JSON. With `finite=False`, NaN and infinite numbers are returned as such floats.

    Raises:
        Unharvestable: it is too large or too deep, or is not UTF-8 or JSON, or has NaN, infinity, or a name twice in an
            object.
    """
    if len(data) > max_bytes:
        raise Unharvestable(f"JSON of {len(data)} bytes; at most {max_bytes} allowed")
    if _depth(data) > max_depth:
        raise Unharvestable(f"JSON nested deeper than {max_depth} levels")
    try:
        return plain_json(data.decode("utf-8"), finite=finite)
    except NotPlain as problem:
        raise Unharvestable(str(problem)) from None
    except (ValueError, RecursionError) as error:  # ValueError also: an integer of thousands of digits
        raise Unharvestable(f"not JSON: {str(error)[:200]}") from None


def _depth(data: bytes) -> int:
    """An upper bound of the nesting, by counting brackets outside of strings; the parser would recurse."""
    depth = deepest = 0
    for token in _BRACKETS.finditer(data):
        byte = token[0][:1]
        if byte != b'"':
            depth += 1 if byte in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest


# ---------------------------------------------------------------- text


def clean(text: str) -> str:
    """Log text for a person or a prompt, without colours, control characters, overwritten lines and progress bars."""
    kept = []
    for line in _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n"):
        shown = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        if _PROGRESS.search(shown):
            continue
        kept.append(_visible(shown).rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def one_line(text: str, max_chars: int) -> str:
    """Foreign text as one line of at most `max_chars`, without colours, control characters and double spaces."""
    return " ".join(printable(" ".join(text.split())).split())[:max_chars]


def printable(text: str) -> str:
    """One line without colours, cursor movements and control characters."""
    return _visible(_ESCAPES.sub("", text))


def _visible(text: str) -> str:
    return "".join(c for c in text if c == "\t" or unicodedata.category(c)[0] != "C")


def tail(text: str, max_chars: int) -> str:
    """The useful part of a log: the last traceback, or its head and end if it is too long.

    What is dropped is counted.
    """
    if len(text) <= max_chars:
        return text
    start = text.rfind("Traceback (most recent call last):")
    if start > 0 and len(text) - start + 60 <= max_chars:
        return f"[... {start} characters dropped ...]\n{text[start:]}"
    shown = text[max(start, 0) :]
    head = (max_chars - 60) // 4
    end = max_chars - 60 - head
    middle = f"[... {len(text) - head - end} characters dropped ...]"
    return f"{shown[:head]}\n{middle}\n{shown[-end:]}"[:max_chars]


def read_text(path: Path, *, max_bytes: int = 1 << 20) -> str:
    """The cleaned text of a log that we wrote ourselves; of a long one, `max_bytes` of its head and end."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= max_bytes:
                return clean(file.read(max_bytes).decode("utf-8", "replace"))
            head = file.read(max_bytes // 4)
            file.seek(size - 3 * max_bytes // 4)
            end = file.read(3 * max_bytes // 4)
    except FileNotFoundError:
        return ""
    dropped = f"\n[... {size - len(head) - len(end)} bytes dropped ...]\n"
    return clean(head.decode("utf-8", "replace") + dropped + end.decode("utf-8", "replace"))
