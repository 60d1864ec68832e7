"""Bent section files through the renderer and through TeX: each compiles, or is refused with a reason.

Nine files make a paper. All papers are set in one run of TeX; one that it cannot set goes the way the product goes:
round after round without the piece that failed.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount, SandboxSpec
from agent.session.policy import COMPILE_ROUNDS
from paper.pictures.figures import standard_figures
from paper.press.compile import compile_pdf, read_log
from paper.press.parts import Rendered
from paper.press.render import render, write
from paper.text.parser import parse
from paper.text.sections import SECTIONS
from tests.suites.fuzz.markup import SECTION_MUTATORS
from tests.suites.fuzz.mutate import mutations
from tests.suites.fuzz.watch import Hung, watched
from tests.support.paper_fixture import Fixture, fixture

LIMITS = Limits(wall_s=900.0, memory_mb=2048, processes=64, disk_mb=500, files=800, file_mb=200, output_mb=64)
COMMAND = ("pdflatex", "-draftmode", "-interaction=nonstopmode", "-no-shell-escape", "-file-line-error", "paper.tex")
NAMES = [spec.name for spec in SECTIONS]
Tried = Callable[[list["Paper"]], list["Paper"]]


@dataclass
class Paper:
    """Nine bent files and what became of them."""

    texts: dict[str, str]
    hows: dict[str, str]
    rendered: Rendered | None = None
    crash: str = ""
    cpu_s: float = 0.0
    unset: dict[str, str] = field(default_factory=dict)  # pieces that TeX could not set, with its reason


@dataclass
class SectionReport:
    papers: list[Paper] = field(default_factory=list)
    compiled: int = 0
    refused: int = 0
    rounds: int = 0

    @property
    def crashes(self) -> list[str]:
        return [f"{paper.crash} (files bent by {paper.hows})" for paper in self.papers if paper.crash]

    def line(self) -> str:
        files = sum(len(paper.texts) for paper in self.papers)
        return (
            f"{files} section files: {self.compiled} compiled, {self.refused} refused, "
            f"{len(self.crashes)} papers neither"
        )


def fuzz_sections(root: Path, sandbox: Sandbox, *, count: int, seed: int, tried: Tried = list) -> SectionReport:
    """`count` files, rounded up to whole papers; `tried` says which of these are set."""
    given = fixture()
    figures = standard_figures(given.facts, root / "figures")
    report = SectionReport(papers=tried(list(_bent(given, -(-count // len(NAMES)), seed))))
    for paper in report.papers:
        _render(paper, given, figures)
    left = [paper for paper in report.papers if not paper.crash]
    while left:
        report.rounds += 1
        bad = _set_together(left, root / f"together-{report.rounds}", sandbox)
        for paper in bad:
            _set_alone(paper, given, figures, root / "alone", sandbox)
        if not bad:
            break
        left = [paper for paper in left if all(paper is not other for other in bad)]
    for paper in report.papers:
        _count(paper, report)
    return report


def _bent(given: Fixture, papers: int, seed: int) -> Iterator[Paper]:
    texts = {}
    for name in NAMES:
        draw = Random(f"{seed}:{name}")
        bases = [given.sections[name]] * 4 + list(given.sections.values())
        texts[name] = mutations(bases, draw, papers, SECTION_MUTATORS)
        draw.shuffle(texts[name])  # so that the files of a paper are bent in different ways
    for number in range(papers):
        yield Paper({name: texts[name][number][1] for name in NAMES}, {name: texts[name][number][0] for name in NAMES})


def _render(paper: Paper, given: Fixture, figures: Sequence) -> None:
    meta = replace(given.meta, broken=tuple(sorted(paper.unset.items())))
    try:
        with watched(paper):
            paper.rendered = render(paper.texts, given.facts, figures, given.library, meta)
    except (Exception, Hung) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        paper.crash = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"


def _set_together(papers: Sequence[Paper], folder: Path, sandbox: Sandbox) -> list[Paper]:
    """All papers in one document; those with an error of TeX, or all that follow where TeX did not come through."""
    write(papers[0].rendered, folder)
    for paper in papers:
        for name, source in paper.rendered.files.items():
            (folder / name).write_bytes(source.read_bytes())
    head, _ = papers[0].rendered.tex.split("\\begin{document}", 1)
    tex, starts = head + "\\begin{document}\n", []
    for paper in papers:
        starts.append(tex.count("\n"))
        tex += _part(paper.rendered.tex)
    (folder / "paper.tex").write_text(tex + "\\typeout{all is set}\n\\end{document}\n")
    log = _run(folder, sandbox)
    lines = [problem.line for problem in read_log(log) if problem.kind == "error"]
    bad = {sum(start < line for start in starts) - 1 for line in lines}
    if "all is set" not in log and not bad:
        raise AssertionError(f"TeX did not come through and does not say why: {log[-500:]}")
    return [papers[number] for number in sorted(bad)]


def _part(tex: str) -> str:
    """One paper as a part of a document of many."""
    title = "".join(re.findall(r"(?m)^\\paper(?:title|authors|statement)\{.*$", tex))
    body = tex.split("\\begin{document}", 1)[1].rsplit("\\end{document}", 1)[0]
    body = re.sub(r"(?m)^\\bibliograph(?:y|ystyle)\{.*\}$", "", body)
    return (
        "\\clearpage\\normalsize\\setcounter{section}{0}\\renewcommand{\\thesection}{\\arabic{section}}\n"
        f"{title}\n{body}\n"
    )


def _run(folder: Path, sandbox: Sandbox) -> str:
    mount = Mount(folder, "/paper", writable=True)
    spec = SandboxSpec(
        argv=COMMAND,
        cwd="/paper",
        mounts=(mount,),
        limits=LIMITS,
        latex=True,
        env={"max_print_line": "2000", "SOURCE_DATE_EPOCH": "0"},
    )
    process = sandbox.start(spec, stdout=folder / "stdout.txt", stderr=folder / "stderr.txt")
    while process.poll() is None:
        time.sleep(0.05)
    return (folder / "paper.log").read_text(encoding="utf-8", errors="replace")


def _set_alone(paper: Paper, given: Fixture, figures: Sequence, folder: Path, sandbox: Sandbox) -> None:
    """As CompilePaper goes on: what does not compile is left out in the next round."""
    for _ in range(COMPILE_ROUNDS + 1):
        write(paper.rendered, folder)
        found = compile_pdf(folder, sandbox)
        if found.ok:
            return
        paper.unset |= {p.piece: p.text for p in found.errors if p.piece}
        _render(paper, given, figures)
    paper.crash = f"does not compile after {COMPILE_ROUNDS + 1} rounds: {found.errors[:2]}"


def _count(paper: Paper, report: SectionReport) -> None:
    """A file of which nothing is printed was refused; each piece that is not printed has its reason."""
    if paper.crash or paper.rendered is None:
        return
    dropped = {drop.key: drop for drop in paper.rendered.dropped}
    for name in NAMES:
        if any(sentence.key not in dropped for sentence in parse(name, paper.texts[name]).sentences):
            report.compiled += 1
        elif [c for c in paper.rendered.complaints if c.section == name and c.text]:
            report.refused += 1
        else:
            paper.crash = f"nothing of {name} is printed, and nothing says why"
    if not all(drop.code and drop.text for drop in dropped.values()):
        paper.crash = "a piece was left out without a reason"
