"""The page checks: each flaw planted in a small real document is found, and a clean one passes."""

import subprocess

import pytest

from agent.literature.library import load_library
from agent.sandbox.boxes import BubblewrapSandbox
from paper.pictures.figures import standard_figures
from paper.press.compile import compile_pdf
from paper.press.pages import CODES, content_pages, examine
from paper.press.printed import read
from paper.press.render import render, write
from tests.support.paper_fixture import fixture

HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}\usepackage{mathptmx,graphicx}\usepackage{hyperref}
\begin{document}
\section{Results}
\label{sec:results}
"""
TAIL = "\\end{document}\n"
FILLER = "Words about nothing in particular fill the page until it is full. " * 40 + "\n\n"
CLEAN = (
    r"See \hyperref[fig:one]{Figure~\ref*{fig:one}}."
    "\n"
    + FILLER
    + r"\begin{figure}[h]\centering\includegraphics[width=3in]{good}\caption{One.}\label{fig:one}\end{figure}"
    "\n" + FILLER * 8
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Figures of a plot.py: a good one, one with tiny letters, one with Type 3 fonts, one coarse raster."""
    folder = tmp_path_factory.mktemp("pictures")
    script = """
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
for name, size, kind, letters in (("good", 3, 42, 9), ("tiny", 12, 42, 9), ("type3", 3, 3, 9)):
    plt.rcParams.update({"pdf.fonttype": kind, "font.size": letters})
    figure, axis = plt.subplots(figsize=(size, size / 2), layout="constrained")
    axis.plot([1, 2, size]); axis.set_xlabel("step"); figure.savefig(name + ".pdf")
figure.savefig("coarse.png", dpi=40)
"""
    import sys

    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
    return folder


def findings(folder, pictures, body, head=HEAD):
    for path in pictures.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tex = head + body + TAIL
    (folder / "paper.tex").write_text(tex)
    done = compile_pdf(folder, BubblewrapSandbox())
    assert done.pdf is not None, done.problems
    return examine(tex, read(done.pdf.read_bytes()), done.problems)


def codes(found):
    return {f.code for f in found}


def test_a_clean_document_has_no_finding(tmp_path, pictures):
    assert findings(tmp_path, pictures, CLEAN + FILLER * 3) == ()


def test_flaws_of_figures_are_found_with_their_page(tmp_path, pictures):
    body = FILLER + "".join(
        rf"\includegraphics[width=3in]{{{name}}}" "\n\n" for name in ("tiny", "type3", "coarse.png", "good", "good")
    )
    found = findings(tmp_path, pictures, body + FILLER * 6)

    assert codes(found) == {"small-letters", "bitmap-font", "coarse-raster", "same-figure"}
    assert all(1 <= f.page <= 3 and f.section == "" for f in found)
    assert "2.2 pt" in next(f.words for f in found if f.code == "small-letters")
    assert "40 dpi" in next(f.words for f in found if f.code == "coarse-raster")


def test_flaws_of_the_text_are_found_and_name_the_section_that_can_mend_them(tmp_path, pictures):
    body = CLEAN + (
        "\\clearpage\n\\null\n\\clearpage\nSee Table~\\ref{tab:nowhere}.\n\n% piece: results:4\n"
        "\\noindent\\mbox{A line that is much wider than the text: "
        + "wider " * 30
        + "}\n\n"
        + FILLER * 12
        + r"\begin{figure}[h]\rule{1in}{1in}\caption{Late.}\label{fig:late}\end{figure}"
        r"\begin{figure}[h]\rule{1in}{1in}\caption{Alone.}\label{fig:alone}\end{figure}"
        r"\label{app:x}\label{app:x}{\fontsize{4}{5}\selectfont " + FILLER * 4 + "}\n" + FILLER * 20
    )
    body = r"See \hyperref[fig:late]{the late one}." "\n\n" + body
    found = findings(tmp_path, pictures, body)

    assert codes(found) == {
        "empty-page",
        "unresolved",
        "overfull",
        "far-float",
        "never-mentioned",
        "same-label",
        "too-long",
        "small-print",
    }
    assert {f.code: f.section for f in found if f.code in ("overfull", "far-float", "too-long")} == {
        "overfull": "results",
        "far-float": "results",
        "too-long": "results",
    }
    assert {f.words.split(" (")[0] for f in found if f.code == "empty-page"} == {"it is empty", "it is nearly empty"}
    assert any("Figure 3 (fig:alone)" in f.words for f in found if f.code == "never-mentioned")
    assert any(f.words.endswith("page 1 in the section results") for f in found if f.code == "far-float")


def test_a_font_that_is_not_in_the_file_is_found_and_a_short_paper_is_called_short(tmp_path, pictures):
    head = HEAD.replace("\\begin{document}", "\\pdfmapline{=ptmr8r Times-Roman <8r.enc}\n\\begin{document}")
    found = findings(tmp_path, pictures, FILLER, head)

    assert codes(found) == {"missing-font", "too-short"}


def test_every_code_says_how_it_is_mended():
    assert all(CODES.values())


def test_our_own_figures_tables_and_appendix_have_no_finding(tmp_path):
    given = fixture()
    figures = standard_figures(given.facts, tmp_path / "figures")
    long = {**given.sections, "background": given.sections["background"] + "\n\nWe ask why. " * 60}
    paper = render(long, given.facts, figures, load_library(), given.meta)
    write(paper, tmp_path)
    done = compile_pdf(tmp_path, BubblewrapSandbox())
    printed = read(done.pdf.read_bytes())

    assert codes(examine(paper.tex, printed, done.problems)) <= {"too-short"}
    assert len(printed.pictures) == 4 and 3 <= content_pages(printed) <= 9


def test_a_file_that_is_no_pdf_is_said_to_be_none(tmp_path):
    with pytest.raises(ValueError, match="not a readable PDF"):
        read(b"%PDF-1.5 but nothing follows")
