"""How far the reviewing of a paper has come: drafts, reviews, revisions. Pure; a part of the fold.

A draft is the paper between two rewritings. A revision makes one, and so does putting back the version before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.session import events as ev
from agent.session.states import SectionState


@dataclass(frozen=True)
class Best:
    """The reviewed version that a revision under way is compared with."""

    compiled: ev.Compiled
    sections: dict[str, SectionState]
    reviews: tuple[ev.ReviewGiven, ...]
    meta: ev.PaperReviewed

    @property
    def complaints(self) -> int:
        """Passages that the truth checks refuse."""
        return sum(state.complaints for state in self.sections.values())


@dataclass(frozen=True)
class Judging:
    """`reviews`, `meta` and `checked` are those of the present draft."""

    draft: int = 0
    reviews: tuple[ev.ReviewGiven, ...] = ()
    meta: ev.PaperReviewed | None = None
    revision: int = 0  # the one under way, or the last one
    best: Best | None = None  # there while a revision is under way
    checked: ev.RevisionChecked | None = None
    past: tuple[tuple[ev.RevisionJudged, Judging], ...] = ()  # each revision that was judged, and where it had come to

    def new_draft(self) -> Judging:
        return replace(self, draft=self.draft + 1)

    def revise(self, revision: int, best: Best) -> Judging:
        """A revision begins; `best` is what it must beat."""
        return replace(self, draft=self.draft + 1, revision=revision, best=best, reviews=(), meta=None, checked=None)

    def apply(self, event: ev.Event) -> Judging:
        match event:
            case ev.ReviewGiven():
                return replace(self, reviews=(*self.reviews, event))
            case ev.PaperReviewed():
                return replace(self, meta=event)
            case ev.RevisionChecked():
                return replace(self, checked=event)
            case ev.RevisionJudged():
                past = (*self.past, (event, replace(self, past=())))
                if event.kept or self.best is None:
                    return replace(self, best=None, past=past)
                before = replace(self, reviews=self.best.reviews, meta=self.best.meta)
                return replace(before, draft=self.draft + 1, best=None, past=past)
        return self
