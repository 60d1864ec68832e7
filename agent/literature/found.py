"""paper/found.json: works that a literature service returned and that the session cites, with source and time.

Only these works and the shipped library may be cited, so a paper can be rebuilt from the repository alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from agent.core.errors import InfrastructureError
from agent.core.schema import Strict
from agent.core.works import Paper
from agent.literature.library import Entry

FILE = "paper/found.json"


class FoundWork(Strict):
    """One work and why it is cited."""

    paper: Paper
    reason: str
    step: str  # the step of the session that chose it


class FoundWorks(Strict):
    """The content of found.json."""

    works: tuple[FoundWork, ...] = ()

    def adding(self, works: Iterable[FoundWork]) -> FoundWorks:
        """These works and the given ones; a work whose key exists is not replaced."""
        known = {w.paper.key: w for w in works} | {w.paper.key: w for w in self.works}
        order = dict.fromkeys([*(w.paper.key for w in self.works), *known])
        return FoundWorks(works=tuple(known[key] for key in order))

    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry(w.paper) for w in self.works)


def read_found(data: bytes | None) -> FoundWorks:
    """Parse found.json; None stands for a repository without the file.

    Raises:
        InfrastructureError: the file was changed by hand.
    """
    try:
        return FoundWorks() if data is None else FoundWorks.model_validate_json(data)
    except ValidationError as error:
        raise InfrastructureError(f"{FILE}: {error.errors()[0]['msg']}; it was changed by hand: restore it") from None


def entry(paper: Paper) -> Entry:
    """A found work as an entry of the library; its abstract takes the place of the summary."""
    fields = {
        "title": f"{{{paper.title}}}",
        "author": " and ".join(paper.authors),
        "year": str(paper.year or ""),
        "doi": paper.doi,
        "summary": paper.abstract,
        "source": f"{paper.source}, {paper.retrieved}",
    }
    if paper.arxiv:
        fields |= {"eprint": paper.arxiv, "archiveprefix": "arXiv"}
    if not paper.doi and not paper.arxiv:
        fields |= {"url": paper.url}
    if paper.venue and not paper.venue.lower().startswith("arxiv"):
        kind, fields = "article", fields | {"journal": paper.venue}
    else:
        kind = "misc"
        fields |= {"howpublished": f"arXiv preprint arXiv:{paper.arxiv}"} if paper.arxiv else {}
    return Entry(key=paper.key, kind=kind, fields={name: value for name, value in fields.items() if value})
