"""Collects what one session's paper is made from (sections, facts, figures, library), and builds the paper from it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.core.template import joined
from agent.core.writing import FigureText
from agent.lab.built import file_sha256
from agent.lab.worlds import package_version
from agent.literature.found import FILE as FOUND
from agent.literature.found import FoundWorks, read_found
from agent.literature.library import Entry, Library, shipped_library
from agent.llm.prompting import render
from agent.publishing import digest
from agent.publishing.colophon import authors, command, continued, costs, literature, statement
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.publishing.signatures import signers
from agent.session.session import Session
from agent.session.tools import Tools
from agent.storage.atomic import write_bytes, write_text
from paper.evidence.expressions import forms, vocabulary
from paper.evidence.facts import Facts
from paper.evidence.few import few
from paper.pictures.figures import AGENT_LABEL, Figure
from paper.press import pages, tables
from paper.press.account import FILE as ACCOUNT
from paper.press.account import FigureAccount, PaperAccount, program_sha256, render_paper
from paper.press.compile import Compiled, Problem, compile_pdf
from paper.press.outline import ORIGIN
from paper.press.printed import read
from paper.press.render import write
from paper.press.venue import FOLDER as STYLE
from paper.press.venue import Venue, read_style
from paper.reading.branches import parsed_paper
from paper.text.cited import Cited, cited_pairs
from paper.text.sections import SECTIONS
from paper.truth import checks, told
from paper.truth.checks import unverified_numbers
from paper.truth.complaints import Complaint

SIGNED = "Signed with key"  # in the appendix
OFFERED = 24  # works of the library that the writer is offered


@dataclass(frozen=True)
class Built:
    """What a build made."""

    ok: bool  # it was compiled without errors, or no PDF was asked for
    pages: int
    problems: tuple[str, ...]  # of TeX
    dropped: tuple[str, ...]  # sentences that were cut
    broken: tuple[tuple[str, str], ...]  # (piece, reason): what TeX cannot set, and the next build leaves out
    files: tuple[str, ...]  # that were written, inside repo/
    findings: tuple[str, ...] = ()  # of the page checks
    returned: tuple[tuple[str, str], ...] = ()  # (section, complaint): what a writer can fix


def section_file(name: str) -> str:
    """A section's file inside repo/."""
    return f"paper/sections/{name}.md"


class Manuscript:
    """The paper of one session. It reads the session's repository, and only `build` writes to it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._repo = tools.paths.repo

    @cached_property
    def facts(self) -> Facts:
        return session_facts(self._tools)

    @cached_property
    def found(self) -> FoundWorks:
        """The works that literature services returned and this session cites."""
        path = self._repo / FOUND
        return read_found(path.read_bytes() if path.is_file() else None)

    @cached_property
    def library(self) -> Library:
        """All works that may be cited."""
        known = shipped_library().adding(self.found.entries())
        return known.adding(self._venue.works) if self._venue else known

    @cached_property
    def _venue(self) -> Venue | None:
        """The venue's style that `--paper-style` names; None without one."""
        chosen = self._tools.session.options.paper_style
        return read_style(Path(chosen)) if chosen else None

    @property
    def cited(self) -> tuple[Cited, ...]:
        return cited_pairs(self.sections(), self.library)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(
            Figure(
                name=f.name,
                file=self._repo / f.file,
                description=f.description,
                by=f.by,
                width=f.width,
                caption=f.caption if f.by == "runner" else f"{self._agent_caption(f)} {AGENT_LABEL}",
            )
            for f in self._tools.session.figures
        )

    def _agent_caption(self, figure: FigureText) -> str:
        """The caption that plot.py gave.

        A plot.py of an AI-Scientist (v1) folder gives none. There the writer's description is used, without those of
        its sentences that have a number which no record supports.
        """
        if self.facts.manifest.form == "own" or not figure.description:
            return figure.caption
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(figure.description.split()))
        borne_out = [s for s in sentences if not [n for n in unverified_numbers(s, self.facts) if n != "%"]]
        return " ".join(borne_out) or figure.caption

    @cached_property
    def source(self) -> str:
        """The code of the run that the paper describes."""
        commit = self.facts.described.commit
        return joined({name: self._tools.versions.show(commit, name) for name in self.facts.manifest.editable})

    def sections(self) -> dict[str, str]:
        """The Markdown of each section that is written, by name."""
        files = {spec.name: self._repo / section_file(spec.name) for spec in SECTIONS}
        return {name: path.read_text() for name, path in files.items() if path.is_file()}

    def printed(self) -> dict[str, str]:
        """The text of each section as it prints, with the value of every expression."""
        found: dict[str, list[str]] = {name: [] for name in self.sections()}
        for passage in (p for p in self.passages if p.section != told.CAPTIONS):
            found.setdefault(passage.section, []).append(" ".join(s.text for s in passage.sentences))
        return {name: "\n\n".join(texts) for name, texts in found.items()}

    @property
    def passages(self) -> tuple[told.Passage, ...]:
        """Every paragraph and every caption of the agent, with the kinds of their sentences."""
        captions = {f.name: f.caption for f in self.figures if f.by == "agent"}
        return told.passages(parsed_paper(self.sections(), self.facts), self.facts, captions)

    @property
    def verdicts(self) -> told.Verdicts:
        """What the judge has said so far about sentences in the writer's own words."""
        events = self._tools.session.judgements
        return told.Verdicts(frozenset(n for e in events for n in e.judged), self._tools.session.refusals)

    def complaints(self, sections: Iterable[str]) -> list[Complaint]:
        """What the checks refuse in these sections, section by section."""
        found = checks.check(
            self.sections(),
            self.facts,
            [figure.name for figure in self.figures],
            tables.names(self.facts),
            self.library,
            source=self.source,
            allow=self._tools.session.options.allow,
            unsupported=self._tools.session.unsupported,
            verdicts=self.verdicts,
        )
        return [c for section in sections for c in found if c.section == section]

    def briefing(self) -> str:
        """The first message to the paper's writer. It stays the same while no run is added, so that it can be
        cached."""
        session, offered = self._tools.session, self.offered()
        foreign = {w.paper.key for w in self.found.works}
        return render(
            "paper_briefing",
            idea=session.idea,
            manifest=self.facts.manifest,
            plan=session.plan,
            runs=digest.runs(session, self.facts, words=True),
            table=table(digest.shown(self.facts)),
            vocabulary=vocabulary(few(self.facts), self.facts),
            figures=self.figures,
            tables=self._tables,
            chosen=session.to_cite,
            entries=[e for e in offered if e.key not in foreign],
            found=[e for e in offered if e.key in foreign],
        )

    def forms(self) -> dict[str, Any]:
        """What a writer needs to repair a passage, for a prompt: expressions, figures and tables."""
        return {
            "forms": forms(few(self.facts)),
            "figures": self.figures,
            "tables": self._tables,
        }

    @property
    def _tables(self) -> list[str]:
        return [f"`[@tab:{name}]`" for name in tables.names(self.facts)]

    def filled_in(self) -> list[tuple[str, list[str]]]:
        """By section, the sentences with expressions, as they print."""
        found: dict[str, list[str]] = {}
        for passage in self.passages:
            found.setdefault(passage.section, []).extend(s.text for s in passage.sentences if "{{" in s.source)
        return [(section, sentences) for section, sentences in found.items() if sentences]

    def words(self) -> int:
        """How many words the paper has as it prints."""
        return sum(len(s.text.split()) for passage in self.passages for s in passage.sentences)

    def offered(self) -> list[Entry]:
        """The works that the writer is offered: those chosen for the paper, those closest to the idea, those of the
        venue's template, and what the library has on the idea."""
        session, idea = self._tools.session, self._tools.session.idea
        closest = [c.key for c in session.verdict.closest] if session.verdict else []
        venue = [w.key for w in self._venue.works][:OFFERED] if self._venue else []
        named = self.library.entries(dict.fromkeys([*(c.key for c in session.to_cite), *closest, *venue]))
        query = " ".join([idea.Title, idea.Experiment, *idea.details().values()])
        return list({e.key: e for e in (*named, *self.library.search(query, OFFERED))}.values())

    def build(self, work: Path, *, base: str, broken: tuple[tuple[str, str], ...], pdf: bool) -> Built:
        """Render the paper into repo/paper, and compile it.

        Args:
            work: a folder for compiling; it is emptied first.
            base: the commit of the work tree, which the paper names and from which it is verified.
            broken: (piece, reason) of what TeX could not set before.
            pdf: whether to compile.
        """
        shutil.rmtree(work, ignore_errors=True)
        style = self._style()
        account = self._account(base, broken, style)
        rendered = render_paper(
            account,
            self.sections(),
            self.facts.records,
            self.facts.manifest,
            self.library,
            self._repo,
            source=self.source,
            diff=self._diff(),
        )
        write(rendered, work)
        target = self._repo / "paper"
        write(rendered, target)
        names = [*rendered.names]
        compiled = compile_pdf(work, self._tools.sandbox) if pdf else Compiled(True, None, 0, ())
        if compiled.pdf:
            write_bytes(target / "paper.pdf", compiled.pdf.read_bytes())
            names.append("paper.pdf")
        found = _pages(rendered.tex, compiled)
        made = {"files": {n: file_sha256(target / n) for n in sorted(names)}, "findings": tuple(map(str, found))}
        write_text(self._repo / ACCOUNT, account.model_copy(update=made).model_dump_json(indent=1) + "\n")
        pieces = {p.piece: p.text for p in compiled.errors if p.piece}
        return Built(
            ok=compiled.ok,
            pages=compiled.pages,
            problems=tuple(_problem(p) for p in compiled.problems),
            dropped=tuple(f"{d.section}, line {d.line}: {d.sentence} ({d.code}: {d.text})" for d in rendered.dropped),
            broken=(*broken, *sorted(pieces.items())),
            files=(ACCOUNT, *(f"paper/{name}" for name in names), *(f"{STYLE}/{name}" for name in style)),
            findings=tuple(map(str, found)),
            returned=_returned(compiled, found),
        )

    def _style(self) -> tuple[str, ...]:
        """Copy the venue's files into the repository, so that nothing else is needed to build the paper; their
        names."""
        if self._venue is None:
            return ()
        shutil.rmtree(self._repo / STYLE, ignore_errors=True)
        for name, path in self._venue.files.items():
            write_bytes(self._repo / STYLE / name, path.read_bytes())
        return tuple(self._venue.files)

    def _account(self, base: str, broken: tuple[tuple[str, str], ...], style: tuple[str, ...]) -> PaperAccount:
        session = self._tools.session
        records = {r.run: file_sha256(self._repo / "records" / f"{r.run}.json") for r in self.facts.records}
        return PaperAccount(
            program=program_sha256(),
            matplotlib=package_version("matplotlib"),
            base=base,
            profile=self.facts.profile,
            records=records,
            statement=statement(session, self.facts.manifest),
            fallback_title=session.idea.Title,
            command=command(session),
            costs=(*continued(session), *costs(session), (SIGNED, signers(self._repo, self._tools.signer.public))),
            allow=session.options.allow,
            broken=broken,
            style=style,
            authors=authors(session),
            unsupported=session.unsupported,
            judged=tuple(sorted(self.verdicts.judged)),
            refusals=session.refusals,
            judge=next((e.model for e in session.judgements if not e.failed), ""),
            same_judge=session.options.models.reviewer == session.options.models.writer,
            literature=(*literature(session, self.found, self.library), *self._of_the_template()),
            figures=tuple(
                FigureAccount(
                    name=f.name,
                    file=f.file.relative_to(self._repo).as_posix(),
                    caption=f.caption,
                    by=f.by,
                    width=f.width,
                )
                for f in self.figures
            ),
        )

    def _of_the_template(self) -> list[tuple[str, str]]:
        """A row for the appendix that names cited works which stand in the venue's template only."""
        theirs = {w.key for w in self._venue.works} if self._venue else set()
        keys = dict.fromkeys(p.key for p in self.cited)
        marked = [w.key for w in self.library.entries(keys) if w.key in theirs and w.fields.get("source") == ORIGIN]
        return [("Cited from the template", f"{', '.join(marked)}: they stand in {ORIGIN}")] if marked else []

    def _diff(self) -> str:
        first, chosen = self.facts.measured[0], self.facts.described
        return self._tools.versions.diff(first.commit, chosen.commit, self.facts.manifest.editable)


def _pages(tex: str, compiled: Compiled) -> tuple[pages.PageFinding, ...]:
    return pages.examine(tex, read(compiled.pdf.read_bytes()), compiled.problems) if compiled.pdf else ()


def _returned(compiled: Compiled, found: tuple[pages.PageFinding, ...]) -> tuple[tuple[str, str], ...]:
    """(section, complaint) for what a writer can fix: pieces that TeX refuses, and findings that name a section."""
    known = {spec.name for spec in SECTIONS}
    refused = [
        (p.piece.partition(":")[0], f"TeX cannot set this: {p.text}. The line: {p.source}")
        for p in compiled.errors
        if p.piece
    ]
    named = [(f.section, str(f)) for f in found if f.section]
    return tuple(dict.fromkeys((section, text) for section, text in (*refused, *named) if section in known))


def edition(session: Session) -> dict[str, str]:
    """Trailers of the paper's commit that distinguish it from earlier ones: draft, overruled rejections, style."""
    style, draft = session.options.paper_style, session.judging.draft
    chosen = (*session.options.allow, *([f"style {style}"] if style else []))
    wanted = {"Edition": hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:12]} if chosen else {}
    return wanted | ({"Draft": str(draft + 1)} if draft else {})


def _problem(problem: Problem) -> str:
    where = f" ({problem.piece})" if problem.piece else ""
    return f"{problem.kind}, line {problem.line}{where}: {problem.text}"
