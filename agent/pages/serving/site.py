"""The addresses of the server: all sessions, one session, its paper, one exchange with a model, events, and orders."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.llm.calls import CallRecord
from agent.pages.reading import PDF, gather, glance
from agent.pages.rendering import Serving, call_page, index_page, problem_page, session_page
from agent.pages.serving.control import Control
from agent.pages.serving.guard import Gate, Guard
from agent.pages.serving.live import State, Streams, named, progress_event, state_of, state_of_all
from agent.pages.views.index import index_rows
from agent.pages.views.session import Tell, session_view
from agent.storage import foreign
from agent.storage.locks import is_locked
from agent.storage.workspace import Workspace

KEPT = 12  # pages that are kept after they were made
AGED_S = 60.0  # after so long the table of sessions is made again, because it shows ages
FRESH_S = 10.0  # after so long the page of a running session is made again, because it shows its active time
LARGEST_FORM = 32_000  # bytes


class Site:
    """Makes pages when they are asked for, one at a time, and keeps the newest ones."""

    def __init__(self, workspace: Workspace, gate: Gate, tell: Tell, control: Control | None, streams: Streams) -> None:
        self.workspace, self.gate, self.tell, self.control, self.streams = workspace, gate, tell, control, streams
        self._made: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._making = threading.Lock()

    def app(self) -> ASGIApp:
        """The whole site behind its guard."""
        routes = [
            Route("/", self.index),
            Route("/events", self.all_events),
            Route("/session/{name}/", self.session),
            Route("/session/{name}/events", self.events),
            Route("/session/{name}/paper.pdf", self.paper),
            Route("/session/{name}/call/{call}", self.call),
        ]
        if self.control:
            routes.append(Route("/session/{name}/{order}", self.order, methods=["POST"]))
        return Guard(Starlette(routes=routes, exception_handlers={404: _not_found, Exception: _failed}), self.gate)

    # ------------------------------------------------------------ pages

    async def index(self, request: Request) -> Response:
        """All sessions, newest first."""
        serving = replace(self._serving(request), seen=named(state_of_all(self.workspace)))
        return await self._page(("", serving, time.time() // AGED_S), lambda: self._index(serving))

    async def session(self, request: Request) -> Response:
        """One session."""
        paths = self._find(request)
        if paths is None:
            return await _not_found(request)
        state = self.state(paths)
        serving = replace(self._serving(request, paths), seen=named(state))
        clock = time.time() // FRESH_S if is_locked(paths.lock) else 0
        return await self._page((paths.root.name, serving, clock), lambda: self._session(paths, serving))

    async def paper(self, request: Request) -> Response:
        """A session's PDF as it was compiled."""
        paths = self._find(request)
        try:
            data = await asyncio.to_thread(foreign.read, paths.repo.resolve(), PDF) if paths else b""
        except foreign.Foreign:
            data = b""
        if not data.startswith(b"%PDF-"):
            return await _not_found(request)
        return Response(data, media_type="application/pdf")

    async def call(self, request: Request) -> Response:
        """One exchange with a model, whole."""
        paths = self._find(request)
        if paths is None:
            return await _not_found(request)
        try:
            data = await asyncio.to_thread(
                foreign.read, paths.root.resolve(), f"{paths.calls.name}/{request.path_params['call']}.json"
            )
            call = CallRecord.model_validate_json(data)
        except (foreign.Foreign, ValueError):
            return await _not_found(request)
        messages = [(str(message.role), message.content) for message in call.messages]
        return _html(call_page(f"{call.step} ({call.ordinal})", messages, call.reply, self._serving(request)))

    def _index(self, serving: Serving) -> bytes:
        seen = [glance(paths) for paths in self.workspace.sessions()]
        return index_page(index_rows(seen, time.time()), self.workspace.closed(), serving)

    def _session(self, paths: SessionPaths, serving: Serving) -> bytes:
        try:
            return session_page(session_view(gather(paths), time.time(), self.tell), serving)
        except (UserError, InfrastructureError) as error:
            return problem_page(paths.root.name, str(error))

    async def _page(self, key: tuple[object, ...], make: Callable[[], bytes]) -> Response:
        def made() -> bytes:
            with self._making:
                if key not in self._made:
                    self._made[key] = make()
                    while len(self._made) > KEPT:
                        self._made.popitem(last=False)
                return self._made[key]

        return _html(await asyncio.to_thread(made))

    # ------------------------------------------------------------ events

    async def events(self, request: Request) -> Response:
        """The stream of events of one session."""
        paths = self._find(request)
        if paths is None:
            return await _not_found(request)
        return self._stream(request, lambda: self.state(paths), lambda: progress_event(paths))

    async def all_events(self, request: Request) -> Response:
        """The stream of events of all sessions."""
        return self._stream(request, lambda: state_of_all(self.workspace), lambda: "")

    def state(self, paths: SessionPaths) -> State:
        """A value that changes whenever the page of the session would."""
        return *state_of(paths), self._answer(paths)

    def _stream(self, request: Request, state: Callable[[], State], progress: Callable[[], str]) -> Response:
        if self.streams.full:
            return PlainTextResponse("too many browsers watch already; close one\n", 503)
        told = self.streams.stream(request.query_params.get("seen", ""), state, progress)
        return StreamingResponse(told, media_type="text/event-stream")

    # ------------------------------------------------------------ orders

    async def order(self, request: Request) -> Response:
        """An order by a button. The guard has checked its origin; the token is checked here."""
        paths, control = self._find(request), self.control
        body = await _bounded(request)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=8)
        if control is None or not self.gate.fits(form.get("token", [""])[0]):
            return PlainTextResponse("this needs the token of the address that the server printed\n", 403)
        name = request.path_params["order"]
        if paths is None or name not in ("feedback", "stop", "resume", "verify"):
            return await _not_found(request)
        if name == "feedback":
            await asyncio.to_thread(control.feedback, paths, form.get("text", [""])[0])
        else:
            await asyncio.to_thread(getattr(control, name), paths)
        return RedirectResponse(f"/session/{quote(paths.root.name)}/#control", 303)

    # ------------------------------------------------------------ inside

    def _find(self, request: Request) -> SessionPaths | None:
        """The session that an address names. The name is compared with those of all sessions and never used as a
        path."""
        wanted = request.path_params["name"]
        return next((paths for paths in self.workspace.sessions() if paths.root.name == wanted), None)

    def _serving(self, request: Request, paths: SessionPaths | None = None) -> Serving:
        if self.control is None or not self.gate.knows(request.headers):
            return Serving()
        return Serving(self.gate.token, self._answer(paths) if paths else "")

    def _answer(self, paths: SessionPaths) -> str:
        return self.control.answers.get(paths.root.name, "") if self.control else ""


async def _bounded(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            return b""
    return body


async def _not_found(request: Request, error: Exception | None = None) -> Response:
    return _html(problem_page("Not found", "There is nothing at this address."), 404)


async def _failed(request: Request, error: Exception) -> Response:
    words = f"A fault of this program ({type(error).__name__}); the terminal of the server has more."
    return _html(problem_page("This page cannot be made", words), 500)


def _html(data: bytes, status: int = 200) -> Response:
    return Response(data, status, media_type="text/html; charset=utf-8")
