"""Makes requests to the literature services and reads their answers, with one class for each service. Pure.

An answer of another form than the service documents raises Garbage. A work without title, author or year is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from xml.etree import ElementTree

from agent.core.works import Paper
from agent.literature import cleaning
from agent.literature.services import Service

RESULTS = 8
AUTHORS = 30
_DOI = r"10\.\d{4,9}/[A-Za-z0-9./()_:;-]{1,120}"
_ARXIV = r"\d{4}\.\d{4,5}|[a-z-]{2,12}(?:\.[A-Z]{2})?/\d{7}"
_URL = r"https?://[A-Za-z0-9.-]+/[A-Za-z0-9./?=_:-]{0,200}"


class Garbage(Exception):
    """The answer does not have the form that the service documents."""


@dataclass(frozen=True)
class Request:
    """What to ask a service. `secret` parameters and headers identify the person: no cache key or message has them."""

    path: str
    params: dict[str, str]
    secret: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Client(Protocol):
    """One service: the request for a query, and the works in an answer."""

    @property
    def service(self) -> Service: ...
    def request(self, query: str) -> Request: ...
    def papers(self, body: bytes, retrieved: str) -> tuple[Paper, ...]: ...


@dataclass(frozen=True)
class SemanticScholar:
    service: Service

    def request(self, query: str) -> Request:
        return Request(
            "/graph/v1/paper/search",
            {
                "query": query.replace("-", " "),  # the service finds nothing for words with a hyphen
                "limit": str(RESULTS),
                "fields": "title,authors,year,venue,externalIds,abstract,url",
            },
            headers={"x-api-key": self.service.key} if self.service.key else {},
        )

    def papers(self, body: bytes, retrieved: str) -> tuple[Paper, ...]:
        return _works(self.service, retrieved, (_scholar(item) for item in _list(_json(body), "data", "total")))


@dataclass(frozen=True)
class OpenAlex:
    service: Service

    def request(self, query: str) -> Request:
        known = {"api_key": self.service.key, "mailto": self.service.mail}
        return Request(
            "/works",
            {
                "search": " ".join(re.findall(r"\w+", query)),
                "per_page": str(RESULTS),
                "select": "id,doi,title,publication_year,authorships,primary_location,abstract_inverted_index",
            },
            secret={name: value for name, value in known.items() if value},
        )

    def papers(self, body: bytes, retrieved: str) -> tuple[Paper, ...]:
        return _works(self.service, retrieved, (_openalex(item) for item in _list(_json(body), "results", "")))


@dataclass(frozen=True)
class Arxiv:
    service: Service

    def request(self, query: str) -> Request:
        words = [w for w in re.findall(r"[A-Za-z0-9]{3,}", query) if w.lower() not in ("and", "the", "for", "not")]
        return Request(
            "/api/query",
            {
                "search_query": " AND ".join(f"all:{w}" for w in words[:6]) or "all:none",
                "start": "0",
                "max_results": str(RESULTS),
                "sortBy": "relevance",
            },
        )

    def papers(self, body: bytes, retrieved: str) -> tuple[Paper, ...]:
        return _works(self.service, retrieved, (_atom(entry) for entry in _feed(body)))


CLIENTS: dict[str, Callable[[Service], Client]] = {
    "semantic_scholar": SemanticScholar,
    "openalex": OpenAlex,
    "arxiv": Arxiv,
}


# ---------------------------------------------------------------- one work


def _works(service: Service, retrieved: str, raw: Iterator[dict[str, Any]]) -> tuple[Paper, ...]:
    """The works of an answer, cleaned, in its order, each title once."""
    found: dict[str, Paper] = {}
    for item in raw:
        paper = _paper(item, service.name, retrieved)
        if paper is not None:
            found.setdefault(cleaning.same(paper.title), paper)
    return tuple(found.values())[:RESULTS]


def _paper(raw: dict[str, Any], source: str, retrieved: str) -> Paper | None:
    title = cleaning.printable(raw.get("title"), cleaning.TITLE).rstrip(".")
    authors = tuple(name for name in map(cleaning.person, _items(raw.get("authors"))[:AUTHORS]) if name)
    year = raw.get("year")
    if len(cleaning.same(title)) < 4 or not authors or type(year) is not int or not 1800 <= year <= 2200:
        return None
    return Paper(
        key=cleaning.key(authors, year, title),
        title=title,
        authors=authors,
        year=year,
        venue=cleaning.printable(raw.get("venue"), cleaning.VENUE),
        doi=cleaning.identifier(raw.get("doi"), _DOI),
        arxiv=cleaning.identifier(raw.get("arxiv"), _ARXIV),
        abstract=cleaning.prose(raw.get("abstract")),
        url=cleaning.identifier(raw.get("url"), _URL),
        source=source,
        retrieved=retrieved,
    )


def _scholar(item: Any) -> dict[str, Any]:
    item = _dict(item)
    known = _dict(item.get("externalIds"))
    return {
        **item,
        "authors": [_dict(a).get("name") for a in _items(item.get("authors"))],
        "doi": known.get("DOI"),
        "arxiv": known.get("ArXiv"),
    }


def _openalex(item: Any) -> dict[str, Any]:
    item = _dict(item)
    place = _dict(item.get("primary_location"))
    doi, landing = item.get("doi"), place.get("landing_page_url")
    arxiv = re.fullmatch(rf"https?://arxiv\.org/abs/({_ARXIV})(?:v\d+)?", landing) if isinstance(landing, str) else None
    return {
        "title": item.get("title"),
        "year": item.get("publication_year"),
        "url": item.get("id"),
        "authors": [_dict(_dict(a).get("author")).get("display_name") for a in _items(item.get("authorships"))],
        "venue": _dict(place.get("source")).get("display_name"),
        "arxiv": arxiv[1] if arxiv else None,
        "doi": doi.removeprefix("https://doi.org/") if isinstance(doi, str) else None,
        "abstract": _uninverted(_dict(item.get("abstract_inverted_index"))),
    }


def _uninverted(index: dict[str, Any]) -> str:
    """The text of an inverted index (word to positions); positions from 2000 on are left out."""
    words = {at: word for word, places in index.items() for at in _items(places) if type(at) is int and 0 <= at < 2000}
    return " ".join(words[at] for at in sorted(words))


_ATOM = {"a": "http://www.w3.org/2005/Atom", "x": "http://arxiv.org/schemas/atom"}


def _atom(entry: ElementTree.Element) -> dict[str, Any]:
    def text(path: str) -> str | None:
        return entry.findtext(path, namespaces=_ATOM)

    place = re.fullmatch(rf"https?://arxiv\.org/abs/({_ARXIV})(?:v\d+)?", (text("a:id") or "").strip())
    year = re.match(r"\d{4}", text("a:published") or "")
    return {
        "title": text("a:title"),
        "year": int(year[0]) if year else None,
        "doi": text("x:doi"),
        "authors": [a.text for a in entry.findall("a:author/a:name", _ATOM)],
        "venue": text("x:journal_ref"),
        "abstract": text("a:summary"),
        "arxiv": place[1] if place else None,
        "url": f"https://arxiv.org/abs/{place[1]}" if place else None,
    }


# ---------------------------------------------------------------- forms


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbage(f"no JSON ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise Garbage("JSON of another form")
    return data


def _list(data: dict[str, Any], name: str, count: str) -> list[Any]:
    """The list under a name. If it is missing, a `count` of zero means that it is empty."""
    found = data.get(name, [] if count and data.get(count) == 0 else None)
    if not isinstance(found, list):
        raise Garbage(f"JSON without {name!r}")
    return found


def _feed(body: bytes) -> list[ElementTree.Element]:
    """The entries of an Atom feed. A document type is refused, because entities that expand need one."""
    try:
        text = body.decode("utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise Garbage("XML with a document type")
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError) as error:
        raise Garbage(f"no XML ({type(error).__name__})") from None
    if root.tag != f"{{{_ATOM['a']}}}feed":
        raise Garbage("XML of another form")
    return root.findall("a:entry", _ATOM)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
