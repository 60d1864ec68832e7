"""The searches of a session. Each is stored before its result is used, and a repeated action reads the stored one.

Works get the keys here by which this session cites them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import InfrastructureError, mend
from agent.core.schema import first_fault
from agent.core.works import Paper, Searched
from agent.literature import cleaning
from agent.literature.library import Library
from agent.literature.search import Finder
from agent.storage import foreign
from agent.storage.atomic import write_text

_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RESULTS = 12  # works that are kept of one query
QUERY = 200  # characters of a query


class RecordedSearches:
    """protocols.Literature over a finder. Keys of `library` are not given to other works."""

    def __init__(self, finder: Finder, folder: Path, library: Callable[[], Library]) -> None:
        self.finder = finder
        self.folder = folder
        self.library = library

    def search(self, step: str, queries: Sequence[str]) -> Searched:
        """The result of a step: the stored one, or a new search for `queries`.

        Raises:
            InfrastructureError: the stored result was changed by hand, or the new one cannot be written.
        """
        if not _STEP.fullmatch(step):
            raise InfrastructureError(f"step {step!r}: use letters, digits, dots, dashes and underscores only")
        path = self.folder / f"{step}.json"
        if os.path.lexists(path):
            return _read(path)
        asked = tuple(cleaning.prose(query, QUERY) for query in queries)  # a model wrote them, and they are printed
        papers: list[Paper] = []
        sources: list[str] = []
        for query in asked:
            found, source = self.finder.find(query)
            papers += found[:RESULTS]
            sources.append(source)
        done = Searched(queries=asked, sources=tuple(sources), papers=self._keyed(papers))
        try:
            write_text(path, done.model_dump_json(indent=1))
        except OSError as error:
            raise InfrastructureError(f"{path}: {mend(error)}") from None
        return done

    def found(self) -> dict[str, Paper]:
        """Every work that a search of this session returned, by key."""
        return {p.key: p for path in sorted(self.folder.glob("*.json")) for p in _read(path).papers}

    def _keyed(self, papers: Iterable[Paper]) -> tuple[Paper, ...]:
        """Each work once, under the key that the session or the library has for it, or under a free one."""
        known = {cleaning.same(p.title): p for p in self.found().values()} | self._shipped
        taken = {p.key for p in known.values()}
        result: dict[str, Paper] = {}
        for paper in papers:
            title = cleaning.same(paper.title)
            if title not in known:
                key = _free(paper.key, taken)
                taken.add(key)
                known[title] = paper.model_copy(update={"key": key})
            result[title] = known[title]
        return tuple(result.values())

    @cached_property
    def _shipped(self) -> dict[str, Paper]:
        library = self.library()
        return {cleaning.same(e.title): e.paper() for e in library.entries(library.keys)}


def _free(key: str, taken: set[str]) -> str:
    return next(
        k
        for k in (
            key,
            *(f"{key}{chr(c)}" for c in range(ord("b"), ord("z"))),
            *(f"{key}x{n}" for n in range(len(taken) + 1)),
        )
        if k not in taken
    )


def _read(path: Path) -> Searched:
    try:
        return Searched.model_validate_json(foreign.read_file(path))
    except foreign.Missing:
        raise
    except foreign.Foreign as problem:
        raise InfrastructureError(f"{path}: {problem}; remove it to search again") from None
    except ValidationError as error:
        raise InfrastructureError(
            f"{path}: {first_fault(error)}; the record was changed by hand: restore it, or delete it to search again"
        ) from None
