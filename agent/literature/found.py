"""paper/found.json: works that a literature service returned and the session cites, with source and time.

Beside the shipped library it is all that may be cited; a paper is rebuilt from the repository without asking anybody.
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
    step: str  # of the session that chose it


class FoundWorks(Strict):
    works: tuple[FoundWork, ...] = ()

    def adding(self, works: Iterable[FoundWork]) -> FoundWorks:
        """These works and the given ones; a key that is there stays as it is."""
        known = {w.paper.key: w for w in works} | {w.paper.key: w for w in self.works}
        order = dict.fromkeys([*(w.paper.key for w in self.works), *known])
        return FoundWorks(works=tuple(known[key] for key in order))

    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry(w.paper) for w in self.works)


def read_found(data: bytes | None) -> FoundWorks:
    """The works of a repository; none where nothing was found.

    Raises:
        InfrastructureError: the file is not what the loop wrote.
    """
    try:
        return FoundWorks() if data is None else FoundWorks.model_validate_json(data)
    except ValidationError as error:
        raise InfrastructureError(f"{FILE}: {error.errors()[0]['msg']}; it was changed by hand: restore it") from None


def entry(paper: Paper) -> Entry:
    """A found work as BibTeX has it; its abstract stands where the library has a summary."""
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
