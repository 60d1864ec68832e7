"""The one way from this process to a terminal, a pipe or a file: what is printed is visible, and an end is an end.

`prepare` puts it in the place of stdout and stderr, so that no print has to think of control characters, of a terminal
that knows ASCII alone, or of a reader that is gone. Standard library only.
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

ERRORS = "agent.plain"  # name of the way to write a character that the encoding lacks
# For an encoding without them; any other character is written as its escape.
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
    """Where words are printed."""

    def write(self, text: str) -> int:
        """Print what a person may see of it."""
        self.draw(visible(text))
        return len(text)

    def draw(self, text: str) -> None:
        """Print with control codes, which are our own.

        Raises:
            Terminated: nobody reads any more; what is printed from here on is lost.
            InfrastructureError: what it goes to has no room.
        """
        try:
            super().write(text)
        except OSError as error:
            self._end(error)

    def flush(self) -> None:
        """
        Raises:
            Terminated, InfrastructureError: as `draw`.
        """
        try:
            super().flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> NoReturn:
        """Let the rest go nowhere, so that what still waits is not complained of again."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        if isinstance(error, BrokenPipeError):
            raise Terminated from None
        raise InfrastructureError(f"what is printed cannot be written: {error.strerror}; make room") from None


def draw(out: TextIO, text: str) -> None:
    """Print with control codes of our own, on a Terminal or on what stands for one."""
    (out.draw if isinstance(out, Terminal) else out.write)(text)


def prepare() -> None:
    """Stand in for stdout and stderr. One that was closed goes nowhere, or the next file to be opened would be it."""
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
    """Print what still waits; the exit status, which that may change."""
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
