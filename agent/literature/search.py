"""Searches for one query: in the first service that answers, and in the shipped library.

A failing service raises no error and does not delay a search beyond SEARCH_S. It is not asked again before the program
is started again; without network, no service is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from agent.core.schema import Strict
from agent.core.works import Paper
from agent.literature import cleaning
from agent.literature.clients import CLIENTS, Client, Garbage
from agent.literature.fetch import Fetcher, Unavailable
from agent.literature.library import Library
from agent.literature.services import Service
from agent.storage.atomic import write_text

SEARCH_S = 25.0  # for one search, all services together
LIBRARY_RESULTS = 6
KEEP_S = 7 * 86400.0  # how long a cached answer is used
LIBRARY = "library"


class Finder(Protocol):
    """Finds works for a query, best first, and returns them with the name of their source."""

    def find(self, query: str) -> tuple[tuple[Paper, ...], str]: ...


class Shelf:
    """Searches only the shipped library."""

    def __init__(self, library: Callable[[], Library]) -> None:
        self.library = library

    def find(self, query: str) -> tuple[tuple[Paper, ...], str]:
        return tuple(e.paper() for e in self.library().search(query, LIBRARY_RESULTS)), LIBRARY


class Answer(Strict):
    """A cached answer: what a service returned, and when."""

    at: float
    papers: tuple[Paper, ...]


class Cache:
    """Keeps answers of services for KEEP_S, a file for each service and request."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.clock = clock

    def read(self, name: str) -> tuple[Paper, ...] | None:
        try:
            answer = Answer.model_validate_json((self.folder / name).read_bytes())
        except (OSError, ValidationError):
            return None
        return answer.papers if self.clock() - answer.at < KEEP_S else None

    def write(self, name: str, papers: tuple[Paper, ...]) -> None:
        with suppress(OSError):  # the disk is full; a search works without the cache
            write_text(self.folder / name, Answer(at=self.clock(), papers=papers).model_dump_json(indent=1))


class Online:
    """Searches the services in their order, and the library.

    The works of the first service that has some are returned.
    """

    def __init__(
        self,
        services: Sequence[Service],
        fetcher: Fetcher,
        cache: Cache,
        shelf: Shelf,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clients: list[Client] = [CLIENTS[s.name](s) for s in services]
        self.fetcher = fetcher
        self.cache = cache
        self.shelf = shelf
        self.say = say
        self.clock = clock

    def find(self, query: str) -> tuple[tuple[Paper, ...], str]:
        ours, _ = self.shelf.find(query)
        deadline = self.fetcher.steady() + SEARCH_S
        for client in tuple(self.clients):
            papers = self._ask(client, query, deadline)
            if papers:
                return _joined(papers, ours), client.service.name
        return ours, LIBRARY

    def _ask(self, client: Client, query: str, deadline: float) -> tuple[Paper, ...]:
        request = client.request(query)
        name = f"{client.service.name}-{_digest([client.service.url, request.path, request.params])}.json"
        cached = self.cache.read(name)
        if cached is not None:
            return cached
        if client not in self.clients:  # an earlier service found that there is no network
            return ()
        try:
            body = self.fetcher.get(client.service, request, deadline)
            retrieved = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            papers = client.papers(body, retrieved)
        # OSError: the file of the service's next turn cannot be written
        except (Unavailable, Garbage, OSError) as error:
            self._rest(client, error)
            return ()
        self.cache.write(name, papers)
        return papers

    def _rest(self, client: Client, error: Unavailable | Garbage | OSError) -> None:
        if isinstance(error, Unavailable) and error.network:
            self.clients = []
            self.say(f"Literature: no network ({client.service.name} {error}); the shipped library is used alone")
            return
        self.clients = [c for c in self.clients if c is not client]
        then = self.clients[0].service.name if self.clients else "the shipped library"
        self.say(f"Literature: {client.service.name}: {error}; going on with {then}")


def _joined(papers: tuple[Paper, ...], ours: tuple[Paper, ...]) -> tuple[Paper, ...]:
    """The service's works, then those that only the library has; of a work in both, the library's entry is taken."""
    known = {cleaning.same(p.title): p for p in ours}
    found = {cleaning.same(p.title): known.get(cleaning.same(p.title), p) for p in papers}
    return tuple((found | {k: v for k, v in known.items() if k not in found}).values())


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]
