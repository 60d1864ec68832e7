"""Answers in the form of three literature services, and one fake server that plays all of them."""

from __future__ import annotations

from pathlib import Path

from agent.literature.fetch import Fetcher
from agent.literature.library import Library, parse_bibtex
from agent.literature.search import Cache, Online, Shelf
from agent.literature.services import Service
from tests.support.fake_provider import Answer, FakeProvider, Request

TITLE = "Sparse Autoencoders for Everything"
SHELF = Library(
    parse_bibtex(
        "@misc{olshausen1996emergence, title={Emergence of Sparse Receptive Fields}, "
        "author={Olshausen, Bruno}, year={1996}, summary={Sparse autoencoders' ancestor.}, "
        "source={s}}"
    )
)


def scholar(title: str = TITLE, **more: object) -> Answer:
    work = {
        "title": title,
        "authors": [{"name": "Ada Lovelace"}, {"name": "Bob Roe"}],
        "year": 2024,
        "venue": "Venue of Things",
        "externalIds": {"DOI": "10.1000/xyz", "ArXiv": "2401.00001"},
        "abstract": "We train autoencoders.",
        "url": "https://example.org/p/1",
    }
    return Answer(json={"total": 1, "data": [{**work, **more}]})


def openalex() -> Answer:
    return Answer(
        json={
            "results": [
                {
                    "id": "https://openalex.org/W1",
                    "doi": "https://doi.org/10.1000/xyz",
                    "title": TITLE,
                    "publication_year": 2023,
                    "authorships": [{"author": {"display_name": "Émile Noë"}}],
                    "primary_location": {
                        "landing_page_url": "https://arxiv.org/abs/2301.00002",
                        "source": {"display_name": "J"},
                    },
                    "abstract_inverted_index": {"train": [1], "We": [0], "again.": [2]},
                }
            ]
        }
    )


def atom(title: str = TITLE, head: str = "") -> Answer:
    entry = (
        f"<entry><id>http://arxiv.org/abs/2401.00003v2</id><published>2024-01-02T00:00:00Z</published>"
        f"<title>{title}</title><summary>We train.</summary><author><name>Cy Young</name></author></entry>"
    )
    feed = f'<?xml version="1.0" encoding="UTF-8"?>{head}<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'
    return Answer(raw=feed.encode(), headers={"Content-Type": "application/atom+xml"})


class Clock:
    """A clock that advances only by `sleep`."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class World:
    """A finder that asks the fake server. `scripts`: the answers of each service in their order; the last repeats."""

    def __init__(self, folder: Path, **scripts: list[Answer] | Answer) -> None:
        self.folder = folder
        self.clock = Clock()
        self.said: list[str] = []
        self.scripts = {name: list(s) if isinstance(s, list) else [s] for name, s in scripts.items()}
        self.asked: list[str] = []
        self.server = FakeProvider(self._answer)

    def _answer(self, request: Request) -> Answer:
        name = (
            "semantic_scholar" if "/graph/v1" in request.path else "openalex" if "/works" in request.path else "arxiv"
        )
        self.asked.append(name)
        script = self.scripts[name]
        return script.pop(0) if len(script) > 1 else script[0]

    def services(self, key: str = "") -> tuple[Service, ...]:
        return tuple(Service(name, self.server.url, 1.0, key) for name in self.scripts)

    def online(self, services: tuple[Service, ...] | None = None) -> Online:
        """The finder as a new process has it, with the same folders."""
        fetcher = Fetcher(
            self.folder,
            clock=self.clock,
            steady=self.clock,
            sleep=self.clock.sleep,
            connect_s=2.0,
            read_s=3.0,
        )
        return Online(
            services or self.services(),
            fetcher,
            Cache(self.folder / "answers", self.clock),
            Shelf(lambda: SHELF),
            self.said.append,
            self.clock,
        )


def nested_json(depth: int) -> Answer:
    return Answer(raw=b"[" * depth)
