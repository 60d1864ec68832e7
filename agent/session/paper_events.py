"""What happened to the paper: written, checked against the literature, compiled, reviewed, revised. See events.py."""

from __future__ import annotations

from typing import Literal

from agent.core.reviews import Doubt, MetaWords, Review
from agent.core.schema import Happened
from agent.core.works import Chosen, Missing
from agent.core.writing import Refusal, SectionPhase, Unsupported


class SectionsWritten(Happened):
    """Sections were edited in one pass; complaints of the truth checks are counted, not forgotten."""

    type: Literal["sections_written"] = "sections_written"
    sections: dict[str, int]  # that the pass was about, each with what the checks refuse in it
    phase: SectionPhase
    round: int  # 0: the pass itself; 1, 2, ...: mending
    revision: int = 0  # of an "improve": which one
    refused: str  # code, if the edit did not count
    commit: str


class SectionWritten(Happened):
    """Of older sessions, read but not made: a pass over one section."""

    type: Literal["section_written"] = "section_written"
    section: str
    phase: SectionPhase
    round: int  # 0: the pass itself; 1, 2, ...: mending
    revision: int = 0  # of an "improve": which one
    refused: str  # code, if the edit did not count
    complaints: int
    commit: str


class CitationsSought(Happened):
    """What the written paper should cite and does not, and what was searched for it."""

    type: Literal["citations_sought"] = "citations_sought"
    round: int
    missing: tuple[Missing, ...]  # empty: nothing is missing
    sources: tuple[str, ...]


class CitationsChosen(Happened):
    """Works to be cited, each with its reason; a choice that nobody returned is refused."""

    type: Literal["citations_chosen"] = "citations_chosen"
    round: int
    chosen: tuple[Chosen, ...]
    refused: tuple[tuple[str, str], ...]  # key, why
    commit: str


class SupportChecked(Happened):
    """Each sentence that cites was compared with what the cited work says of itself."""

    type: Literal["support_checked"] = "support_checked"
    round: int
    judged: tuple[str, ...]  # names of the pairs of sentence and key that were read in this round
    unsupported: tuple[Unsupported, ...]


class SentencesJudged(Happened):
    """A reviewer read the told sentences that nobody had judged yet, with records, code and settings beside them."""

    type: Literal["sentences_judged"] = "sentences_judged"
    round: int
    model: str  # that judged
    judged: tuple[str, ...]  # names of the sentences; each binds words, paragraph and the signs of all comparisons
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
    broken: tuple[tuple[str, str], ...]  # pieces that TeX cannot set, with the reason; left out from here on
    commit: str
    findings: tuple[str, ...] = ()  # of the page checks
    returned: tuple[tuple[str, str], ...] = ()  # section, complaint: what goes back to the writer, once


class EvidenceReviewed(Happened):
    """Of older sessions, read but not made: a reviewer looked for claims that the records do not carry."""

    type: Literal["evidence_reviewed"] = "evidence_reviewed"
    checked: str  # what was compared with what, in the reviewer's words
    doubts: tuple[Doubt, ...]
    dropped: tuple[str, ...]  # findings that did not pass the checks, with the reason
    failed: str  # why there is no answer; empty if there is one


class ReviewGiven(Happened):
    """One reviewer of the ensemble answered, or gave no usable answer."""

    type: Literal["review_given"] = "review_given"
    revision: int  # 0: the paper as it was written
    number: int
    review: Review | None
    failed: str


class PaperReviewed(Happened):
    """The reviews are in, and their numbers are one: the mean, and the majority."""

    type: Literal["paper_reviewed"] = "paper_reviewed"
    overall: float | None  # None: no reviewer gave a usable answer
    decision: str
    commit: str
    revision: int = 0
    words: MetaWords | None = None
    failed: str = ""  # why there are no words


class RevisionChecked(Happened):
    """A revised paper went through the truth checks; one that fails is put back without being reviewed."""

    type: Literal["revision_checked"] = "revision_checked"
    revision: int
    failed: tuple[str, ...]  # what is worse than before; empty: it may be reviewed


class RevisionJudged(Happened):
    """The better of two versions stays; the sections of the other are put back from its commit."""

    type: Literal["revision_judged"] = "revision_judged"
    revision: int
    kept: bool
    reason: str
    commit: str
