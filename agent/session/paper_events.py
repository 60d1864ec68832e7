"""The events of writing a paper: its sections, citations, verdicts, compiles, reviews and revisions. See events.py."""

from __future__ import annotations

from typing import Literal

from agent.core.reviews import Doubt, MetaWords, Review
from agent.core.schema import Happened
from agent.core.works import Chosen, Missing
from agent.core.writing import Refusal, SectionPhase, Unsupported


class SectionsWritten(Happened):
    """The writer edited sections in one pass, and the truth checks were applied to them."""

    type: Literal["sections_written"] = "sections_written"
    sections: dict[str, int]  # for each section of the pass, how many passages the checks refuse
    phase: SectionPhase
    round: int  # 0: the pass itself; 1, 2, ...: repairs
    revision: int = 0  # number of the revision, in the phase "improve"
    refused: str  # code of why the edit did not count; "" if it did
    commit: str


class SectionWritten(Happened):
    """Only in logs of older sessions: a pass over one section. The fields are those of SectionsWritten."""

    type: Literal["section_written"] = "section_written"
    section: str
    phase: SectionPhase
    round: int
    revision: int = 0
    refused: str
    complaints: int
    commit: str


class CitationsSought(Happened):
    """The writer said what the paper should cite and does not, and that was searched for."""

    type: Literal["citations_sought"] = "citations_sought"
    round: int
    missing: tuple[Missing, ...]  # empty: nothing is missing
    sources: tuple[str, ...]


class CitationsChosen(Happened):
    """The writer chose works to be cited. A work that no search returned is refused."""

    type: Literal["citations_chosen"] = "citations_chosen"
    round: int
    chosen: tuple[Chosen, ...]
    refused: tuple[tuple[str, str], ...]  # key, why
    commit: str


class SupportChecked(Happened):
    """The reviewer compared sentences that cite with the abstracts of the works that they cite."""

    type: Literal["support_checked"] = "support_checked"
    round: int
    judged: tuple[str, ...]  # names of the pairs of sentence and work that were compared in this round
    unsupported: tuple[Unsupported, ...]


class SentencesJudged(Happened):
    """The judge read the told sentences that had no verdict yet, beside records, code and settings."""

    type: Literal["sentences_judged"] = "sentences_judged"
    round: int
    model: str  # which model judged
    judged: tuple[str, ...]  # names of the sentences; a name depends on words, paragraph and signs of all comparisons
    refused: tuple[Refusal, ...]
    failed: str  # why there is no answer; empty if there is one


class Compiled(Happened):
    """The paper was rendered and compiled."""

    type: Literal["compiled"] = "compiled"
    round: int
    ok: bool
    pages: int
    problems: tuple[str, ...]
    dropped: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]  # pieces that TeX cannot set, with the reason; they are left out from now on
    commit: str
    findings: tuple[str, ...] = ()  # what the page checks found
    returned: tuple[tuple[str, str], ...] = ()  # (section, complaint): goes back to the writer once


class EvidenceReviewed(Happened):
    """Only in logs of older sessions: a reviewer looked for claims that the records do not support."""

    type: Literal["evidence_reviewed"] = "evidence_reviewed"
    checked: str  # what was compared with what, in the reviewer's words
    doubts: tuple[Doubt, ...]
    dropped: tuple[str, ...]  # findings that were refused, with the reason
    failed: str  # why there is no answer; empty if there is one


class ReviewGiven(Happened):
    """One reviewer of the ensemble answered, or gave no usable answer."""

    type: Literal["review_given"] = "review_given"
    revision: int  # 0: the paper as it was written
    number: int
    review: Review | None
    failed: str


class PaperReviewed(Happened):
    """All reviewers have answered, and their numbers were combined: the mean, and the majority's decision."""

    type: Literal["paper_reviewed"] = "paper_reviewed"
    overall: float | None  # None: no reviewer gave a usable answer
    decision: str
    commit: str
    revision: int = 0
    words: MetaWords | None = None
    failed: str = ""  # why the area chair gave no usable answer


class RevisionChecked(Happened):
    """A revised paper went through the checks. If it failed, it is undone without being reviewed."""

    type: Literal["revision_checked"] = "revision_checked"
    revision: int
    failed: tuple[str, ...]  # what is worse than before; empty: it may be reviewed


class RevisionJudged(Happened):
    """The better of two versions is kept. If that is the old one, its sections were restored from its commit."""

    type: Literal["revision_judged"] = "revision_judged"
    revision: int
    kept: bool
    reason: str
    commit: str
