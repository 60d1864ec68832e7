"""The finished paper under review: one reviewer with the evidence, an ensemble with the paper, an area chair.

A reviewer without a usable answer is recorded as failed; nobody answers in its place.
"""

from __future__ import annotations

from agent.core.errors import InfrastructureError
from agent.core.protocols import Message
from agent.core.reviews import Doubt, EvidenceAnswer, tally
from agent.llm.answers import NoUsableAnswer, ask_json, head_and_tail
from agent.llm.prompting import render
from agent.publishing.manuscript import Manuscript
from agent.publishing.review import evidence as seen
from agent.publishing.review import page
from agent.publishing.review.ensemble import ask_meta, ask_review
from agent.publishing.review.pdf import UnreadablePdf, read_words
from agent.session.action import MetaReview, ReviewEvidence, ReviewPaper
from agent.session.events import EvidenceReviewed, PaperReviewed, ReviewGiven
from agent.session.judging import Judging
from agent.session.tools import Tools
from agent.storage.atomic import write_text

MAX_NOTES = 24_000  # characters


def review_evidence(action: ReviewEvidence, tools: Tools) -> EvidenceReviewed:
    """Which claims does the evidence not carry? A finding counts if its quote and its key hold."""
    tools.versions.reset(tools.versions.head())
    evidence = seen.gather(tools)
    prompt = render(
        "review_evidence",
        evidence=evidence,
        manifest=tools.template.manifest,
        plan=tools.session.plan,
        notes=head_and_tail((tools.paths.repo / "notes.txt").read_text(), MAX_NOTES),
    )
    conversation = [Message("system", render("system_reviewer")), Message("user", prompt)]
    try:
        answer = ask_json(tools.ask, "review.evidence", "reviewer", conversation, EvidenceAnswer)
    except NoUsableAnswer as failed:
        tools.say(f"Evidence review: no usable answer ({failed.complaint})")
        return EvidenceReviewed(at=tools.now, checked="", doubts=(), dropped=(), failed=failed.complaint)
    placed = [seen.place(finding, evidence) for finding in answer.findings]
    doubts = tuple(found for found in placed if isinstance(found, Doubt))
    dropped = tuple(found for found in placed if isinstance(found, str))
    tools.say(f"Evidence review: {len(doubts)} to mend" + (f", {len(dropped)} dropped" if dropped else ""))
    for doubt in doubts:
        tools.say(f"  {doubt.severity}, {doubt.section}: {doubt.why}")
    for text in dropped:
        tools.say(f"  dropped: {text}")
    return EvidenceReviewed(at=tools.now, checked=answer.checked, doubts=doubts, dropped=dropped, failed="")


def review_paper(action: ReviewPaper, tools: Tools) -> ReviewGiven:
    """One typed review of what a reader gets: the PDF's text, or the sections where there is no PDF."""
    review, failed = ask_review(tools.ask, _before(action.revision), action.number, paper_text(tools), own=True)
    said = f"{review.overall} of 10, {review.decision}" if review else f"failed ({failed})"
    tools.say(f"Review {action.number} of {tools.session.options.reviews}: {said}")
    return ReviewGiven(at=tools.now, revision=action.revision, number=action.number, review=review, failed=failed)


def meta_review(action: MetaReview, tools: Tools) -> PaperReviewed:
    """The reviews as one: numbers by rule, words by the area chair; then both go into review/."""
    judging = tools.session.judging
    trailers = {"Event": "review", "Revision": str(action.revision)}
    tools.versions.reset(tools.versions.base(trailers))
    sections = seen.printed(Manuscript(tools))
    reviews = page.usable(judging.reviews)
    numbers = tally(reviews)
    words, failed = None, "no reviewer gave a usable answer"
    if numbers:
        told = page.evidence_part(judging.evidence, sections)
        words, failed = ask_meta(tools.ask, _before(action.revision), reviews, len(judging.reviews), told)
    overall = numbers.overall if numbers else None
    event = PaperReviewed(
        at=tools.now,
        overall=overall,
        decision=numbers.decision if numbers else "none",
        commit="",
        revision=action.revision,
        words=words,
        failed=failed,
    )
    said = f"{overall:.1f} of 10, {event.decision}" if numbers else "no usable review"
    commit = tools.versions.commit(write_pages(tools, judging.apply(event)), f"review: {said}", trailers)
    tools.say(f"Review: {said}")
    return event.model_copy(update={"commit": commit})


def write_pages(tools: Tools, judging: Judging) -> list[str]:
    """Both files of review/, as the judging stands; their names."""
    sections = seen.printed(Manuscript(tools))
    texts = page.texts(page.session_review(judging, tools.session.idea.Title, sections))
    for name, text in texts.items():
        write_text(tools.paths.repo / name, text)
    return list(texts)


def paper_text(tools: Tools) -> str:
    pdf = tools.paths.repo / "paper" / "paper.pdf"
    if not pdf.is_file():
        return "\n\n".join(f"[{name}]\n{text}" for name, text in seen.printed(Manuscript(tools)).items())
    try:
        return read_words(pdf, tools.sandbox)
    except UnreadablePdf as why:
        raise InfrastructureError(f"{pdf}: {why}; resume after removing it") from None


def _before(revision: int) -> str:
    """What steps of a later version begin with."""
    return f"improve-{revision}." if revision else ""
