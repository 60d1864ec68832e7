"""The finished paper is reviewed: several reviewers read it, then an area chair sums their reviews up.

A reviewer that gives no usable answer is recorded as failed and is not replaced.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.exchange import no_pictures
from agent.core.reviews import tally
from agent.publishing.manuscript import Manuscript
from agent.publishing.review import page
from agent.publishing.review.ensemble import ask_meta, ask_review
from agent.publishing.review.pdf import UnreadablePdf, read_words
from agent.publishing.review.pictures import pages_with_figures
from agent.session.action import MetaReview, ReviewPaper
from agent.session.events import PaperReviewed, ReviewGiven
from agent.session.judging import Judging
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.press.appendix import CODE, KINDS, PROVENANCE, RUNS


def review_paper(action: ReviewPaper, tools: Tools) -> ReviewGiven:
    """One review of what a reader gets: the PDF's text, or the sections if there is no PDF."""
    last = action.number == tools.session.options.reviews  # only the last gets pictures, because they cost many tokens
    review, failed = ask_review(
        tools.ask,
        _before(action.revision),
        action.number,
        paper_text(tools),
        own=True,
        pictures=cache(lambda: pages_with_figures(_pdf(tools), tools.sandbox)) if last else no_pictures,
    )
    said = f"{review.overall} of 10, {review.decision}" if review else f"failed ({failed})"
    tools.say(f"Review {action.number} of {tools.session.options.reviews}: {said}")
    return ReviewGiven(at=tools.now, revision=action.revision, number=action.number, review=review, failed=failed)


def meta_review(action: MetaReview, tools: Tools) -> PaperReviewed:
    """Sum the reviews up, numbers by a rule and words by the area chair, and commit both in review/."""
    judging = tools.session.judging
    trailers = {"Event": "review", "Revision": str(action.revision)}
    tools.versions.reset(tools.versions.base(trailers))
    reviews = page.usable(judging.reviews)
    numbers = tally(reviews)
    words, failed = None, "no reviewer gave a usable answer"
    if numbers:
        told = page.judged_part(tools.session.judgements)
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
    """Write both files of review/ and return their names."""
    texts = page.texts(page.session_review(judging, tools.session.idea.Title, tools.session.judgements))
    for name, text in texts.items():
        write_text(tools.paths.repo / name, text)
    return list(texts)


def paper_text(tools: Tools) -> str:
    """The paper as a reviewer reads it.

    Raises:
        InfrastructureError: the PDF cannot be read.
    """
    pdf = _pdf(tools)
    if not pdf.is_file():
        return "\n\n".join(f"[{name}]\n{text}" for name, text in Manuscript(tools).printed().items())
    try:
        return without_listings(read_words(pdf, tools.sandbox))
    except UnreadablePdf as why:
        raise InfrastructureError(f"{pdf}: {why}; resume after removing it") from None


def _pdf(tools: Tools) -> Path:
    return tools.paths.repo / "paper" / "paper.pdf"


def without_listings(text: str) -> str:
    """A paper's text without what machines read: the list of references, the code and every number's origin."""
    for start, end in ((r"references", rf"[A-Z] {RUNS}"), (rf"[A-Z] (?:{CODE}|{PROVENANCE})", rf"[A-Z] {KINDS}")):
        text = re.sub(rf"(?ims)^({start})$\n.*?(?=^{end}$)", r"\1\n[left out here]\n", text)
    return text


def _before(revision: int) -> str:
    """The prefix of the step names of a revision; "" for the paper as it was first written."""
    return f"improve-{revision}." if revision else ""
