"""What goes into a rendered paper and what comes out of rendering, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.core.writing import Unsupported
from paper.evidence.vocabulary import Result
from paper.press.counted import Counted
from paper.press.glyphs import glyph_files
from paper.press.venue import PREAMBLE, Venue
from paper.truth.complaints import Complaint
from paper.truth.told import NONE_JUDGED, Verdicts


@dataclass(frozen=True)
class PaperMeta:
    """What a paper says about itself. It is passed in, so that rendering depends on nothing else."""

    statement: str  # who wrote the words and who measured; on the first page and in the appendix
    fallback_title: str  # used where the written title does not pass the checks
    authors: str = ""
    session: str = ""
    command: str = ""  # reproduces the paper
    source: str = ""  # code of the described run: the method may type its constants
    diff: str = ""  # of the described run against the first baseline
    costs: tuple[tuple[str, str], ...] = ()  # label, text
    allow: tuple[str, ...] = ()  # literals or sentences that a person lets print although a check refuses them
    broken: tuple[tuple[str, str], ...] = ()  # pieces that TeX could not set: key, reason
    venue: Venue | None = None  # style files of a venue; None: the paper's own class
    unsupported: tuple[Unsupported, ...] = ()  # cited sentences that the cited works do not support
    literature: tuple[tuple[str, str], ...] = ()  # label, text: how works were found and compared
    verdicts: Verdicts = NONE_JUDGED  # what the judge of told sentences said
    judge: str = ""  # the model that judged; empty: nobody did
    same_judge: bool = False  # judge and writer are one model
    commit: str = ""  # of the repository that the paper was rendered from


@dataclass(frozen=True)
class Dropped:
    """A piece that is not in the paper, and why."""

    section: str
    line: int
    sentence: str
    code: str
    text: str
    key: str


@dataclass(frozen=True)
class Rendered:
    """A rendered paper. `files` are copied beside paper.tex, by the names that they have there."""

    tex: str
    bib: str
    complaints: tuple[Complaint, ...]
    dropped: tuple[Dropped, ...]
    files: dict[str, Path]
    rows: tuple[tuple[str, Result], ...]  # distinct expressions printed, in the order of the provenance table
    kinds: Counted = Counted()  # of the sentences that print
    preamble: str = ""  # of a venue's template.tex

    @property
    def expressions(self) -> int:
        return len(self.rows)

    @property
    def texts(self) -> dict[str, str]:
        """The texts that rendering wrote, by file."""
        own = {"paper.tex": self.tex, "references.bib": self.bib}
        return own | ({PREAMBLE: self.preamble} if self.preamble else {})

    @cached_property
    def glyphs(self) -> dict[str, bytes]:
        """Fonts for characters that the paper's own fonts lack, by file; they depend on the fonts of this machine."""
        return glyph_files((self.tex, self.bib))

    @property
    def names(self) -> tuple[str, ...]:
        """Every file that the paper is compiled from."""
        return (*self.texts, *self.files, *self.glyphs)
