"""What lies beside a script and above it, and how it is taken along: small files as assets, data where they lie.

Reads names and sizes alone; which of it a template is made of is v1.py's.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from agent.core.errors import UserError
from agent.storage import foreign

MOST_DATA = 1_000_000  # files of a data folder
LARGE = (200, 4 << 20)  # files, bytes: a folder above one of them that holds no code is data
UP = re.compile(r"(?:\./)?(?:\.\./)+([A-Za-z0-9_][\w.-]*)")


def data_beside(folder: Path) -> dict[str, Path]:
    """Folders beside the script that are too large to be kept with every session, by name; none of them holds code.

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
    """Name, size and time of change of every file of a data folder."""
    files = sorted(p for p in place.rglob("*") if p.is_file())
    return [(p.relative_to(place).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files]


def check_plain(place: Path) -> None:
    try:
        if place.is_symlink():
            raise foreign.Foreign("a link")
        for _ in foreign.walk(place, MOST_DATA):
            pass
    except foreign.Foreign as problem:
        raise UserError(f"{place}: {problem}; put a copy there, so that it can be taken along") from None


def left_out(folder: str, *, top: bool) -> bool:
    """Of a folder's name: runs, hidden ones, and (`top`: beside the script) its LaTeX."""
    return folder.startswith((".", "__pycache__")) or (top and (folder == "latex" or folder.startswith("run_")))


def upward(file: Path) -> list[str]:
    """First names of relative paths that climb out of the folder."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return []
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return sorted({match[1] for text in texts if (match := UP.match(text))})
