"""The words of writing a paper: passes, figures as the text knows them, the order in which sections are written."""

from __future__ import annotations

from typing import Literal

from agent.core.schema import Strict

# The passes over sections, in the order in which they are made; "refine", "cite" and "evidence" are of older sessions.
SectionPhase = Literal["write", "refine", "cite", "polish", "support", "judge", "typeset", "evidence", "improve"]


class FigureText(Strict):
    """A figure as the notes and the paper know it."""

    name: str  # "metrics"; the text refers to [@fig:metrics]
    file: str  # inside repo/
    caption: str
    description: str
    by: Literal["runner", "agent"]
    width: float = 1.0  # of the text's width: letters are drawn for it


class Unsupported(Strict):
    """A cited sentence that the cited work does not carry."""

    section: str
    sentence: str  # as its writer would recognise it
    key: str
    why: str


# What a judge has against a told sentence.
RefusalKind = Literal["outcome", "contradiction", "scope", "observation"]


class Refusal(Strict):
    """A told sentence that the judge refused: what is wrong with it, and the name that binds the verdict to it."""

    name: str
    section: str
    sentence: str  # as its writer would recognise it
    kind: RefusalKind
    why: str


# The sections that are drafted together, in this order: what was done and found, then what frames it.
DRAFTS: tuple[tuple[str, ...], ...] = (
    ("background", "method", "experimental_setup", "results", "discussion"),
    ("related_work", "introduction", "conclusion", "title"),
)
WRITING_ORDER: tuple[str, ...] = tuple(section for draft in DRAFTS for section in draft)
ROOMY = 24_000  # tokens of a context in which sections are written together


def together(groups: tuple[tuple[str, ...], ...], context: int | None) -> tuple[tuple[str, ...], ...]:
    """The sections that are written in one conversation; in a small context each has one of its own."""
    if context is None or context >= ROOMY:
        return groups
    return tuple((section,) for group in groups for section in group)
