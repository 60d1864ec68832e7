"""The result files that a template's own command wrote: found by a pattern, copied, and read.

They are never trusted. Four formats are read: JSON (numbers by name, nested or not, or a list of such objects), JSON
lines, CSV, and TensorBoard's event files. Not here: what becomes of the numbers (reports.py).
"""

from __future__ import annotations

import csv
import io
import math
import os
import stat
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agent.core.manifest import Manifest
from agent.core.numbers import number_of
from agent.lab.measuring import selfreport, tfevents
from agent.lab.measuring.scratch import TrainingPaths
from agent.sandbox import harvest

FOLDER = "results"  # folder of the copies among the harvested files
MOST_NAMES = 50_000  # files and folders that are looked through
MOST_FILES = 20  # files that are copied; TensorBoard begins a new one now and then
LARGEST = 32 << 20  # bytes of one file
MAX_ROWS = 200_000
MAX_COLUMNS = 256
COUNTERS = {"epoch", "epochs", "step", "steps", "global_step", "iteration", "iter", "batch", "time", "timestamp"}
Column = list[float | None]  # one entry a row; None: no number in that row


def clear(manifest: Manifest, paths: TrainingPaths, seed: int) -> None:
    """Before the command starts, remove files that match the pattern, because a repository may contain old results."""
    for name in _found(manifest, paths, seed):
        (paths.code / name).unlink()


def keep(manifest: Manifest, paths: TrainingPaths, seed: int) -> None:
    """After the command has ended, copy its results to the other harvested files."""
    for name in _found(manifest, paths, seed)[:MOST_FILES]:
        harvest.copy_files(paths.code, paths.kept / FOLDER, {name: LARGEST}, max_total=LARGEST)


def read(kept: Path, manifest: Manifest, condition: str) -> selfreport.Reported:
    """The numbers of the copied results under plain names; a series gives its last number, and a curve.

    Raises:
        Unharvestable: there is no file, several that are not TensorBoard's, or one that cannot be read.
    """
    assert manifest.command
    folder = kept / FOLDER
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise harvest.Unharvestable("no file that may be read is there after the command has ended")
    if "tfevents" in files[0].name:
        return _series(tfevents.scalars(path.read_bytes() for path in files))
    if len(files) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in files[:3])
        raise harvest.Unharvestable(f"{len(files)} files are there ({names}); name one")
    return read_file(files[0].name, files[0].read_bytes(), condition)


def read_file(name: str, data: bytes, condition: str = "") -> selfreport.Reported:
    """The numbers of one file; the ending of its name says its format.

    Raises:
        Unharvestable: it is not in that format.
    """
    if "tfevents" in name:
        return _series(tfevents.scalars([data]))
    if name.endswith((".csv", ".tsv")):
        return _series(_table(data, "\t" if name.endswith(".tsv") else ","))
    if name.endswith(".jsonl"):
        lines = [line for line in data.splitlines() if line.strip()]
        return _series(_rows(harvest.parse_json(line) for line in lines[:MAX_ROWS]))
    value = harvest.parse_json(data, max_bytes=LARGEST)
    if isinstance(value, list):
        return _series(_rows(value))
    if isinstance(value, Mapping) and value and all(_is_series(item) for item in value.values()):
        return _series({str(key): [number_of(x) for x in item] for key, item in value.items()})
    return selfreport.final_info(value, condition)


def _found(manifest: Manifest, paths: TrainingPaths, seed: int) -> list[str]:
    """Names, relative to the copy of the code, of the plain files that match the pattern of results.

    The command could write anywhere in that copy, so no link is followed on the way.
    """
    command = manifest.command
    assert command
    parts = (paths.out_name if command.in_out else command.folder, command.pattern(seed))
    return matching(paths.code, "/".join(part for part in parts if part))


def matching(folder: Path, pattern: str) -> list[str]:
    """Names of the plain files below a folder that match a pattern; `*` matches within one part of a path."""
    wanted, found, seen = pattern.split("/"), [], 0
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        try:
            entries = sorted(os.scandir(folder.joinpath(*parts)), key=lambda entry: entry.name)
        except OSError:
            continue
        seen += len(entries)
        if seen > MOST_NAMES:
            break
        for entry in entries:
            if not fnmatchcase(entry.name, wanted[len(parts)]) or not harvest.SAFE_PART.fullmatch(entry.name):
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            here = (*parts, entry.name)
            if stat.S_ISDIR(mode) and len(here) < len(wanted):
                waiting.append(here)
            elif stat.S_ISREG(mode) and len(here) == len(wanted):
                found.append("/".join(here))
    return sorted(found)


# ---------------------------------------------------------------- forms


def _table(data: bytes, between: str) -> dict[str, Column]:
    """The columns of a CSV table with a header, by name."""
    try:
        text = data.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text), delimiter=between, strict=True)
        header = [name.strip() for name in next(rows, [])][:MAX_COLUMNS]
        table: dict[str, Column] = {name: [] for name in header}
        if not any(header) or len(table) != len(header):
            raise harvest.Unharvestable("the first line does not give each column a name of its own")
        for count, row in enumerate(rows):
            if count == MAX_ROWS:
                raise harvest.Unharvestable(f"more than {MAX_ROWS} rows")
            if any(cell.strip() for cell in row):
                for place, name in enumerate(header):
                    table[name].append(number_of(row[place]) if place < len(row) else None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise harvest.Unharvestable(f"not a table in UTF-8: {error}") from None
    return table


def _rows(values: Iterable[Any]) -> dict[str, Column]:
    """Columns made of a list of objects, one object for each step."""
    table: dict[str, Column] = {}
    for count, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise harvest.Unharvestable("a list whose entries are no objects")
        for key in list(value)[:MAX_COLUMNS]:
            if str(key) in table or len(table) < MAX_COLUMNS:
                column = table.setdefault(str(key), [])
                column += [None] * (count - len(column)) + [number_of(value[key])]
    return table


def _series(table: Mapping[str, Column]) -> selfreport.Reported:
    """The last number of each column, and as curves the columns that hold finite numbers only."""
    said = selfreport.Reported()
    for key, column in table.items():
        numbers, name = [value for value in column if value is not None], selfreport.slug(key)
        if name in COUNTERS:
            continue
        if not numbers:
            said.dropped += 1
        elif len(said.means) < selfreport.MAX_NUMBERS:
            said.means[name] = numbers[-1]
            if len(numbers) > 1 and all(map(math.isfinite, numbers)):
                said.curves[name] = tuple(numbers[i] for i in selfreport.thinned(len(numbers), selfreport.MAX_POINTS))
    return said


def _is_series(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and len(value) <= MAX_ROWS
        and not any(isinstance(item, list | Mapping) for item in value)
    )
