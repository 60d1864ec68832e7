"""Reads answers over HTTP within bounds on their size, unpacked as well, and on the time that they take.

Models (litellm's clients get their answers through `transport`) and the literature services are read this way.
"""

from __future__ import annotations

import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from agent.core.errors import causes

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

LARGEST = 32 << 20  # bytes that an answer of a model may unpack to
ENCODINGS = "gzip, deflate"  # the encodings that are asked for, because zlib can unpack them within a bound
SECONDS = 900.0  # that its body may take; callers usually give up earlier
_OF_THE_WIRE = ("content-encoding", "content-length")  # headers that are false once the body is unpacked
_PIECE = 1 << 18
_ZLIB = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Unbearable(Exception):
    """An answer that is too large, too slow or damaged; the text says which."""


def unpacked(chunks: Iterable[bytes], encoding: str, most: int, until: float) -> Iterator[bytes]:
    """The unpacked body of an answer, in pieces.

    Args:
        chunks: the body as it comes over the network.
        encoding: the answer's content-encoding.
        most: how many bytes the unpacked body may have.
        until: time of the monotonic clock at which the whole body must have come.

    Raises:
        Unbearable: it is too large, too slow, damaged, or in another encoding.
    """
    encoding, total = encoding.strip().lower(), 0
    for piece in _decoded(chunks, encoding) if encoding not in ("", "identity") else chunks:
        total += len(piece)
        if total > most:
            raise Unbearable(f"an answer of more than {most:,} bytes")
        if time.monotonic() > until:
            raise Unbearable("no whole answer in time")
        yield piece


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Unpack in pieces of bounded size, because a kilobyte can unpack to a megabyte."""
    if encoding not in _ZLIB:
        raise Unbearable(f"an answer in {encoding[:40]!r}, which was not asked for")
    unpacking, begun = zlib.decompressobj(_ZLIB[encoding]), False
    try:
        for chunk in chunks:
            begun = begun or bool(chunk)
            yield unpacking.decompress(chunk, _PIECE)
            while unpacking.unconsumed_tail:
                yield unpacking.decompress(unpacking.unconsumed_tail, _PIECE)
    except zlib.error:
        raise Unbearable("a damaged answer") from None
    if begun and not unpacking.eof:
        raise Unbearable("a damaged answer")


def why_unbearable(error: BaseException | None) -> str:
    """The text of the Unbearable among the causes of an error; "" if there is none."""
    return next((str(cause) for cause in causes(error) if isinstance(cause, Unbearable)), "")


def begun(work: Callable[[], T], name: str) -> queue.Queue[T | Exception]:
    """Start `work` in a thread of its own; the queue gets what it returns, or the exception that it raises.

    The caller waits at the queue until its deadline; a client's own time-out starts anew with every byte. The thread is
    a daemon, because those of a pool would keep a stopped program alive until the other side hangs up.
    """
    outcome: queue.Queue[T | Exception] = queue.Queue()

    def run() -> None:
        try:
            outcome.put(work())
        except Exception as error:  # of the client, and of the libraries below it
            outcome.put(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def transport(seconds: float = SECONDS, most: int = LARGEST, **options: Any) -> httpx.BaseTransport:
    """A transport for httpx clients that bounds each answer to `seconds` and `most` bytes.

    It stays open when a client of it is closed. `options` are those of httpx.Client, such as `verify`; proxies that the
    environment names are used.
    """
    import httpx

    class Body(httpx.SyncByteStream):
        def __init__(self, answer: httpx.Response) -> None:
            self._answer, self._until = answer, time.monotonic() + seconds

        def __iter__(self) -> Iterator[bytes]:
            encoding = self._answer.headers.get("content-encoding", "")
            return unpacked(self._answer.iter_raw(), encoding, most, self._until)

        def close(self) -> None:
            self._answer.close()

    class Transport(httpx.BaseTransport):
        def __init__(self) -> None:
            self._inner = httpx.Client(**options)

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.headers["accept-encoding"] = ENCODINGS
            answer = self._inner.send(request, stream=True, auth=None, follow_redirects=False)
            headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_WIRE]
            return httpx.Response(
                answer.status_code, headers=headers, stream=Body(answer), extensions=answer.extensions
            )

    return Transport()
