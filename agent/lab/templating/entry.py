"""Finds which files of a repository a command runs, and which of them a model may edit. Only reads."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

MOST_EDITED = 60_000  # characters of all editable files together, because the editor is shown all of them
# Files that by their names measure or load data; a model may not change how results are computed.
NOT_EDITED = re.compile(
    r"(?i)(?:^|_)(?:eval|evaluate|evaluation|metrics?|scor(?:e|ing)|test|tests|data|datasets?|dataloaders?)(?:_|$)"
)
SEED = re.compile(r"environ(?:\.get)?\s*[\[(]\s*['\"]SEED['\"]|getenv\(\s*['\"]SEED['\"]|\$\{?SEED\b")


def started(command: str, files: Mapping[str, bytes]) -> list[str]:
    """The scripts that a command runs: Python files, modules after -m, shell scripts, and the scripts they name."""
    found: list[str] = []
    waiting = list(_named(command, files))
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        if name.endswith((".sh", ".bash")):
            for line in _text(files[name]).splitlines():
                waiting += [] if line.lstrip().startswith("#") else _named(line, files)
    return found


def closure(scripts: list[str], files: Mapping[str, bytes]) -> tuple[list[str], set[str]]:
    """The Python files that the scripts import, directly or not, and the names of the packages that are imported.

    The files include the scripts; those that are fewer imports away come first.
    """
    found: list[str] = []
    packages: set[str] = set()
    waiting = [name for name in scripts if name.endswith(".py")]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        for module, level in _imports(_text(files[name])):
            mine = _module_files(module, level, name, files)
            waiting += mine
            if not mine and not level:
                packages.add(module.partition(".")[0])
    return found, packages


def editable(scripts: list[str], code: list[str], files: Mapping[str, bytes]) -> list[str]:
    """The files that a model may edit: the scripts and what they import, except files that measure or load data.

    They have at most MOST_EDITED characters together; the first is taken whatever its size.
    """
    wanted = dict.fromkeys([*(s for s in scripts if s.endswith(".py")), *code])
    chosen: list[str] = []
    size = 0
    for name in wanted:
        text = _text(files[name])
        plain = PurePosixPath(name).stem
        if (name not in scripts and NOT_EDITED.search(plain)) or not text.strip():
            continue
        if not chosen or size + len(text) <= MOST_EDITED:
            chosen.append(name)
            size += len(text)
    return chosen or [name for name in scripts if files[name].strip()][:1]


def reads_seed(files: Mapping[str, bytes]) -> bool:
    """Whether some Python or shell file reads the environment variable SEED."""
    return any(SEED.search(_text(data)) for name, data in files.items() if name.endswith((".py", ".sh", ".bash")))


def _named(line: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """The files of the repository that a command line names."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    for before, word in zip(["", *words], words, strict=False):
        plain = word.removeprefix("./").strip(";&|()")
        if before == "-m" and (mine := _module_files(plain, 0, "", files)):
            main = f"{plain.replace('.', '/')}/__main__.py"
            yield main if main in files else mine[-1]
        elif plain.endswith((".py", ".sh", ".bash")):
            # the line may change to another folder first
            there = [name for name in files if name == plain or name.endswith(f"/{plain}")]
            yield from [plain] if plain in there else there[:1] if len(there) == 1 else []


def _module_files(module: str, level: int, importer: str, files: Mapping[str, bytes]) -> list[str]:
    """The files of the repository that an import executes; none if the module is not of the repository."""
    folder = PurePosixPath(importer).parent
    if level:
        for _ in range(level - 1):
            folder = folder.parent
        places = [folder]
    else:
        places = [folder, PurePosixPath("."), PurePosixPath("src")]
    parts = module.split(".") if module else []
    for place in places:
        mine = []
        for n in range(1, len(parts) + 1):
            stem = (place / "/".join(parts[:n])).as_posix()
            mine += [name for name in (f"{stem}/__init__.py", f"{stem}.py") if name in files]
        whole = (place / "/".join(parts)).as_posix()
        if mine or any(name.startswith(f"{whole}/") and name.endswith(".py") for name in files if parts):
            return mine
    return []


def _imports(text: str) -> Iterator[tuple[str, int]]:
    """Imported modules with the level of a relative import; `from a import b` gives a and a.b, as b may be a module."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if base:
                yield base, node.level
            for alias in node.names:
                yield f"{base}.{alias.name}".strip("."), node.level


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
