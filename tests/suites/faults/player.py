"""Plays the session in a process that has imported everything already: `python -m tests.suites.faults.player SOCKET`.

One request a message; each is played in a fork, inside a trap of its own. All orphans of a fork return to this
process, so that nobody is left unseen.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from agent.app.assemble import System, open_session
from agent.app.playing import play_session
from agent.core.errors import BudgetSpent, InfrastructureError, UserError, disk_named
from agent.lab.jobs.local import ENVIRONMENT, LocalRunner
from agent.sandbox.boxes import BubblewrapSandbox
from agent.session import events as ev
from agent.session.tools import Console, Tools
from tests.suites.faults import trap
from tests.suites.faults.session import ATTEMPTS, RUNS, WITNESS, PaidModel
from tests.support.whole import Whole

PR_SET_CHILD_SUBREAPER = 36
NOT_PERMITTED, CRASHED = 98, 99  # exit statuses of a fork
_BETWEEN = (ev.SessionStarted, ev.ProcessStarted, ev.ProcessStopped, ev.CallFinished, ev.RunSubmitted)


class Printing(Console):
    def say(self, text: str) -> None:
        print(text, flush=True)


class Until:
    """In the place of the budget: stops the loop cleanly, between two actions, once so many of them are done.

    Not before all baselines, or both sides of the confirmation, are there: they are trained at once, and a bound that
    is reached cancels what is trained.
    """

    def __init__(self, tools: Tools, target: int | None) -> None:
        self._tools, self._target = tools, target

    def __call__(self) -> None:
        if self._target is None or any(run.kind != "experiment" for run in self._tools.session.under_way):
            return
        if settled(self._tools.journal.log.read()) >= self._target:
            raise BudgetSpent("as far as was asked")


def settled(events: Any) -> int:
    """How many actions are done for good; a training that was lost, and one that is under way, are not."""
    return sum(
        not isinstance(e, _BETWEEN) and not (isinstance(e, ev.AttemptFailed) and e.stage == "runner") for e in events
    )


def play(request: dict[str, Any]) -> int:
    whole = Whole(
        Path(request["workspace"]), runs=RUNS, attempts=ATTEMPTS, baselines=("topk",), slots=1, pdf=request["pdf"]
    )
    system = System(PaidModel(request["port"]), BubblewrapSandbox(), Printing())
    fresh = None if whole.paths.events.exists() else (whole.idea, whole.options)
    try:
        with disk_named(), open_session(whole.paths, whole.workspace, system, new=fresh) as tools:
            tools.runner = LocalRunner("tests.suites.faults.session", (*ENVIRONMENT, WITNESS))
            tools.check_budget = Until(tools, request["target"])
            return play_session(tools)
    except (UserError, InfrastructureError) as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 3


def _in_a_fork(request: dict[str, Any], channel: socket.socket) -> None:
    os.setsid()
    out = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ[WITNESS] = request["witness"]
    code = CRASHED
    try:
        trap.shut_in(channel)
        code = play(request)
    except trap.NotPermitted as error:
        print(error, flush=True)
        code = NOT_PERMITTED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _warm() -> None:
    """What the first edit, the first figure and the first section would import; and a word through aider."""
    for name in ("agent.publishing.manuscript", "agent.publishing.verify.command", "matplotlib.pyplot"):
        importlib.import_module(name)
    from agent.core.exchange import Reply
    from agent.literature.library import shipped_library
    from agent.llm.editing.coder import AiderCoder

    shipped_library()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.py").write_text("a = 1\n")
        AiderCoder(lambda step, role, messages: Reply("NO CHANGE", "none")).edit(
            Path(folder), ["a.py"], "nothing", step="warm", role="editor"
        )


def main() -> int:
    channel = socket.socket(fileno=int(sys.argv[1]))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _warm()
    channel.send(b"ready")
    while message := channel.recv(1 << 16):
        request = json.loads(message)
        child = os.fork()
        if child == 0:
            _in_a_fork(request, channel)
        while True:
            pid, status = os.waitpid(-1, 0)  # orphans come by as well
            if pid == child:
                break
        channel.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
