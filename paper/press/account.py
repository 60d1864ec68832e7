"""paper/meta.json (the account): everything that a paper was rendered from, apart from its sections and the records.

With the account, paper.tex is a pure function of the session's repository. The session renders its paper through
`render_paper`, and so does everybody who verifies it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from agent.core.schema import Strict
from agent.core.writing import Refusal, Unsupported
from agent.literature.library import Library
from paper.evidence.facts import Facts
from paper.pictures.figures import Figure
from paper.press.parts import PaperMeta, Rendered
from paper.press.render import render
from paper.press.venue import FOLDER as STYLE
from paper.press.venue import read_style
from paper.truth.told import Verdicts

HERE = Path(__file__).parents[2]
FILE = "paper/meta.json"
_PROGRAM = (
    "paper/**/*.py",
    "paper/press/templates/*",
    "agent/literature/library.py",
    "agent/literature/bibtex.py",
    "agent/literature/shelf/*.bib",
)


class FigureAccount(Strict):
    """A figure of the paper; `file` lies inside the repository."""

    name: str
    file: str
    caption: str
    by: str
    width: float


class PaperAccount(Strict):
    """What the paper prints or depends on, and what stands neither in a section nor in a record."""

    program: str  # sha256 over the files of the program that rendered it (`program_sha256`)
    matplotlib: str  # version that drew the standard figures
    base: str  # the commit that the paper was rendered from; printed in its appendix
    profile: str
    records: dict[str, str]  # run -> sha256 of its record, in the order of the tables
    statement: str
    fallback_title: str
    command: str
    costs: tuple[tuple[str, str], ...]
    allow: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]
    figures: tuple[FigureAccount, ...]
    unsupported: tuple[Unsupported, ...] = ()
    judged: tuple[str, ...] = ()  # names of the told sentences that were judged
    refusals: tuple[Refusal, ...] = ()
    judge: str = ""
    same_judge: bool = False
    literature: tuple[tuple[str, str], ...] = ()
    authors: str = ""
    style: tuple[str, ...] = ()  # files of a venue's own style, below paper/style
    findings: tuple[str, ...] = ()  # of the page checks, when it was compiled
    files: dict[str, str] = {}  # sha256 of paper.tex, of the PDF and of every other file of paper/ that was made


def render_paper(
    account: PaperAccount,
    sections: Mapping[str, str],
    records: Sequence[RunRecord],
    manifest: Manifest,
    library: Library,
    repo: Path,
    *,
    source: str,
    diff: str,
) -> Rendered:
    """Render the paper of an account.

    Args:
        repo: the folder in which the account's figures and style files lie.
        source: the code of the run that the paper describes.
        diff: how that code differs from the first baseline's.
    """
    figures = [
        Figure(name=f.name, file=repo / f.file, caption=f.caption, description="", by=f.by, width=f.width)
        for f in account.figures
    ]
    venue = read_style(repo / STYLE) if account.style else None
    meta = PaperMeta(
        statement=account.statement,
        fallback_title=account.fallback_title,
        command=account.command,
        source=source,
        diff=diff,
        costs=account.costs,
        allow=account.allow,
        broken=account.broken,
        commit=account.base,
        unsupported=account.unsupported,
        literature=account.literature,
        verdicts=Verdicts(frozenset(account.judged), account.refusals),
        judge=account.judge,
        same_judge=account.same_judge,
        authors=account.authors,
        venue=venue,
    )
    citable = library.adding(venue.works) if venue else library
    return render(sections, Facts(records, manifest, account.profile), figures, citable, meta)


@cache
def program_sha256() -> str:
    """A hash over the files that render a paper. Another version may word captions or break lines differently."""
    digest = hashlib.sha256()
    for path in sorted(p for pattern in _PROGRAM for p in HERE.glob(pattern)):
        digest.update(f"{path.relative_to(HERE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
