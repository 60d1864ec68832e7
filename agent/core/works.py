"""Works of the literature, and what models answer about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from agent.core.schema import Strict


class Paper(Strict):
    """A work of the literature; every text is cleaned."""

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w:.+-]{0,80}$")]
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    abstract: str = ""  # for an entry of the shipped library, our summary
    url: str = ""
    source: str  # "semantic_scholar", "openalex", "arxiv" or "library"
    retrieved: str = ""  # when a service returned it, UTC


Query = Annotated[str, StringConstraints(min_length=3, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=800)]


class Closest(Strict):
    """A work near the idea, and what it has in common with it."""

    key: str
    why: Reason


class Missing(Strict):
    """What the paper should cite and does not, and how to look for it."""

    what: Reason
    query: Query


class Chosen(Strict):
    """A work to be cited: where, and why."""

    key: str
    section: str
    reason: Reason


class Searched(Strict):
    """What one step of a session found. Each work is there once, under the key by which this session cites it."""

    queries: tuple[str, ...]
    sources: tuple[str, ...]  # the service that answered, or "library"; in the order of the queries
    papers: tuple[Paper, ...]
