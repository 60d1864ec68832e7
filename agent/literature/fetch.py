"""Sends one GET request within bounds: it waits for this workspace's turn, obeys Retry-After, and ends by a deadline.

Not here: what an answer means (clients.py) and which service is asked next (search.py).
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from agent.core.wire import ENCODINGS, Unbearable, begun, unpacked
from agent.literature.clients import Request
from agent.literature.services import USER_AGENT, Service
from agent.storage.atomic import write_text

CONNECT_S, READ_S = 5.0, 15.0
TRIES = 3
BODY_BYTES = 2_000_000
LONGEST_PAUSE_S = 3600.0  # even if a service asks for more, or the clock was set back


class Unavailable(Exception):
    """A service gave no usable answer. `network` is true if the network seems to be down."""

    def __init__(self, text: str, *, network: bool = False) -> None:
        super().__init__(text)
        self.network = network


@dataclass(frozen=True)
class Response:
    """An answer over HTTP, with its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Fetcher:
    """Sends requests. Files in `folder` tell all processes of a workspace when each service may be asked next."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        self.folder = folder
        self.clock = clock  # the time of day, which processes share: for when a service may be asked again
        self.steady = steady  # for deadlines, which setting the time of day must not change
        self.sleep = sleep
        self.connect_s = connect_s
        self.read_s = read_s

    def get(self, service: Service, request: Request, deadline: float) -> bytes:
        """The body of an answer with status 200. `deadline` is a time of the steady clock.

        Raises:
            Unavailable: there is none by the deadline, or there cannot be one.
        """
        reason = "no answer"
        for attempt in range(TRIES):
            wait = self._turn(service, deadline)
            if wait is None:
                raise Unavailable(f"{reason}; it may be asked again only later")
            self.sleep(wait)
            response = self._within(service, request, deadline)
            if response.status == 200:
                return response.body
            reason = f"HTTP {response.status}"
            if response.status != 429 and response.status < 500:
                break
            asked = retry_after(response.headers.get("retry-after", ""), self.clock())
            self._postpone(service, 2.0**attempt if asked is None else asked)
        raise Unavailable(reason)

    # ------------------------------------------------------------ whose turn it is

    def _turn(self, service: Service, deadline: float) -> float | None:
        """Take the next turn and return the seconds until then.

        None, without taking it, if it is after the deadline.
        """
        with self._next(service) as slot:
            now = self.clock()
            wait = max(0.0, slot.at - now)
            if wait > deadline - self.steady():
                return None
            slot.at = now + wait + service.interval_s
            return wait

    def _postpone(self, service: Service, seconds: float) -> None:
        with self._next(service) as slot:
            slot.at = max(slot.at, self.clock() + min(seconds, LONGEST_PAUSE_S))

    def _next(self, service: Service) -> _Slot:
        return _Slot(self.folder / f"{service.name}.next", self.clock())

    # ------------------------------------------------------------ one request

    def _within(self, service: Service, request: Request, deadline: float) -> Response:
        """One request, in a thread: neither a slow name server nor a drip of bytes makes it pass the deadline."""
        left = max(0.0, min(deadline - self.steady(), self.connect_s + self.read_s))
        until = time.monotonic() + left
        try:
            outcome = begun(lambda: self._send(service, request, until), "literature").get(timeout=left)
        except queue.Empty:
            raise Unavailable("no whole answer in time") from None
        if isinstance(outcome, Response):
            return outcome
        import httpx

        if isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            raise Unavailable("cannot be reached", network=True)
        raise Unavailable(str(outcome) if isinstance(outcome, Unbearable) else type(outcome).__name__)

    def _send(self, service: Service, request: Request, until: float) -> Response:
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # its INFO lines hold the whole address, keys included
        local = urlsplit(service.url).hostname in ("127.0.0.1", "localhost")
        times = httpx.Timeout(self.read_s, connect=self.connect_s)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": ENCODINGS, **request.headers}
        with (
            httpx.Client(timeout=times, trust_env=not local) as client,
            client.stream(
                "GET", service.url + request.path, params=request.params | request.secret, headers=headers
            ) as answer,
        ):
            encoding = answer.headers.get("content-encoding", "")
            body = b"".join(unpacked(answer.iter_raw(), encoding, BODY_BYTES, until))
            return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, body)


class _Slot:
    """The file that says when a service may be asked next; a `with` block holds its lock."""

    def __init__(self, path: Path, now: float) -> None:
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.now = path, now
        self._lock = FileLock(f"{path}.lock", timeout=2)

    def __enter__(self) -> _Slot:
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout:
            raise Unavailable(f"{self.path}.lock is held by another process") from None
        try:
            self.at = min(float(self.path.read_text()), self.now + LONGEST_PAUSE_S)
        except (OSError, ValueError):
            self.at = 0.0
        self._was = self.at
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            if self.at != self._was:
                write_text(self.path, f"{self.at:.3f}\n")
        finally:
            self._lock.release()


def retry_after(text: str, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, given as seconds or as a date; None if it is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE_S)
    try:
        return max(0.0, min(parsedate_to_datetime(text).timestamp() - now, LONGEST_PAUSE_S))
    except (ValueError, TypeError, OverflowError):
        return None
