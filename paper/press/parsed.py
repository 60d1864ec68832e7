"""Reads a PDF that nobody vouches for, in a process of its own with bounds on time and memory (parsed_worker.py).

A few hundred bytes can keep a PDF parser busy for hours or make it take all memory. Such a file counts as unreadable.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

WORKER = Path(__file__).with_name("parsed_worker.py")
WALL_S = 120.0  # for one PDF; the worker bounds its own processor time and memory
LARGEST = 64 << 20  # bytes of the worker's answer
_KEPT = 200  # answers that this process keeps, because one verification reads some PDFs several times
_answers: dict[tuple[str, str], Any] = {}


def page_texts(pdf: bytes) -> list[str] | None:
    """The text of each page; None if it cannot be read as a PDF."""
    return _asked("texts", pdf)


def strokes(pdf: bytes) -> list[str] | None:
    """The operators and operands that draw the first page, as words; None if it cannot be read as a PDF."""
    return _asked("strokes", pdf)


def page_count(pdf: bytes) -> int:
    """The number of pages.

    Raises:
        ValueError: it is not a PDF that can be read.
    """
    count: int | None = _asked("count", pdf)
    if count is None:
        raise ValueError("not a readable PDF")
    return count


def _asked(what: Literal["texts", "strokes", "count"], pdf: bytes) -> Any:
    key = (what, hashlib.sha256(pdf).hexdigest())
    if key not in _answers:
        if len(_answers) >= _KEPT:
            _answers.clear()
        _answers[key] = _read(what, pdf)
    return _answers[key]


def _read(what: str, pdf: bytes) -> Any:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(pdf)
        given.seek(0)
        command = [sys.executable, "-I", str(WORKER), what, str(LARGEST)]
        try:
            done = subprocess.run(command, stdin=given, stdout=out, stderr=subprocess.DEVNULL, timeout=WALL_S, env={})
        except subprocess.TimeoutExpired:
            return None
        out.seek(0)
        return json.loads(out.read()) if done.returncode == 0 else None
