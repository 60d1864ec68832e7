"""The part of a session's state that concerns reviewing: drafts, reviews, revisions. Pure.

A draft is the paper between two rewritings. A revision makes a new draft, and undoing one does so too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.session import events as ev
from agent.session.states import SectionState


@dataclass(frozen=True)
class Best:
    """The reviewed version with which the current revision is compared."""

    compiled: ev.Compiled
    sections: dict[str, SectionState]
    reviews: tuple[ev.ReviewGiven, ...]
    meta: ev.PaperReviewed

    @property
    def complaints(self) -> int:
        """How many passages the truth checks refuse."""
        return sum(state.complaints for state in self.sections.values())


@dataclass(frozen=True)
class Judging:
    """How far reviewing has come. `reviews`, `meta` and `checked` are those of the current draft."""

    draft: int = 0
    reviews: tuple[ev.ReviewGiven, ...] = ()
    meta: ev.PaperReviewed | None = None
    revision: int = 0  # number of the current or the last revision
    best: Best | None = None  # set during a revision
    checked: ev.RevisionChecked | None = None
    past: tuple[tuple[ev.RevisionJudged, Judging], ...] = ()  # each judged revision, with the state before its verdict

    def new_draft(self) -> Judging:
        """The state once the paper was rewritten."""
        return replace(self, draft=self.draft + 1)

    def revise(self, revision: int, best: Best) -> Judging:
        """The state once a revision begins; `best` is the version that it has to beat."""
        return replace(self, draft=self.draft + 1, revision=revision, best=best, reviews=(), meta=None, checked=None)

    def apply(self, event: ev.Event) -> Judging:
        """The state after an event; events that do not concern reviewing change nothing."""
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
