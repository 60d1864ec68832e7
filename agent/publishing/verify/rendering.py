"""Renders and compiles the paper of a repository again, and compares it with the committed one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.template import joined
from agent.lab.worlds import package_version
from agent.literature.found import FILE as FOUND
from agent.literature.found import read_found
from agent.literature.library import Library, load_library
from agent.publishing.verify.audits import audits
from agent.publishing.verify.subject import Material, Report, Subject
from agent.publishing.verify.values import values_problems
from agent.storage import foreign
from agent.storage.git_reader import GitReader
from agent.storage.temporary import TemporaryFolder
from paper.evidence.facts import Facts
from paper.pictures.figures import Figure, standard_figures
from paper.press.account import program_sha256, render_paper, sha256
from paper.press.compare import (
    Problem,
    compare_pages,
    compare_tex,
    count_numbers,
    missing_numbers,
    numerals,
    same_drawing,
)
from paper.press.compile import compile_pdf
from paper.press.outline import FILE as TEMPLATE
from paper.press.parsed import page_texts
from paper.press.parts import Rendered
from paper.press.render import write
from paper.press.venue import FOLDER as STYLE
from paper.press.venue import PREAMBLE
from paper.text.sections import SECTIONS


@dataclass(frozen=True)
class Makers:
    """How parts of a paper are made again. `compile` turns a folder with paper.tex into a PDF, or None without TeX."""

    compile: Callable[[Path], bytes | None]
    draw: Callable[[Facts, Path], tuple[Figure, ...]] = standard_figures


def check_paper(subject: Subject, repo: GitReader, material: Material, report: Report, makers: Makers) -> None:
    """Render the paper again from sections and records, and compare paper.tex, figures and PDF with the committed ones.

    What differs is added to the report, and so are the number of printed numbers, notes and audits.
    """
    with TemporaryFolder("verify") as scratch:
        folder = Path(scratch)
        report.say("Rendering the paper again from sections and records")
        sections, library = _sections(repo), _citable(repo)
        rendered = _rendered(repo, material, sections, library, folder / "repo")
        report.numbers = count_numbers(rendered)
        report.audits += audits(material, sections, library, rendered)
        found = [*_tex(subject, repo, rendered), *_beside(repo, rendered)]
        if found and material.account.program != program_sha256():
            report.problems += _by_values(subject, repo, material, rendered, report)
            return
        report.problems += found
        report.say("Drawing its figures again")
        report.problems += _figures(material, folder, report, makers)
        write(rendered, folder / "paper")
        report.say("Compiling the pages again and comparing them with the PDF")
        report.problems += _pdf(subject, repo, material, rendered, report, lambda: makers.compile(folder / "paper"))


def again(repo: GitReader, material: Material) -> tuple[dict[str, str], Rendered, int, list[Problem]]:
    """Render the committed paper's text again from the committed records, without TeX and without drawing.

    Returns the sections, the rendered paper, how many numbers it prints, and where the committed text differs.
    """
    with TemporaryFolder("render") as scratch:
        sections = _sections(repo)
        rendered = _rendered(repo, material, sections, _citable(repo), Path(scratch))
        tex = (repo.blob(repo.head, "paper/paper.tex") or b"").decode("utf-8", "replace")
        if material.account.program == program_sha256():
            return sections, rendered, count_numbers(rendered), compare_tex(tex, rendered)
        numbers, problems = values_problems(tex, material)  # another version words it differently
        return sections, rendered, numbers, problems


def recompile(folder: Path) -> bytes | None:
    """The PDF that this machine's TeX makes of a folder; None without TeX or sandbox.

    It always runs in the sandbox, because a venue's style is code of others.
    """
    if shutil.which("latexmk") is None:
        return None
    from agent.sandbox.boxes import BubblewrapSandbox

    try:
        compiled = compile_pdf(folder, BubblewrapSandbox())
    except InfrastructureError:  # there is no sandbox or no TeX
        return None
    return compiled.pdf.read_bytes() if compiled.pdf else None


def _by_values(
    subject: Subject, repo: GitReader, material: Material, rendered: Rendered, report: Report
) -> Iterator[Problem]:
    """Check a paper that another version of this program made: its numbers must be values of the records."""
    tex = (repo.blob(repo.head, "paper/paper.tex") or b"").decode("utf-8", "replace")
    report.numbers, problems = values_problems(tex, material)
    report.audits = []
    report.notes.append(
        f"This paper was made by another version of this program ({material.account.program[:8]}). Its wording, layout "
        "and figures are not compared, and its numbers by their values alone; with that version more is shown."
    )
    yield from problems
    if subject.tree:
        data, unread = _lying(subject.tree, "paper/paper.tex")
        yield from unread
        if data is not None and data != tex.encode():
            yield Problem("paper/paper.tex", "is not the file that is committed")
    as_made = replace(rendered, tex=tex, rows=(), files={})
    yield from _pdf(subject, repo, material, as_made, report, None)


# ---------------------------------------------------------------- text


@cache
def _library() -> Library:
    return load_library()


def _citable(repo: GitReader) -> Library:
    """All works that the paper may cite: the shipped library, and those that the session found (paper/found.json)."""
    return _library().adding(read_found(repo.blob(repo.head, FOUND)).entries())


def _sections(repo: GitReader) -> dict[str, str]:
    sections = {}
    for spec in SECTIONS:
        data = repo.blob(repo.head, f"paper/sections/{spec.name}.md")
        if data is not None:
            sections[spec.name] = data.decode("utf-8", "replace")
    return sections


def _rendered(
    repo: GitReader, material: Material, sections: dict[str, str], library: Library, folder: Path
) -> Rendered:
    """The paper rendered from the committed files; figures and style files are written into `folder` for it."""
    needed = [f.file for f in material.account.figures] + [f"{STYLE}/{name}" for name in material.account.style]
    foreign.write(folder, {name: repo.blob(repo.head, name) or b"" for name in needed})
    manifest, records = material.manifest, list(material.records.values())
    facts = Facts(records, manifest, material.account.profile)
    chosen = facts.described
    texts = {name: (repo.blob(chosen.commit, name) or b"").decode("utf-8", "replace") for name in manifest.editable}
    return render_paper(
        material.account,
        sections,
        records,
        manifest,
        library,
        folder,
        source=joined(texts),
        diff=repo.diff(facts.measured[0].commit, chosen.commit, manifest.editable),
    )


def _tex(subject: Subject, repo: GitReader, rendered: Rendered) -> Iterator[Problem]:
    """Differences of the committed paper.tex, and of the one in the work tree if it is another."""
    committed = repo.blob(repo.head, "paper/paper.tex")
    texts: dict[str, bytes | None] = {"": committed}
    if subject.tree:
        data, unread = _lying(subject.tree, "paper/paper.tex")
        texts |= {"not committed: ": data} if data not in (None, committed) else {}
        yield from unread
    for remark, tex in texts.items():
        for problem in compare_tex((tex or b"").decode("utf-8", "replace"), rendered):
            yield problem._replace(what=remark + problem.what)


def _lying(tree: Path, name: str) -> tuple[bytes | None, list[Problem]]:
    """A committed file as it is in the work tree, or None with the reason why it cannot be read."""
    try:
        return foreign.read(tree, name), []
    except foreign.Missing:
        return None, [Problem(name, "is committed, but not there")]
    except foreign.Foreign as problem:
        return None, [Problem(name, f"cannot be read there: {problem}")]


def _beside(repo: GitReader, rendered: Rendered) -> Iterator[Problem]:
    """Differences of the files beside paper.tex: references, preamble, class and figures."""
    if repo.blob(repo.head, "paper/references.bib") != rendered.bib.encode():
        yield Problem("paper/references.bib", "is not what the cited works give")
    if rendered.preamble and repo.blob(repo.head, f"paper/{PREAMBLE}") != rendered.preamble.encode():
        yield Problem(f"paper/{PREAMBLE}", f"is not what {STYLE}/{TEMPLATE} gives")
    for name, source in rendered.files.items():
        if repo.blob(repo.head, f"paper/{name}") != source.read_bytes():
            yield Problem(f"paper/{name}", f"is not {source.parent.name}/{source.name}, which the paper was made with")


def _figures(material: Material, folder: Path, report: Report, makers: Makers) -> Iterator[Problem]:
    """Draw the standard figures again from the records, and compare them with the committed ones."""
    account = material.account
    drawn = {f.name: f for f in account.figures if f.by == "runner"}
    others = len(account.figures) - len(drawn)
    if others:
        report.notes.append(
            f"{others} of {len(account.figures)} figures were drawn by the agent's plot.py; what they "
            "show is not verified."
        )
    if package_version("matplotlib") != account.matplotlib:
        report.notes.append(
            f"The figures were drawn with matplotlib {account.matplotlib}, which is not here; they are not drawn again."
        )
        return
    facts = Facts(list(material.records.values()), material.manifest, account.profile)
    for figure in makers.draw(facts, folder / "drawn"):
        told = drawn.pop(figure.name, None)
        if told is None:
            yield Problem(f"figure {figure.name}", "follows from the records, but the paper lacks it")
        elif told.caption != figure.caption:
            yield Problem(
                f"figure {figure.name}", f"has the caption {told.caption!r}; the records give {figure.caption!r}"
            )
        elif not same_drawing((folder / "repo" / told.file).read_bytes(), figure.file.read_bytes()):
            yield Problem(told.file, "does not show what the records give")
    for name in drawn:
        yield Problem(f"figure {name}", "does not follow from the records")


# ---------------------------------------------------------------- the PDF


def _pdf(
    subject: Subject,
    repo: GitReader,
    material: Material,
    rendered: Rendered,
    report: Report,
    compiled: Callable[[], bytes | None] | None,
) -> Iterator[Problem]:
    """Compare the given PDF and the committed one with a PDF that is compiled again from the rendered paper.

    Without `compiled`, or without TeX, only the numbers in their texts are compared with paper.tex.
    """
    committed = repo.blob(repo.head, "paper/paper.pdf")
    given: bytes | None = None
    unread: list[Problem] = []
    if subject.pdf:
        given = foreign.read_file(subject.pdf)
    elif subject.tree and (committed is not None or os.path.lexists(subject.tree / "paper/paper.pdf")):
        given, unread = _lying(subject.tree, "paper/paper.pdf")
    yield from unread
    if committed is None and given is None:
        if "paper.pdf" in material.account.files:
            yield Problem("paper/paper.pdf", "is missing")
        return
    again = compiled() if compiled else None
    if compiled and again is None:
        report.notes.append(
            "No TeX here can compile this paper, so the numbers in the PDF's text are compared with those of paper.tex."
        )
    for data in dict.fromkeys(d for d in (given, committed) if d is not None):
        yield from _one_pdf(data, again, data == committed, material, rendered, report)


def _one_pdf(
    data: bytes, again: bytes | None, committed: bool, material: Material, rendered: Rendered, report: Report
) -> Iterator[Problem]:
    if data == again:
        return
    pages = page_texts(data)
    if pages is None:
        yield Problem("paper.pdf", "cannot be read as a PDF")
        return
    if material.account.base not in "".join("".join(pages).split()):
        yield Problem(
            "paper.pdf",
            f"does not name commit {material.account.base[:8]}: it is the paper of another "
            "session, or of another state of this one",
        )
        return
    unaltered = sha256(data) == material.account.files.get("paper.pdf")
    if again is None:
        found = missing_numbers(pages, rendered)
    else:
        wanted = page_texts(again) or []
        found = compare_pages(pages, wanted, rendered.rows)
        if unaltered and found and numerals(pages) == numerals(wanted):
            report.notes.append("TeX breaks lines differently on this machine; the PDF prints the same numbers.")
            found = []
    yield from found
    if not unaltered and not found:
        yield Problem(
            "paper.pdf",
            "its bytes are not those that were made (its text is the same)"
            if not committed
            else "is not the file that was made, though its text is the same",
        )
