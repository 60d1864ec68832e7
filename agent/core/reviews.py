"""The form of reviews, and the rule that combines the numbers of several reviews. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from agent.core.schema import Strict

Words = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Points = Annotated[tuple[Words, ...], Field(max_length=12)]
Score = Annotated[int, Field(ge=1, le=4)]
Decision = Literal["accept", "reject"]


class Review(Strict):
    """A review in the form of the large machine-learning conferences."""

    summary: Words
    strengths: Points
    weaknesses: Points
    questions: Points
    limitations: Points
    ethical_concerns: bool = False
    soundness: Score
    presentation: Score
    contribution: Score
    overall: Annotated[int, Field(ge=1, le=10)]
    confidence: Annotated[int, Field(ge=1, le=5)]
    decision: Decision


class MetaWords(Strict):
    """What the area chair writes; the numbers are combined by `tally`."""

    summary: Words
    agreed: Points  # what the reviews agree on
    disputed: Points  # where they differ
    advice: Points  # what a revision should do, most important first


class Doubt(Strict):
    """Only in logs of older sessions: a claim that a reviewer found unsupported, and the section that has it."""

    quote: str
    relation: Literal["contradicts", "lacks"]
    key: str
    why: Words
    severity: Literal["major", "minor"]
    section: str


class Tally(Strict):
    """The numbers of several reviews combined: means, and the decision of the majority; a tie rejects."""

    reviews: int
    overall: float
    soundness: float
    presentation: float
    contribution: float
    confidence: float
    accepts: int
    decision: Decision


def tally(reviews: Sequence[Review]) -> Tally | None:
    """Combine the numbers of the usable reviews; None if there are none."""
    if not reviews:
        return None
    accepts = sum(review.decision == "accept" for review in reviews)
    means = {
        name: fmean(getattr(review, name) for review in reviews)
        for name in ("overall", "soundness", "presentation", "contribution", "confidence")
    }
    return Tally(
        reviews=len(reviews), accepts=accepts, **means, decision="accept" if 2 * accepts > len(reviews) else "reject"
    )
