"""Compiles paper.tex to paper.pdf with latexmk in the sandbox, and reads TeX's log into problems.

A problem names the piece of the paper that it comes from; what is done about it is decided elsewhere.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox import harvest
from agent.storage.atomic import write_bytes
from agent.storage.temporary import TemporaryFolder
from paper.press.parsed import page_count

LIMITS = Limits(wall_s=240.0, memory_mb=2048, processes=64, disk_mb=200, files=500, file_mb=100, output_mb=8)
COMMAND = (
    "latexmk",
    "-norc",
    "-pdf",
    "-interaction=nonstopmode",
    "-halt-on-error",
    "-no-shell-escape",
    "-file-line-error",
    "paper.tex",
)
INSIDE = "/paper"
MAX_PDF = 64 * 2**20
OVERFULL_PT = 5.0
REMARKS = ("overfull", "glyph")  # kinds of problems that leave the PDF usable
INPUTS = (".tex", ".bib", ".cls", ".sty", ".bst", ".pdf", ".png", ".def", ".clo", ".cfg", ".fd", ".ttf", ".tfm", ".enc")


@dataclass(frozen=True)
class Problem:
    """One message of TeX. `piece` is the part of the paper that it belongs to, e.g. "results:4"; "" if unknown."""

    kind: Literal["error", "undefined", "overfull", "limit", "glyph"]
    line: int
    text: str
    piece: str = ""
    source: str = ""  # the offending line of paper.tex


@dataclass(frozen=True)
class Compiled:
    """The result of a compile. `ok`: there is a PDF, no error and no undefined reference (REMARKS do not count)."""

    ok: bool
    pdf: Path | None
    pages: int
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.kind not in REMARKS)


def compile_pdf(folder: Path, sandbox: Sandbox, limits: Limits = LIMITS) -> Compiled:
    """Compile `folder`/paper.tex, and write paper.log there, and paper.bbl and paper.pdf if they were made.

    TeX works on a copy of the folder; nothing else that it writes comes back.

    Raises:
        InfrastructureError: latexmk cannot be started.
    """
    tex = (folder / "paper.tex").read_text(encoding="utf-8")
    with TemporaryFolder("paper") as scratch:
        work = Path(scratch) / "work"
        work.mkdir()
        for path in sorted(folder.iterdir()):
            if path.suffix in INPUTS and path.name != "paper.pdf" and path.is_file() and not path.is_symlink():
                shutil.copy(path, work / path.name)
        reason, output = _run(work, Path(scratch), sandbox, limits)
        log = _text(work, "paper.log") or output
        bibliography = _text(work, "paper.bbl")
        problems = list(read_log(log, tex, bibliography))
        data, pages = _pdf(work)
    if reason not in ("ok", "exit"):
        problems.insert(0, Problem("limit", 0, f"TeX was stopped: {reason}"))
    if data is None and not any(p.kind in ("error", "limit") for p in problems):
        tail = " ".join(output.split())[-300:]
        problems.insert(0, Problem("error", 0, f"no PDF came out: {tail}"))
    ok = data is not None and reason == "ok" and not any(p.kind not in REMARKS for p in problems)
    write_bytes(folder / "paper.log", log.encode())
    if bibliography:
        write_bytes(folder / "paper.bbl", bibliography.encode())
    if data is None:
        return Compiled(False, None, 0, tuple(problems))
    write_bytes(folder / "paper.pdf", data)
    return Compiled(ok, folder / "paper.pdf", pages, tuple(problems))


def _run(work: Path, scratch: Path, sandbox: Sandbox, limits: Limits) -> tuple[str, str]:
    output = scratch / "output.txt"
    mount = Mount(work, INSIDE, writable=True)
    spec = SandboxSpec(
        argv=COMMAND,
        cwd=INSIDE,
        mounts=(mount,),
        limits=limits,
        latex=True,
        env={"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "2000"},
    )
    process = sandbox.start(spec, stdout=output, stderr=scratch / "errors.txt")
    while (ended := process.poll()) is None:
        time.sleep(0.02)
    text = _text(scratch, output.name) + _text(scratch, "errors.txt")
    if ended.code == 127 or (ended.code != 0 and "latexmk" not in text.lower() and not (work / "paper.log").exists()):
        raise InfrastructureError(
            "latexmk does not run: install texlive-latex-extra, texlive-fonts-recommended and "
            f"latexmk, or use --no-pdf. It said: {' '.join(text.split())[-200:] or 'nothing'}"
        )
    return ended.reason, text


# ---------------------------------------------------------------- the log

_ERROR = re.compile(r"^(?:\./)?([\w./+-]+\.(?:tex|cls|sty|bbl|aux|def|clo|cfg|fd)):(\d+): (.*)$", re.MULTILINE)
_BARE_ERROR = re.compile(r"^! (.*)$", re.MULTILINE)
_UNDEFINED = re.compile(
    r"^(?:LaTeX|Package natbib) Warning: (?:Hyper reference|Reference|Citation) [`'](.+?)'.*? "
    r"undefined"
    r"(?:[^\n]*?on input line (\d+))?",
    re.MULTILINE,
)
_OVERFULL = re.compile(r"^Overfull \\([hv])box \(([\d.]+)pt too (?:wide|high)\)(?:.*?lines? (\d+))?", re.MULTILINE)

_BIBITEM = re.compile(r"\\bibitem(?:\[(?:[^\[\]{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\])?\s*\{([^{}]+)\}")
_MISSING = re.compile(r"^Package runglyphs Warning: (U\+.* is in no font) on input line (\d+)", re.MULTILINE)
_REFERENCES = re.compile(r"(?s).*\n== references ==\n(?!.*\n== text ==\n)")
_PIECE = re.compile(r"% piece: (\S+)|\\(?:label\{app:|paperappendix)")  # the appendix has no pieces


def read_log(log: str, tex: str = "", bbl: str = "") -> tuple[Problem, ...]:
    """The problems in a log of TeX: errors, undefined references, overfull boxes above 5 pt, characters without a font.

    `tex` is the text of paper.tex, by which a problem finds its piece of the paper; `bbl` is BibTeX's output, by which
    an error in the references finds its work.
    """
    lines = tex.split("\n")
    found = [
        _problem("error", int(n), text.strip(), lines)
        if file == "paper.tex"
        else Problem("error", 0, f"{file}, line {n}{_work(bbl, int(n)) if file == 'paper.bbl' else ''}: {text.strip()}")
        for file, n, text in _ERROR.findall(log)
        if not text.strip().startswith("==> Fatal error")
    ]  # "Fatal error" only follows the error that says what is wrong
    if not found:
        found = [_problem("error", 0, text.strip(), lines) for text in _BARE_ERROR.findall(log)]
    broken = bool(found)  # then TeX never ran again to define the references, and all of them are undefined
    for name, number in () if broken else _UNDEFINED.findall(log):
        found.append(_problem("undefined", int(number or 0), f"{name} is undefined", lines))
    for match in _OVERFULL.finditer(log):
        box, points, number = match.groups()
        if float(points) > OVERFULL_PT:
            listed = _REFERENCES.match(log, 0, match.start()) is not None  # then the line is one of paper.bbl
            where, line = (" in the references", 0) if listed else ("", int(number or 0))
            found.append(_problem("overfull", line, f"{box}box {points} pt too large{where}", lines))
    for match in _MISSING.finditer(log):
        number = 0 if _REFERENCES.match(log, 0, match.start()) else int(match[2])
        found.append(_problem("glyph", number, f"{match[1]}{'' if number else ' in the references'}", lines))
    return tuple(dict.fromkeys(found))


def _work(bbl: str, number: int) -> str:
    """The work to whose entry a line of paper.bbl belongs, as ", the work <key>"."""
    keys = _BIBITEM.findall("\n".join(bbl.split("\n")[:number]))
    return f", the work {keys[-1]}" if keys else ""


def _problem(
    kind: Literal["error", "undefined", "overfull", "glyph"], number: int, text: str, lines: list[str]
) -> Problem:
    marks = (_PIECE.match(line) for line in reversed(lines[: max(0, number)]))
    piece = next((m[1] or "" for m in marks if m), "")
    source = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
    return Problem(kind, number, text, piece, source)


def _text(folder: Path, name: str) -> str:
    try:
        return harvest.read_tail(folder, name, 4 * 2**20).decode("utf-8", errors="replace")
    except harvest.Unharvestable:
        return ""


def _pdf(work: Path) -> tuple[bytes | None, int]:
    """The PDF and its number of pages; (None, 0) unless it is a plain file within bounds that can be read."""
    try:
        data = harvest.read_bytes(work, "paper.pdf", MAX_PDF)
        return data, page_count(data)
    except (harvest.Unharvestable, ValueError):
        return None, 0
