"""The three kinds of error a person can meet; anything else is a bug."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, *_CLOSED)


class UserError(Exception):
    """Something the person gave is wrong. One line: what, where, how to mend. Exit 2."""


class InfrastructureError(Exception):
    """A tool the loop needs is broken (key, sandbox, git, disk). The session stops and resumes later."""


class BudgetSpent(Exception):
    """The next model call would pass a bound the person set (--max-usd, --max-tokens, --hours)."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it, newest first, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def mend(error: OSError) -> str:
    """What the system says of a place on a disk, and what helps."""
    if error.errno in _CLOSED:
        return f"{error.strerror}; this user may not do that there: let its owner do it, or name another place"
    return f"{error.strerror}; make room (or mend the disk) and resume"


@contextmanager
def disk_named() -> Iterator[None]:
    """A disk that is full, broken or closed to this user is said in one line, whoever noticed it first.

    Raises:
        InfrastructureError: in the place of the OSError of such a disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = error.filename2 or error.filename
        raise InfrastructureError(f"{f'{where}: ' if where else ''}{mend(error)}") from None
