"""What reviewers said of the paper, each finding beside its quote; and the literature with what cites it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.reviews import Review, Tally, tally
from agent.literature.library import Library
from agent.pages.reading import PaperSource
from agent.session import events as ev
from agent.session.events import Event
from agent.session.session import Session
from paper.text.cited import cited_pairs


@dataclass(frozen=True)
class Finding:
    """Something that a reviewer has against a passage of the paper."""

    quote: str
    section: str
    kind: str
    why: str
    by: str
    fate: str  # what became of the passage


@dataclass(frozen=True)
class Reviews:
    """The numbers are combined by rule; the words are models'."""

    numbers: Tally | None
    decision: str
    summary: str
    agreed: tuple[str, ...]
    disputed: tuple[str, ...]
    advice: tuple[str, ...]
    each: tuple[tuple[int, Review | None, str], ...]  # number, review, why there is none
    findings: tuple[Finding, ...]
    revisions: tuple[tuple[int, bool, str], ...]


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
    why: str  # it is near the idea, or was chosen to be cited
    sentences: tuple[tuple[str, str, str], ...]  # section, sentence, verdict ("" where the work supports it)


@dataclass(frozen=True)
class Literature:
    verdict: str
    reason: str
    searched: tuple[tuple[int, str, str], ...]  # round, query, source
    works: tuple[Work, ...]
    compared: int


def reviews(session: Session, events: tuple[Event, ...], paper: PaperSource | None) -> Reviews | None:
    """None where nobody has reviewed anything yet."""
    judging = session.judging
    findings = tuple(_findings(session, events, paper))
    if not judging.reviews and not findings:
        return None
    words = judging.meta.words if judging.meta else None
    usable = [given.review for given in judging.reviews if given.review]
    return Reviews(
        numbers=tally(usable),
        decision=judging.meta.decision if judging.meta else "",
        summary=words.summary if words else "",
        agreed=words.agreed if words else (),
        disputed=words.disputed if words else (),
        advice=words.advice if words else (),
        each=tuple((given.number, given.review, given.failed) for given in judging.reviews),
        findings=findings,
        revisions=tuple((judged.revision, judged.kept, judged.reason) for judged, _ in judging.past),
    )


def _findings(session: Session, events: tuple[Event, ...], paper: PaperSource | None) -> Iterator[Finding]:
    cut = {d.sentence for d in paper.rendered.dropped} if paper else set()
    text = "\n".join(paper.sections.values()) if paper else ""

    def fate(sentence: str) -> str:
        if sentence in cut:
            return "cut from the paper"
        return "stands in the paper" if sentence and sentence in text else "rewritten"

    for event in events:
        match event:
            case ev.SentencesJudged(refused=refused, model=model):
                for r in refused:
                    yield Finding(r.sentence, r.section, r.kind, r.why, model or "judge", fate(r.sentence))
            case ev.SupportChecked(unsupported=unsupported):
                for u in unsupported:
                    yield Finding(u.sentence, u.section, f"citation of {u.key}", u.why, "reviewer", fate(u.sentence))
            case ev.EvidenceReviewed(doubts=doubts):
                for d in doubts:
                    yield Finding(d.quote, d.section, f"{d.severity}, {d.relation}", d.why, "reviewer", fate(d.quote))


def literature(session: Session, paper: PaperSource | None, library: Library) -> Literature | None:
    """None where nothing was searched and nothing is cited."""
    pairs = cited_pairs(paper.sections, library) if paper else ()
    why = {c.key: f"near the idea: {c.why}" for c in (session.verdict.closest if session.verdict else ())}
    why |= {c.key: f"cited for: {c.reason}" for c in session.to_cite}
    keys = list(dict.fromkeys([*why, *(pair.key for pair in pairs)]))
    if not keys and not session.novelty:
        return None
    against = {(u.sentence, u.key): u.why for u in session.unsupported}
    read = {name for event in session.support for name in event.judged}
    works = []
    for key in keys:
        if key not in library:
            continue
        (entry,) = library.entries([key])
        cites = [
            (
                p.section,
                p.sentence,
                against.get((p.sentence, key)) or ("supported" if p.name in read else "not compared"),
            )
            for p in pairs
            if p.key == key
        ]
        found = entry.paper()
        works.append(
            Work(
                key=key,
                title=entry.title,
                authors=entry.authors.replace(" and ", "; "),
                year=entry.year,
                link=_link(found.doi, found.arxiv),
                source=entry.fields.get("source", "library"),
                abstract=entry.summary,
                why=why.get(key, ""),
                sentences=tuple(cites),
            )
        )
    verdict = session.verdict
    return Literature(
        verdict=(verdict.verdict or "") if verdict else "",
        reason=verdict.reason if verdict else "",
        searched=tuple(
            (event.round, query, source)
            for event in session.novelty
            for query, source in zip(event.searched, event.sources or ("",) * len(event.searched), strict=False)
        ),
        works=tuple(works),
        compared=len(read),
    )


def _link(doi: str, arxiv: str) -> str:
    """Where the work can be found, built from its identifier alone; "" where that has another form."""
    import re

    if re.fullmatch(r"10\.\d{4,9}/[\w.()/:;-]{1,120}", doi):
        return f"https://doi.org/{doi}"
    if re.fullmatch(r"(\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7})", arxiv):
        return f"https://arxiv.org/abs/{arxiv}"
    return ""
