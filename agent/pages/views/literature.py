"""The works that are cited or close to the idea, with the sentences that cite them and a reviewer's verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.literature.library import Library
from agent.pages.reading import PaperSource
from agent.pages.views.plain import authors_of, plain, title_of
from agent.session.session import Session
from paper.text.cited import Cited, cited_pairs


@dataclass(frozen=True)
class Work:
    """A work with the sentences that cite it."""

    key: str
    title: str
    authors: str
    year: str
    link: str
    source: str
    abstract: str
    why: str  # why it is close to the idea, or was chosen to be cited
    sentences: tuple[tuple[str, str, str], ...]  # section, sentence, verdict


@dataclass(frozen=True)
class Literature:
    """The judgement on the idea's novelty, the searches, and the works."""

    verdict: str
    reason: str
    searched: tuple[tuple[int, str, str], ...]  # round, query, source
    works: tuple[Work, ...]
    compared: int  # pairs of sentence and work


def literature(session: Session, paper: PaperSource | None, library: Library) -> Literature | None:
    """The literature of a session; None where nothing was searched and nothing is cited."""
    pairs = cited_pairs(paper.sections, library) if paper else ()
    why = {c.key: f"near the idea: {c.why}" for c in (session.verdict.closest if session.verdict else ())}
    why |= {c.key: f"cited for: {c.reason}" for c in session.to_cite}
    keys = list(dict.fromkeys([*why, *(pair.key for pair in pairs)]))
    if not keys and not session.novelty:
        return None
    works = tuple(_work(key, why.get(key, ""), pairs, session, library) for key in keys if key in library)
    verdict = session.verdict
    return Literature(
        verdict=(verdict.verdict or "") if verdict else "",
        reason=verdict.reason if verdict else "",
        searched=tuple(
            (event.round, query, source)
            for event in session.novelty
            for query, source in zip(event.searched, event.sources or ("",) * len(event.searched), strict=False)
        ),
        works=works,
        compared=len(_compared(session)),
    )


def _work(key: str, why: str, pairs: Sequence[Cited], session: Session, library: Library) -> Work:
    (entry,) = library.entries([key])
    found, read = entry.paper(), _compared(session)
    against = {u.sentence: u.why for u in session.unsupported if u.key == key}

    def verdict(pair: Cited) -> str:
        return against.get(pair.sentence) or ("supported" if pair.name in read else "not compared")

    return Work(
        key=key,
        title=title_of(entry),
        authors=authors_of(entry),
        year=entry.year,
        link=_link(found.doi, found.arxiv),
        source=entry.fields.get("source", "library"),
        abstract=plain(entry.summary),
        why=why,
        sentences=tuple((p.section, p.sentence, verdict(p)) for p in pairs if p.key == key),
    )


def _compared(session: Session) -> frozenset[str]:
    """Names of the pairs of sentence and work that a reviewer read."""
    return frozenset(name for event in session.support for name in event.judged)


def _link(doi: str, arxiv: str) -> str:
    """The address of a work, made from its DOI or arXiv number; "" where these have another form."""
    if re.fullmatch(r"10\.\d{4,9}/[\w.()/:;-]{1,120}", doi):
        return f"https://doi.org/{doi}"
    if re.fullmatch(r"(\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7})", arxiv):
        return f"https://arxiv.org/abs/{arxiv}"
    return ""
