"""Finds the file that an answer means, by the lines above a change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_TAG = re.compile(r"</?\w+(?:\s[^<>]*)?>")
_PATH = re.compile(r"[\w.+~/-]+")
_DRESS = "#*`'\"_:-> \t"  # characters around names, as in headings and lists
_LABEL = re.compile(r"(?:file ?(?:name|path)?|path)\s*:\s*|\d+[.)]\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Names:
    """The files of an edit, as the model was shown them."""

    editable: tuple[str, ...]
    read_only: tuple[str, ...] = ()

    def known(self, path: str) -> str | None:
        """The file that a path means: a name, an absolute path that ends in one, or the last part of just one name."""
        plain = str(PurePosixPath(path))
        shown = (*self.editable, *self.read_only)
        if plain in shown:
            return plain
        if plain.startswith(("/", "~/")):
            return max((name for name in shown if plain.endswith(f"/{name}")), key=len, default=None)
        same = [name for name in shown if PurePosixPath(name).name == plain]
        return same[0] if len(same) == 1 else None


def file_above(lines: Sequence[str], names: Names, last: str | None) -> str | None:
    """The file that the lines above a change name, even if the model was not shown it.

    If they name none: the only editable file, or else `last`, the one that was changed last.
    """
    for line in reversed(lines):
        if not line.strip() or (line.lstrip().startswith("```") and not _mentioned(line, names)):
            continue
        named = named_in(line, names)
        if named is not None:
            return named
        break
    return names.editable[0] if len(names.editable) == 1 else last


def named_in(line: str, names: Names) -> str | None:
    """The one file that a line names; if it names several, the only editable one of them, or None."""
    found = _mentioned(line, names)
    ours = [name for name in found if name in names.editable]
    if len(ours) == 1 or len(found) == 1:
        return [*ours, *found][0]
    if found:
        return None
    bare = _LABEL.sub("", _TAG.sub(" ", line).strip(_DRESS)).strip(_DRESS)
    if bare and not bare.split()[1:] and ("/" in bare or "." in bare.strip(".")):
        return str(PurePosixPath(bare))
    return None


def _mentioned(line: str, names: Names) -> list[str]:
    found = (names.known(path.rstrip(".")) for path in _PATH.findall(line) if path.strip("."))
    return list(dict.fromkeys(name for name in found if name is not None))
