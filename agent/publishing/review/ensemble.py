"""Asks reviewers and an area chair about a paper's text, for the session's own paper and for any PDF alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.exchange import Message, Pictures, no_pictures
from agent.core.protocols import Ask
from agent.core.reviews import MetaWords, Review, tally
from agent.llm.answers import NoUsableAnswer, ask_json
from agent.llm.prompting import render

# Each reviewer is told to look first at something else, because a model that is asked the same twice answers the same.
FOCUS = (
    "Look first at soundness: do the comparisons and statistics bear what is said?",
    "Look first at what is new against the cited work, and whom it helps.",
    "Look first at the reading: could someone repeat this from the text, and is each term explained?",
)


def ask_review(
    ask: Ask, before: str, number: int, text: str, *, own: bool, pictures: Pictures = no_pictures
) -> tuple[Review | None, str]:
    """One review, or None with the reason.

    Args:
        before: the beginning of the name under which the exchange is stored.
        number: of the reviewer, from 1.
        own: whether the paper is a session's own.
        pictures: of its pages with figures, for a model that can see.
    """
    prompt = render("review", text=text, focus=FOCUS[(number - 1) % len(FOCUS)], own=own)
    try:
        return ask_json(ask, f"{before}review-{number}", "reviewer", to_reviewer(prompt), Review, pictures=pictures), ""
    except NoUsableAnswer as failed:
        return None, failed.complaint


def ask_meta(
    ask: Ask, before: str, reviews: Sequence[Review], asked: int, told: Mapping[str, Any] | None
) -> tuple[MetaWords | None, str]:
    """The area chair's summary of the usable ones of `asked` reviews, or None with the reason."""
    prompt = render("review_meta", reviews=reviews, failed=asked - len(reviews), told=told, tally=tally(reviews))
    try:
        return ask_json(ask, f"{before}review.meta", "reviewer", to_reviewer(prompt), MetaWords), ""
    except NoUsableAnswer as failed:
        return None, failed.complaint


def to_reviewer(prompt: str) -> list[Message]:
    """The messages of a conversation with a reviewer that begins with this prompt."""
    return [Message("system", render("system_reviewer")), Message("user", prompt)]
