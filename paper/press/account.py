"""paper/meta.json: what a paper was rendered from, beside sections and records.

With it, paper.tex is a pure function of the session's repository: the loop renders through `render_paper`,
and so does everybody who verifies.
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
    """Everything that the paper says and that neither a section nor a record holds."""

    program: str  # sha256 over the renderer's own files
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
    findings: tuple[str, ...] = ()  # what the page checks remarked when it was compiled
    files: dict[str, str] = {}  # sha256 of what lies beside paper.tex, itself and the PDF included


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
    """The paper of an account. `source` and `diff`: code of the described run, and how it differs from run 0's."""
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
    """Names the version of the renderer: another one may break lines or word captions differently."""
    digest = hashlib.sha256()
    for path in sorted(p for pattern in _PROGRAM for p in HERE.glob(pattern)):
        digest.update(f"{path.relative_to(HERE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
