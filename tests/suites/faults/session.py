"""The small session whose every effect is a place to die: a script of replies, paid for over HTTP, and its witness."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from agent.core.exchange import Call, Message, Reply
from tests.support.whole import RATES, Script, rate_block

RUNS, ATTEMPTS = 2, 2
WITNESS = "FAULTS_WITNESS"  # a file of the test's own: a line for each training that begins
BROKEN = "RATE = undefined_rate  # step size"
# Run 1 does not pass lint at first; run 2 is not edited at first, and then fails in training: a failed run.
ANSWERS = {
    "run-1.edit-1": rate_block(RATES[0], RATES[1]).replace(f"RATE = {RATES[1]}  # step size", BROKEN),
    "run-1.edit-2": rate_block(RATES[0], RATES[1]).replace(f"RATE = {RATES[0]}  # step size", BROKEN),
    "run-2.edit-1": "I would rather not.",
    "run-2.edit-2": rate_block(RATES[0], RATES[2]).replace(
        f"RATE = {RATES[2]}  # step size", f'RATE = {RATES[2]}  # step size\nraise SystemExit("no luck")'
    ),
}


class Till:
    """The provider: answers from the script over loopback and keeps what was paid for."""

    def __init__(self) -> None:
        script, till = Script(RUNS, ANSWERS), self
        self.paid: list[tuple[str, int]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                call = Call(asked["step"], asked["ordinal"], asked["role"])
                till.paid.append((call.step, call.ordinal))
                text = script([Message(role, content) for role, content in asked["messages"]], call)
                body = str(text).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Only what was paid is of interest."""

            def handle(self) -> None:
                with suppress(OSError):  # the session was killed in the middle of the call
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class PaidModel:
    """A Model (protocols) behind a connection, as a provider's is."""

    def __init__(self, port: int) -> None:
        self._port = port

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        body = json.dumps(
            {
                "step": call.step,
                "ordinal": call.ordinal,
                "role": call.role,
                "messages": [(m.role, m.content) for m in messages],
            }
        )
        connection.request("POST", "/", body)
        text = connection.getresponse().read().decode()
        connection.close()
        return Reply(text, "scripted", 10, 5, 0.0)


# What follows stands in the place of agent.lab.measuring.measure in a worker.


def job_facts(job):
    from agent.lab.measuring.measure import job_facts

    return job_facts(job)


def run_training(job, seed, condition, sandbox, cancelled):
    """The real one, after a line of the witness: "again" if this training has come to its end before."""
    from agent.lab.measuring.measure import run_training

    folder = Path(job.folder)
    ended = [
        path
        for path in folder.parent.glob(f"attempt-{job.attempt}*/training-{seed}-*.json")
        if json.loads(path.read_text())["reason"] not in ("supervisor", "killed", "data")
    ]
    _testify(f"{'again' if ended else 'began'} {folder.parent.name}/{folder.name} {seed}\n")
    return run_training(job, seed, condition, sandbox, cancelled)


def _testify(line: str) -> None:
    handle = os.open(os.environ[WITNESS], os.O_WRONLY | os.O_APPEND)
    os.write(handle, line.encode())
    os.close(handle)
