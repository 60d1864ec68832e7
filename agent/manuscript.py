"""The paper's material of one session, handed to the paper pipeline: sections, facts, figures, library."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.atomic import write_text
from agent.results import best, measured_records, session_facts
from agent.tools import Tools
from paper import checks, tables
from paper.compile import compile_pdf
from paper.complaints import Complaint
from paper.expressions import vocabulary
from paper.facts import Facts
from paper.figures import Figure
from paper.library import Entry, Library, load_library
from paper.render import PaperMeta, render
from paper.sections import SECTIONS

OFFERED = 24  # works offered to the writer of a section


@dataclass(frozen=True)
class Built:
    """What a compile left. `culprits` names the pieces that the next round drops."""

    ok: bool
    pages: int
    problems: tuple[str, ...]
    dropped: tuple[str, ...]
    culprits: tuple[str, ...]
    files: tuple[str, ...]


def section_file(name: str) -> str:
    """A section's file inside repo/."""
    return f"paper/sections/{name}.md"


class Manuscript:
    """Reads the session's repository; writes only in `build`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._repo = tools.paths.repo

    @cached_property
    def facts(self) -> Facts:
        return session_facts(self._tools)

    @cached_property
    def library(self) -> Library:
        return load_library()

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(Figure(name=f.name, file=self._repo / f.file, caption=f.caption, description=f.description,
                            by=f.by, width=0.8 if f.by == "agent" else 1.0)
                     for f in self._tools.session.figures)

    @cached_property
    def source(self) -> str:
        """The code of the run that the paper describes."""
        described = best(measured_records(self._tools), self._tools.template.manifest)
        return self._tools.versions.show(described.commit, self._tools.template.manifest.editable[0])

    def sections(self) -> dict[str, str]:
        files = {spec.name: self._repo / section_file(spec.name) for spec in SECTIONS}
        return {name: path.read_text() for name, path in files.items() if path.is_file()}

    def complaints(self, section: str) -> list[Complaint]:
        """What the truth checks refuse in one section."""
        found = checks.check(self.sections(), self.facts, self.figures, self.library, source=self.source)
        return [c for c in found if c.section == section]

    def rules(self, section: str) -> dict[str, Any]:
        """What the writer may use in a section: expressions, runs, figures, tables, citations."""
        idea = self._tools.session.idea
        query = " ".join([idea.Title, idea.Experiment, *idea.details().values(), section.replace("_", " ")])
        return {
            "vocabulary": vocabulary(self.facts), "runs": self.facts.explored, "figures": self.figures,
            "tables": [f"`[@tab:{name}]`" for name in tables.names(self.facts)],
            "entries": self.library.search(query, OFFERED),
        }

    def build(self, repo: Path, work: Path, *, drop: tuple[str, ...], pdf: bool) -> Built:
        """Render, and compile if asked; the results go into repo/paper."""
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        rendered = render(self.sections(), self.facts, self.figures, self.library, self._meta(), folder=work, drop=drop)
        target = repo / "paper"
        for name in ("paper.tex", "references.bib"):
            write_text(target / name, (work / name).read_text())
        files = ["paper/paper.tex", "paper/references.bib"]
        if not pdf:
            return Built(True, 0, (), rendered.dropped, (), tuple(files))
        compiled = compile_pdf(work, self._tools.sandbox)
        if compiled.pdf:
            shutil.copyfile(compiled.pdf, target / "paper.pdf")
            files.append("paper/paper.pdf")
        return Built(compiled.ok, compiled.pages, tuple(str(p) for p in compiled.problems), rendered.dropped,
                     (), tuple(files))

    def _meta(self) -> PaperMeta:
        raise NotImplementedError

    @staticmethod
    def offered(entries: tuple[Entry, ...]) -> list[str]:
        return [entry.line() for entry in entries]
