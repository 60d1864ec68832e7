"""Terms of writing a paper: the passes over its sections and their order, figures, and what reviewers refuse."""

from __future__ import annotations

from typing import Literal

from agent.core.schema import Strict

# The passes over sections, in their order. "refine", "cite" and "evidence" occur only in logs of older sessions.
SectionPhase = Literal["write", "refine", "cite", "polish", "support", "judge", "typeset", "evidence", "improve"]


class FigureText(Strict):
    """A figure as the notes and the paper know it."""

    name: str  # e.g. "metrics", to which the text refers as [@fig:metrics]
    file: str  # inside repo/
    caption: str
    description: str
    by: Literal["runner", "agent"]
    width: float = 1.0  # share of the text's width for which the figure is drawn


class Unsupported(Strict):
    """A cited sentence that the cited work does not support."""

    section: str
    sentence: str  # as its writer would recognise it
    key: str
    why: str


# Why the judge refuses a sentence.
RefusalKind = Literal["outcome", "contradiction", "scope", "observation"]


class Refusal(Strict):
    """A told sentence (in the writer's own words) that the judge refused."""

    name: str  # identifies the sentence in its paragraph; a changed sentence has another name and needs a new verdict
    section: str
    sentence: str  # as its writer would recognise it
    kind: RefusalKind
    why: str


# The sections that are drafted together, in this order: first what was done and found, then the rest.
DRAFTS: tuple[tuple[str, ...], ...] = (
    ("background", "method", "experimental_setup", "results", "discussion"),
    ("related_work", "introduction", "conclusion", "title"),
)
WRITING_ORDER: tuple[str, ...] = tuple(section for draft in DRAFTS for section in draft)
ROOMY = 24_000  # tokens of context from which on sections are written together


def together(groups: tuple[tuple[str, ...], ...], context: int | None) -> tuple[tuple[str, ...], ...]:
    """The sections that are written in one conversation.

    With a small context each section has a conversation of its own.
    """
    if context is None or context >= ROOMY:
        return groups
    return tuple((section,) for group in groups for section in group)
