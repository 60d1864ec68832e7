"""The three kinds of errors that are reported to a person in one line. Any other exception is a bug."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, *_CLOSED)


class UserError(Exception):
    """Something that the person gave is wrong. The text is one line: what, where, how to fix it. Exit status 2."""


class InfrastructureError(Exception):
    """Something that the session needs does not work (key, sandbox, git, disk). It stops, and can be resumed."""


class BudgetSpent(Exception):
    """The next model call would exceed a bound that the person set (--max-usd, --max-tokens, --hours)."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it, newest first, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def mend(error: OSError) -> str:
    """What the system says about a place on a disk, and what a person can do about it."""
    if error.errno in _CLOSED:
        return f"{error.strerror}; this user may not do that there: let its owner do it, or name another place"
    return f"{error.strerror}; make room (or repair the disk) and resume"


@contextmanager
def disk_named() -> Iterator[None]:
    """Report a disk that is full, broken or not writable in one line, whichever code within met it.

    Raises:
        InfrastructureError: instead of the OSError that such a disk causes.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = error.filename2 or error.filename
        raise InfrastructureError(f"{f'{where}: ' if where else ''}{mend(error)}") from None
