"""Asking reviewers and the area chair about one paper's text; the same for our own papers and for anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.exchange import Message, Pictures, no_pictures
from agent.core.protocols import Ask
from agent.core.reviews import MetaWords, Review, tally
from agent.llm.answers import NoUsableAnswer, ask_json
from agent.llm.prompting import render

# Each reviewer of an ensemble looks first at something else; one model asked the same thing twice says it twice.
FOCUS = (
    "Look first at soundness: do the comparisons and statistics bear what is said?",
    "Look first at what is new against the cited work, and whom it helps.",
    "Look first at the reading: could someone repeat this from the text, and is each term explained?",
)


def ask_review(
    ask: Ask, before: str, number: int, text: str, *, own: bool, pictures: Pictures = no_pictures
) -> tuple[Review | None, str]:
    """One review, or none and why. `before` begins the step's name; `pictures` are for a model that sees."""
    prompt = render("review", text=text, focus=FOCUS[(number - 1) % len(FOCUS)], own=own)
    try:
        return ask_json(ask, f"{before}review-{number}", "reviewer", to_reviewer(prompt), Review, pictures=pictures), ""
    except NoUsableAnswer as failed:
        return None, failed.complaint


def ask_meta(
    ask: Ask, before: str, reviews: Sequence[Review], asked: int, told: Mapping[str, Any] | None
) -> tuple[MetaWords | None, str]:
    """The area chair's words over usable reviews, or none and why."""
    prompt = render("review_meta", reviews=reviews, failed=asked - len(reviews), told=told, tally=tally(reviews))
    try:
        return ask_json(ask, f"{before}review.meta", "reviewer", to_reviewer(prompt), MetaWords), ""
    except NoUsableAnswer as failed:
        return None, failed.complaint


def to_reviewer(prompt: str) -> list[Message]:
    """What begins every conversation about a written paper, and about the works that it stands beside."""
    return [Message("system", render("system_reviewer")), Message("user", prompt)]
