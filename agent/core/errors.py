"""The three kinds of error a person can meet; anything else is a bug."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)


class UserError(Exception):
    """Something the person gave is wrong. One line: what, where, how to mend. Exit 2."""


class InfrastructureError(Exception):
    """A tool the loop needs is broken (key, sandbox, git, disk). The session stops and resumes later."""


class BudgetSpent(Exception):
    """The next model call would pass a bound the person set (--max-usd, --max-tokens, --hours)."""


@contextmanager
def disk_named() -> Iterator[None]:
    """A disk that is full or broken is said in one line, whoever noticed it first.

    Raises:
        InfrastructureError: in the place of the OSError of such a disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = error.filename2 or error.filename
        raise InfrastructureError(
            f"{f'{where}: ' if where else ''}{error.strerror}; make room (or mend the disk) and resume"
        ) from None
