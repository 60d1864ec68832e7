"""Replaces stdout and stderr (`prepare`), so that every print of the program is safe.

Control characters in a text are made visible; characters that the terminal's encoding lacks are replaced; a closed
pipe or a full disk ends the program cleanly. Standard library and agent/core only.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import NoReturn, TextIO

from agent.app.exits import INFRASTRUCTURE, Terminated
from agent.core.errors import InfrastructureError
from agent.core.program import NAME
from agent.core.visible import visible

ERRORS = "agent.plain"  # name of the codec error handler that replaces characters which the encoding lacks
# What it writes instead; of any other character it writes the escape.
_PLAIN = {
    "±": "+-",
    "…": "...",
    "×": "x",
    "→": "->",
    "–": "-",
    "—": "-",
    "’": "'",
    "█": "#",
    "░": ".",
    "≤": "<=",
    "≥": ">=",
}


class Terminal(io.TextIOWrapper):
    """A text stream that makes control characters visible."""

    def write(self, text: str) -> int:
        """Prints a text with its control characters made visible."""
        self.draw(visible(text))
        return len(text)

    def draw(self, text: str) -> None:
        """Prints a text as it is, for control codes of this program's own.

        Raises:
            Terminated: the reader of the pipe has closed it; later output is discarded.
            InfrastructureError: the file or disk has no room.
        """
        try:
            super().write(text)
        except OSError as error:
            self._end(error)

    def flush(self) -> None:
        """Writes out what is buffered.

        Raises:
            Terminated, InfrastructureError: as `draw`.
        """
        try:
            super().flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> NoReturn:
        """Sends all further output to /dev/null, so that flushing the rest at exit does not fail again; then raises."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        if isinstance(error, BrokenPipeError):
            raise Terminated from None
        raise InfrastructureError(f"what is printed cannot be written: {error.strerror}; make room") from None


def draw(out: TextIO, text: str) -> None:
    """Prints control codes of this program's own, on a Terminal or on a plain stream that a test passes."""
    (out.draw if isinstance(out, Terminal) else out.write)(text)


def prepare() -> None:
    """Replaces stdout and stderr by Terminals.

    A standard stream that was closed is opened to /dev/null; otherwise the next file that is opened would take its
    number, and prints would go into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
    codecs.register_error(ERRORS, _plainer)
    sys.stdout = _over(sys.stdout, 1)
    sys.stderr = _over(sys.stderr, 2)


def finish(status: int) -> int:
    """Flushes both streams; returns the exit status, an error's if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Terminated:
            pass
        except InfrastructureError as error:
            print(f"{NAME}: {error}", file=sys.stderr)
            status = status or INFRASTRUCTURE
    return status


def _over(stream: TextIO | None, number: int) -> Terminal:
    if not isinstance(stream, io.TextIOWrapper):  # it was closed
        return Terminal(os.fdopen(number, "wb", closefd=False), encoding="utf-8", errors=ERRORS)
    encoding, lines, through = stream.encoding, stream.line_buffering, stream.write_through
    return Terminal(stream.detach(), encoding=encoding, errors=ERRORS, line_buffering=lines, write_through=through)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("unicode_escape").decode() for c in missing), error.end
