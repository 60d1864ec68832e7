"""Files beside and above a script of the AI-Scientist v1 form: which are data, and which may be copied as assets.

Data folders stay where they lie. Only names and sizes are read here, and the script's own text. Not here: what a
template is made of (v1.py).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from agent.core.errors import UserError
from agent.storage import foreign

MOST_DATA = 1_000_000  # files of a data folder
LARGE = (200, 4 << 20)  # (files, bytes): a folder without code that has more of one is data
UP = re.compile(r"(?:\./)?(?:\.\./)+([A-Za-z0-9_][\w.-]*)")


def data_beside(folder: Path) -> dict[str, Path]:
    """The data folders beside the script, by name: those without code that are too large to copy into every session.

    Raises:
        UserError: one is a link, or holds one.
    """
    found = {}
    for place in sorted(folder.iterdir()):
        if place.is_dir() and not left_out(place.name, top=True) and _is_large(place):
            check_plain(place)
            found[place.name] = place.resolve()
    return found


def _is_large(place: Path) -> bool:
    count = size = 0
    for path in place.rglob("*"):
        if path.suffix == ".py":
            return False
        if path.is_file():
            count, size = count + 1, size + path.stat().st_size
    return count > LARGE[0] or size > LARGE[1]


def files_state(place: Path) -> list[tuple[str, int, int]]:
    """Name, size in bytes and time of change (ns) of every file of a data folder."""
    files = sorted(p for p in place.rglob("*") if p.is_file())
    return [(p.relative_to(place).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files]


def check_plain(place: Path) -> None:
    """
    Raises:
        UserError: the folder is a link, or holds a link or too many files.
    """
    try:
        if place.is_symlink():
            raise foreign.Foreign("a link")
        for _ in foreign.walk(place, MOST_DATA):
            pass
    except foreign.Foreign as problem:
        raise UserError(f"{place}: {problem}; put a copy there, so that it can be taken along") from None


def left_out(folder: str, *, top: bool) -> bool:
    """Whether a folder of this name is left out: hidden ones and, at the `top` level, runs and LaTeX."""
    return folder.startswith((".", "__pycache__")) or (top and (folder == "latex" or folder.startswith("run_")))


def upward(file: Path) -> list[str]:
    """The names NAME of all strings ../NAME or ../../NAME in a Python file."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return []
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return sorted({match[1] for text in texts if (match := UP.match(text))})
