"""What reviewers and the judge said of the paper: summaries, numbers, and each finding beside the passage it quotes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.reviews import Review, Tally, tally
from agent.pages.reading import PaperSource
from agent.session import events as ev
from agent.session.events import Event
from agent.session.session import Session


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
    """All reviews. The numbers are combined by a rule (`tally`); the words are those of models."""

    numbers: Tally | None
    decision: str
    summary: str
    agreed: tuple[str, ...]
    disputed: tuple[str, ...]
    advice: tuple[str, ...]
    each: tuple[tuple[int, Review | None, str], ...]  # number, review, why there is none
    findings: tuple[Finding, ...]
    revisions: tuple[tuple[int, bool, str], ...]


def reviews(session: Session, events: tuple[Event, ...], paper: PaperSource | None) -> Reviews | None:
    """The reviews of a session's paper; None while nobody has reviewed anything."""
    judging = session.judging
    findings = tuple(_findings(events, paper))
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


def _findings(events: tuple[Event, ...], paper: PaperSource | None) -> Iterator[Finding]:
    """What judge and reviewers refused, from the log, each with what became of the passage."""
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
