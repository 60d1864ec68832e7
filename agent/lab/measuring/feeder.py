"""`python -m agent.lab.measuring.feeder`: writes training rows of a template's feed.py to standard output.

It goes on until nobody reads any more. Standard input gives the request in one line of JSON, and stays open as long as
the runner lives. One block of rows is made while another is written, so that at most three blocks are in memory.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError, UserError
from agent.lab.worlds import load_module

if TYPE_CHECKING:
    import numpy as np

PIPE_BYTES = 1 << 20  # what may wait in the pipe


def main() -> int:
    """Write the rows; returns 0 if the training has enough, 2 for an error to be shown, 1 for any other."""
    request = json.loads(sys.stdin.readline())
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not go among the rows
    threading.Thread(target=_leave_with_the_runner, daemon=True).start()
    with suppress(OSError):  # the system may allow smaller pipes only
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        for block in _ahead(_rows(request)):
            _write(out, block.data.cast("B"))
    except BrokenPipeError:  # the training has all the rows that it wants
        return 0
    except (UserError, InfrastructureError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _leave_with_the_runner() -> None:
    """End this process when the runner's end of standard input is closed."""
    sys.stdin.read()
    os._exit(1)


def _rows(request: dict[str, Any]) -> Iterator[np.ndarray]:
    module = load_module(Path(request["feed"]))
    yield from module.rows(request["settings"], Path(request["truth"]), request["seed"], request["start"])


def _ahead(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same blocks; a thread makes each one while the one before it is used."""
    ready: queue.Queue[np.ndarray | Exception | None] = queue.Queue(1)

    def work() -> None:
        try:
            for block in blocks:
                ready.put(block)
            ready.put(None)
        except Exception as error:
            ready.put(error)

    threading.Thread(target=work, daemon=True).start()
    while (block := ready.get()) is not None:
        if isinstance(block, Exception):
            raise block
        yield block


def _write(out: int, left: memoryview) -> None:
    while left:
        left = left[os.write(out, left) :]


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # without waiting for the threads of the model
