"""LaTeX and sections: what a writer may not write, and what TeX may not do should it ever be written."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

from agent.core.manifest import Limits
from agent.sandbox.boxes import BubblewrapSandbox
from paper.press.compile import Compiled, compile_pdf
from paper.press.latex import escape
from paper.press.render import render
from paper.text import mathcheck
from tests.suites.hostile.attack import Attack, Stopped, first_line, must
from tests.support.paper_fixture import fixture
from tests.support.pdf_words import pdf_text

LIMITS = Limits(wall_s=3.0, memory_mb=600, processes=32, disk_mb=40, files=100, file_mb=8, output_mb=1)
HONEST = Limits(wall_s=60.0, memory_mb=600, processes=32, disk_mb=40, files=100, file_mb=8, output_mb=1)
SECRET = "planted-in-a-file"
# name; body of the document; the layer
_BODIES: tuple[tuple[str, str, str], ...] = (
    (r"\write18", r"\immediate\write18{touch PWNED; id > out.txt}\input{out.txt}", "shell escape off"),
    (r"\input through a pipe", r"\input{|\"cat SECRET\"}", "shell escape off"),
    (r"\input{/etc/passwd}", r"\input{/etc/passwd}", "openin_any=p, not mounted"),
    (r"\input of a session's file", r"\input{SECRET}", "openin_any=p, not mounted"),
    (
        r"\openin and \read",
        r"\newread\f\openin\f=SECRET \ifeof\f closed\else\read\f to\x\x\fi",
        "openin_any=p, not mounted",
    ),
    (r"\pdffiledump", r"\edef\x{\pdffiledump length 200 {SECRET}}\x", "openin_any=p, not mounted"),
    (r"\includegraphics of a foreign file", r"\includegraphics{/usr/share/texlive/../../../SECRET}", "not mounted"),
    (
        r"\openout outside",
        r"\newwrite\f\immediate\openout\f=../../PWNED \immediate\write\f{x}"
        r"\immediate\openout\f=PWNED \immediate\write\f{x}",
        "openout_any=p, read-only mounts",
    ),
    (
        r"\openout of .latexmkrc for the next time",
        r"\newwrite\f\immediate\openout\f=.latexmkrc \immediate\write\f{"
        r"system('touch PWNED');}",
        "a copy is compiled, with -norc",
    ),
    (
        r"\csname tricks",
        r"\expandafter\immediate\csname wri\endcsname te18{touch PWNED}"
        r"\csname inp\string ut\endcsname{/etc/passwd}\expandafter\input\expandafter{SECRET}",
        "shell escape off, openin_any=p",
    ),
    (
        "category codes and ^^ notation",
        r"\catcode`\!=0 !immediate!write18{touch PWNED}^^5cinput{SECRET}",
        "shell escape off, openin_any=p",
    ),
    ("an infinite macro loop", r"\def\x{\x}\x", "wall clock"),
    ("a macro that doubles itself", r"\def\a{\a\a}\a", "TeX's own capacity, wall clock"),
    ("endless pages", r"\loop\hbox{x}\vfill\eject\iftrue\repeat", "limits of the sandbox"),
    ("endless output", r"\loop\immediate\write16{xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\iftrue\repeat", "output limit"),
    (
        "an endless file",
        r"\newwrite\f\immediate\openout\f=x.txt \loop\immediate\write\f{xxxxxxxxxxxxxxxxxxxxxxxx}\iftrue"
        r"\repeat",
        "file-size limit",
    ),
)
_MATH = (
    r"\input{/etc/passwd}",
    r"\write18{id}",
    r"\csname input\endcsname x",
    r"\def\x{\x}\x",
    r"\loop x\iftrue\repeat",
    r"\catcode`\!=0",
    r"\expandafter\input x",
    r"\openout1=x",
    r"\immediate\write18{id}",
    r"^^5cinput x",
    r"\special{ps: x}",
    r"\includegraphics{x}",
    r"\href{javascript:x}{y}",
    r"\newcommand{\x}{\x}\x",
    r"\pdfobj{x}",
    r"\directlua{os.exit()}",
    r"\everymath{\x}",
    r"\text{\input{x}}",
    r"\begin{filecontents}{x}y\end{filecontents}",
)


_LIVE = (
    "\\input{",
    "\\write",
    "\\csname",
    "\\def\\x",
    "\\loop",
    "\\catcode",
    "\\expandafter",
    "\\openout",
    "\\immediate",
    "^^5c",
    "\\special",
    "\\href{javascript",
    "\\newcommand{\\x}",
    "\\pdfobj",
    "\\directlua",
    "\\everymath",
    "filecontents}",
)


class Papers:
    """A folder of papers, and a file they should not read."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.root = root
        self.secret = root / "secret.txt"
        self.secret.write_text(SECRET + "\n")
        self._count = 0

    def compile(self, body: str, *, files: dict[str, str] | None = None, limits: Limits = LIMITS) -> Compiled:
        self._count += 1
        folder = self.root / str(self._count)
        folder.mkdir()
        text = body.replace("PWNED", str(self.root / "pwned")).replace("SECRET", str(self.secret))
        document = f"\\documentclass{{article}}\\usepackage[T1]{{fontenc}}\\usepackage{{graphicx}}\\begin{{document}}\nWords.\n{text}\n\\end{{document}}\n"
        (folder / "paper.tex").write_text(document)
        for name, content in (files or {}).items():
            (folder / name).write_text(content.replace("PWNED", str(self.root / "pwned")))
        compiled = compile_pdf(folder, BubblewrapSandbox(grace_s=0.2), limits)
        if compiled.pdf:
            read = pdf_text(compiled.pdf)
            must(SECRET not in read and "root:" not in read, "a foreign file is in the PDF")
        log = (folder / "paper.log").read_text(errors="replace")
        must(SECRET not in log and "root:x" not in log, "a foreign file is in the log")
        must(
            {p.name for p in folder.iterdir()} <= {"paper.tex", "paper.pdf", "paper.log", *(files or {})},
            f"files were left: {sorted(p.name for p in folder.iterdir())}",
        )
        return compiled

    def honest(self) -> None:
        compiled = self.compile("An honest page.", limits=HONEST)
        must(compiled.ok and compiled.pages == 1, f"an honest paper afterwards: {compiled.problems[:2]}")

    def check(self) -> None:
        must(not list(self.root.glob("**/*pwned*")), "TeX wrote outside its folder, or ran a program")

    def close(self) -> None:
        shutil.rmtree(self.root)


def attacks() -> list[Attack]:
    found = [Attack(name, _body(body, by)) for name, body, by in _BODIES]
    return [
        *found,
        Attack(".latexmkrc and latexmkrc beside the paper", _latexmkrc),
        Attack("a class file of the writer's own", _texmf),
        Attack(f"{len(_MATH)} such commands as math in a section", _math),
        Attack("the same as plain words and code", _words),
    ]


def _body(body: str, by: str) -> Callable[[Papers], Stopped]:
    def run(stage: Papers) -> Stopped:
        compiled = stage.compile(body)
        seen = compiled.problems[0].text if compiled.problems else "compiled; nothing was read, written or run"
        return Stopped(by, first_line(seen))

    return run


def _latexmkrc(stage: Papers) -> Stopped:
    evil = "system('touch PWNED'); $pdflatex = 'touch PWNED; pdflatex -shell-escape %O %S';\n"
    compiled = stage.compile(
        "x", files={".latexmkrc": evil, "latexmkrc": evil, "texmf.cnf": "shell_escape = t\n"}, limits=HONEST
    )
    must(compiled.ok, f"it did not compile: {compiled.problems[:1]}")
    return Stopped("-norc, and only inputs are copied", "compiled; the files were not read")


def _texmf(stage: Papers) -> Stopped:
    evil = r"\NeedsTeXFormat{LaTeX2e}\immediate\write18{touch PWNED}\openin1=/etc/passwd \ifeof1\else\write18{touch PWNED}\fi"
    compiled = stage.compile("x", files={"graphicx.sty": evil}, limits=HONEST)
    seen = compiled.problems[0].text if compiled.problems else "loaded, without effect"
    return Stopped("shell escape off", first_line(seen))


def _math(stage: Papers) -> Stopped:
    """Through the whole renderer: refused, cut, and listed in the appendix as letters."""
    for formula in _MATH:
        must(mathcheck.problems(formula), f"allowed in math: {formula}")
    text = "".join(f"We write ${formula}$ here.\n\n$$\n{formula}\n$$\n\n" for formula in _MATH)
    given = fixture()
    paper, before = (
        render({"method": words}, given.facts, (), given.library, given.meta) for words in (text, "Nothing.")
    )
    for command in _LIVE:
        must(paper.tex.count(command) == before.tex.count(command), f"a live {command} is in paper.tex")
    must(len([c for c in paper.complaints if c.section == "method"]) >= len(_MATH), "some were not refused")
    return Stopped("math allow-list", mathcheck.problems(_MATH[0])[0])


def _words(stage: Papers) -> Stopped:
    """What the renderer makes of such text are letters, and TeX agrees."""
    text = " ".join(escape(formula) for formula in _MATH)
    must("\\input" not in text and "\\write" not in text and "\\csname" not in text, "a live command was left")
    compiled = stage.compile(textwrap.fill(text, 100), limits=HONEST)
    must(compiled.pages == 1 and "etc/passwd" in pdf_text(compiled.pdf), f"not printed: {compiled.problems[:2]}")
    return Stopped("escaping", "printed as letters")
