"""An OpenAI-compatible HTTP server on loopback that answers from a script, which may contain faults.

Every request is kept in `history`, except those for /models, which get the names in `models`. A script is a list (one
answer for each request; the last one repeats) or a function of the request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def last(self) -> str:
        """The text of the newest message."""
        return self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `raw` replaces the JSON body; the last three fields make it a faulty one."""

    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang_s: float = 0.0  # seconds before the first byte
    drip_s: float = 0.0  # seconds between bytes
    cut: int | None = None  # bytes that are sent before the connection is closed; the header promises all


def completion(message: dict[str, Any], finish: str = "stop") -> Answer:
    """A chat completion around any message."""
    return Answer(
        json={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "fake",
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }
    )


def reply(text: str, finish: str = "stop") -> Answer:
    return completion({"content": text}, finish)


def error(status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    body = {"error": {"message": message, "type": "error", "code": code, "param": None}}
    return Answer(status, body, headers or {})


def tool_call() -> Answer:
    call = {"id": "1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    return completion({"content": None, "tool_calls": [call]}, "tool_calls")


Script = Sequence[Answer] | Callable[[Request], Answer]


class FakeProvider:
    """`with FakeProvider([reply("hello")]) as provider: ... provider.url ... provider.history`"""

    def __init__(self, script: Script, models: Sequence[str] = ()) -> None:
        self.script = script
        self.models = models
        self.history: list[Request] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                provider._serve(self)

            def do_GET(self) -> None:
                provider._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Prints nothing; tests read `history`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        data = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        request = Request(handler.path, {k.lower(): v for k, v in handler.headers.items()}, json.loads(data or b"{}"))
        with self._lock:
            if request.path.endswith("/models"):
                answer = Answer(json={"data": [{"id": name} for name in self.models]})
            else:
                self.history.append(request)
                answer = self._next(request)
        self._over.wait(answer.hang_s)
        body = answer.raw if answer.raw is not None else json.dumps(answer.json).encode()
        try:
            (handler.send_response_only if "Date" in answer.headers else handler.send_response)(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            self._send(handler, body[: answer.cut], answer.drip_s)
        except OSError:
            pass  # the client closed the connection, as some of these answers are meant to make it do

    def _next(self, request: Request) -> Answer:
        if callable(self.script):
            return self.script(request)
        return self.script[min(len(self.history), len(self.script)) - 1]

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, drip_s: float) -> None:
        if not drip_s:
            handler.wfile.write(body)
            return
        for i in range(len(body)):
            handler.wfile.write(body[i : i + 1])
            handler.wfile.flush()
            if self._over.wait(drip_s):
                return
