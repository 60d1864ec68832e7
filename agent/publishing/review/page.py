"""Writes review/review.json and review/review.md: what reviewers and judge said, and which revisions were kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.core.reviews import Review, tally
from agent.llm.prompting import render
from agent.sandbox import harvest
from agent.session import events as ev
from agent.session.judging import Judging

JSON, MARKDOWN = "review/review.json", "review/review.md"


def usable(reviews: Sequence[ev.ReviewGiven]) -> list[Review]:
    """The reviews of those reviewers who gave one."""
    return [given.review for given in reviews if given.review is not None]


def ensemble(reviews: Sequence[ev.ReviewGiven], meta: ev.PaperReviewed | None) -> dict[str, Any]:
    """The reviews of one version of the paper, and the area chair's summary."""
    numbers = tally(usable(reviews))
    return {
        "meta": {
            "numbers": numbers and numbers.model_dump(),
            "failed": meta.failed if meta else "",
            "words": meta.words.model_dump() if meta and meta.words else None,
        },
        "reviews": [
            {
                "number": given.number,
                "failed": given.failed,
                "review": given.review.model_dump() if given.review else None,
            }
            for given in reviews
        ],
    }


def judged_part(judgements: Sequence[ev.SentencesJudged]) -> dict[str, Any] | None:
    """What the judge of told sentences read and refused, over all rounds."""
    if not judgements:
        return None
    return {
        "model": judgements[0].model,
        "judged": sum(len(event.judged) for event in judgements),
        "failed": next((event.failed for event in judgements if event.failed), ""),
        "refused": [
            refusal.model_dump(exclude={"name"}) | {"round": event.round}
            for event in judgements
            for refusal in event.refused
        ],
    }


def session_review(judging: Judging, title: str, judgements: Sequence[ev.SentencesJudged]) -> dict[str, Any]:
    """Everything that was said about a session's paper, the versions before revisions included."""
    past = [
        {
            "revision": judged.revision,
            "kept": judged.kept,
            "reason": judged.reason,
            "version": f"draft/{then.draft + 1}",
            **ensemble(then.reviews, then.meta),
        }
        for judged, then in judging.past
    ]
    return {
        "title": title,
        **ensemble(judging.reviews, judging.meta),
        "told": judged_part(judgements),
        "revisions": past,
    }


def summary(judging: Judging, judgements: Sequence[ev.SentencesJudged]) -> str:
    """One line for the end of a session."""
    numbers = tally(usable(judging.reviews))
    if numbers is None:
        return "no usable review"
    refused = sum(len(event.refused) for event in judgements)
    revised = f"; {sum(j.kept for j, _ in judging.past)} of {len(judging.past)} revisions kept" if judging.past else ""
    count = f"{numbers.reviews} {'review' if numbers.reviews == 1 else 'reviews'}"
    sentences = f"{refused} {'sentence' if refused == 1 else 'sentences'}"
    return f"{numbers.overall:.1f} of 10 over {count}, {numbers.decision}; {sentences} refused by the judge{revised}"


def texts(account: Mapping[str, Any]) -> dict[str, str]:
    """Both files of a review by name, without the control characters that a model's words may have."""
    page = render("review_page", **{"told": None, "revisions": [], **_each(account, _flat)})
    return {JSON: json.dumps(_each(account, harvest.clean), indent=1, ensure_ascii=False) + "\n", MARKDOWN: page}


def _flat(text: str) -> str:
    """A text as one line of Markdown that cannot begin a heading or a list."""
    line = harvest.one_line(text, 5000)
    return "\\" + line if line.startswith(("#", "-", "*", ">", "`", "<")) else line


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(item, change) for key, item in value.items()}
    return [_each(item, change) for item in value] if isinstance(value, list | tuple) else value
