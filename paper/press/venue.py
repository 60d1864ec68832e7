"""Reads and checks a venue's own style files, which `--paper-style` names.

The folder needs preamble.tex, with the venue's lines from \\documentclass to before \\begin{document}; or the
template.tex of an AI-Scientist template, from which headings, their order and works are taken as well (outline.py).
Only plain files of the folder are taken.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import UserError
from agent.literature.library import Entry
from paper.press import outline

PREAMBLE = "preamble.tex"
FOLDER = "paper/style"  # its place in a session's repository
# Files of Debian's texlive-science that templates of papers often name.
SCIENCE = {f"{name}.sty" for name in ("algorithm", "algorithmic", "algorithmicx", "algpseudocode", "algorithm2e")}
NATBIB = {"plain": "plainnat", "unsrt": "unsrtnat", "abbrv": "abbrvnat"}  # the same looks, with authors and years
KINDS = (".cls", ".sty", ".bst", ".tex", ".def", ".clo", ".cfg", ".fd", ".pdf", ".png")
MAX_FILES, MAX_BYTES = 60, 8 << 20
_OURS = re.compile(r"paper\.|references\.bib$|runpaper\.cls$|run(?:parts|glyphs)\.sty$|glyphs[.-]|meta\.json$|fig-")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,80}\Z")
_CLASS = re.compile(r"\\documentclass\s*(?:\[[^\]]*\])?\s*\{\s*([A-Za-z0-9_.-]+)\s*\}")
_PACKAGES = re.compile(r"\\(?:usepackage|RequirePackage)\s*(?:\[[^\]]*\])?\s*\{([^}]+)\}")


@dataclass(frozen=True)
class Venue:
    """A venue's style as a paper uses it."""

    files: Mapping[str, Path]  # by the name that each has beside paper.tex
    documentclass: str  # the whole command
    bibliography: str  # name of the BibTeX style
    preamble: str = ""  # as template.tex gives it; "" where preamble.tex is one of the files
    headings: tuple[tuple[str, str], ...] = ()  # section and heading as LaTeX, in the template's order
    works: tuple[Entry, ...] = ()  # of the template's own bibliography
    left_out: str = ""  # what the paper does not take over from the template's text, in words

    @property
    def beside(self) -> dict[str, Path]:
        """Files that lie beside paper.tex."""
        return {name: path for name, path in self.files.items() if name != outline.FILE}


def read_style(folder: Path) -> Venue:
    """Read and check a folder of style files.

    Raises:
        UserError: the folder lacks something that a paper needs, or has a file that cannot be used.
    """
    where = f"--paper-style {folder}"
    if not folder.is_dir():
        raise UserError(f"{where}: no such folder")
    files = {p.name: p for p in sorted(folder.iterdir()) if p.suffix.lower() in KINDS and not p.is_dir()}
    if odd := [name for name, path in files.items() if path.is_symlink() or not path.is_file()]:
        raise UserError(f"{where}: {odd[0]}: is a link or a pipe, not a plain file; put a copy there")
    if (PREAMBLE in files) == (outline.FILE in files):
        both = f"has both {PREAMBLE} and {outline.FILE}: keep one"
        raise UserError(
            f"{where}: "
            + (
                both
                if PREAMBLE in files
                else f"lacks {PREAMBLE}: the venue's lines from "
                f"\\documentclass to before \\begin{{document}} (or a {outline.FILE} with places to fill)"
            )
        )
    for name, path in files.items():
        if not _NAME.match(name) or _OURS.match(name):
            raise UserError(f"{where}: {name}: rename it; a file of the paper has this name, or TeX cannot read it")
        if path.stat().st_size > MAX_BYTES:
            raise UserError(
                f"{where}: {name}: {path.stat().st_size >> 20} MB; a style file has at most {MAX_BYTES >> 20} MB"
            )
    if len(files) > MAX_FILES:
        raise UserError(f"{where}: {len(files)} style files; at most {MAX_FILES}: give the venue's own alone")
    return _venue(where, files)


def _venue(where: str, files: dict[str, Path]) -> Venue:
    name = PREAMBLE if PREAMBLE in files else outline.FILE
    given = files[name].read_text(encoding="utf-8", errors="replace")
    taken = outline.read_outline(given, where) if name == outline.FILE else None
    text = re.sub(r"(?<!\\)%.*", "", taken.preamble if taken else given)
    found = _CLASS.search(text)
    if found is None:
        raise UserError(f"{where}: {name} has no \\documentclass{{...}}")
    if r"\begin{document}" in text:
        raise UserError(f"{where}: {PREAMBLE} must end before \\begin{{document}}, which the program adds")
    styles = [name for name in files if name.endswith(".bst")]
    if len(styles) > 1:
        raise UserError(f"{where}: {', '.join(styles)}: keep the one BibTeX style that the venue asks for")
    packages = [package.strip() for group in _PACKAGES.findall(text) for package in group.split(",")]
    missing = [f for f in (f"{found[1]}.cls", *(f"{package}.sty" for package in packages)) if not _there(f, files)]
    if missing:
        science = "; apt-get install texlive-science brings them" if set(missing) <= SCIENCE else ""
        raise UserError(
            f"{where}: {', '.join(missing)}: named in {name}, but neither in the folder nor in this machine's "
            f"TeX{science or '; put them into the folder, or install the package of TeX Live that holds them'}"
        )
    style = styles[0].removesuffix(".bst") if styles else "plainnat"
    if taken is None:
        return Venue(files, found[0], style)
    if taken.style and f"{taken.style}.bst" not in files:
        style = _known(taken.style, where, files)
    return Venue(files, found[0], style, taken.preamble, taken.headings, taken.works, taken.left_out)


def _known(style: str, where: str, files: Mapping[str, Path]) -> str:
    """The natbib style for a BibTeX style that is named without its file.

    Raises:
        UserError: it has no form with authors and years, or this machine's TeX does not have it.
    """
    name = NATBIB.get(style, style)
    if not name.endswith("nat") or not _there(f"{name}.bst", files):
        raise UserError(
            f"{where}: \\bibliographystyle{{{style}}}: sentences name authors and years, which natbib's "
            f"styles give: put {style}.bst beside {outline.FILE} if it is one, or name plainnat"
        )
    return name


def _there(name: str, files: Mapping[str, Path]) -> bool:
    """Whether the folder or this machine's TeX has a file; True without TeX, where nothing is compiled."""
    if name in files or shutil.which("kpsewhich") is None:
        return True
    return subprocess.run(["kpsewhich", name], capture_output=True, check=False).returncode == 0
