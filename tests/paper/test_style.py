"""--paper-style: a venue's own class makes the paper, and a folder that lacks something is refused in one line."""

from dataclasses import replace

import pytest

from agent.core.errors import UserError
from agent.sandbox.boxes import BubblewrapSandbox
from paper.pictures.figures import standard_figures
from paper.press.compile import compile_pdf
from paper.press.pages import examine
from paper.press.printed import read
from paper.press.render import render, write
from paper.press.venue import read_style
from tests.support.paper_fixture import fixture
from tests.support.pdf_words import pdf_text

CLASS = r"""\NeedsTeXFormat{LaTeX2e}
\ProvidesClass{tinyconf}[2025/01/01 A tiny two-column class]
\LoadClass[twocolumn,10pt]{article}
\RequirePackage[letterpaper,textwidth=6.9in,textheight=9in]{geometry}
\RequirePackage[T1]{fontenc}
\RequirePackage{mathptmx,courier}
"""
PREAMBLE = "% camera-ready\n\\documentclass[final]{tinyconf}\n\\usepackage{microtype}\n\\newcommand{\\venue}{Tiny}\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "tinyconf"
    folder.mkdir()
    (folder / "tinyconf.cls").write_text(CLASS)
    (folder / "preamble.tex").write_text(PREAMBLE)
    return folder


def test_a_venues_class_sets_the_same_paper(folder, tmp_path):
    given = fixture()
    figures = standard_figures(given.facts, tmp_path / "figures")
    paper = render(given.sections, given.facts, figures, given.library, replace(given.meta, venue=read_style(folder)))
    write(paper, tmp_path / "paper")
    done = compile_pdf(tmp_path / "paper", BubblewrapSandbox())
    text = " ".join(pdf_text(done.pdf).split())
    found = examine(paper.tex, read(done.pdf.read_bytes()), done.problems)

    assert done.ok and "0.805 ± 0.005" in text and "written by a test" in text and "January" not in text
    assert paper.tex.split("\n")[1] == r"\documentclass[final]{tinyconf}"
    assert set(paper.files) >= {"tinyconf.cls", "preamble.tex", "runparts.sty"} and "runpaper.cls" not in paper.files
    assert {f.code for f in found} <= {"too-short", "overfull", "far-float"}  # its columns are narrow for formulas
    assert not [f for f in found if f.code == "overfull" and not f.section]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: (f / "preamble.tex").unlink(), "lacks preamble.tex"),
        (lambda f: (f / "preamble.tex").write_text("\\usepackage{x}"), "no \\documentclass"),
        (lambda f: (f / "preamble.tex").write_text(PREAMBLE + "\\begin{document}"), "must end before"),
        (lambda f: (f / "tinyconf.cls").unlink(), "tinyconf.cls: named in preamble.tex"),
        (lambda f: (f / "preamble.tex").write_text(PREAMBLE + "\\usepackage{nowhere2031}"), "nowhere2031.sty: named"),
        (lambda f: [(f / name).write_text("") for name in ("a.bst", "b.bst")], "a.bst, b.bst: keep the one"),
        (lambda f: (f / "paper.tex").write_text(""), "paper.tex: rename it"),
        (lambda f: (f / "a b.sty").write_text(""), "a b.sty: rename it"),
        (lambda f: (f / "big.pdf").write_bytes(b"\0" * (9 << 20)), "big.pdf: 9 MB"),
        (lambda f: [(f / f"{i}.sty").write_text("") for i in range(80)], "82 style files"),
    ],
)
def test_a_folder_that_lacks_something_is_refused_in_one_line(folder, change, says):
    change(folder)

    with pytest.raises(UserError, match="--paper-style") as caught:
        read_style(folder)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_style(tmp_path / "nowhere")


def test_a_comment_names_no_package(folder):
    (folder / "preamble.tex").write_text(PREAMBLE + "% \\usepackage{nowhere2031}\n")

    assert read_style(folder).documentclass == r"\documentclass[final]{tinyconf}"
    assert read_style(folder).bibliography == "plainnat"


def test_the_venues_bibtex_style_is_used(folder):
    (folder / "tiny.bst").write_text("")

    assert read_style(folder).bibliography == "tiny"


def test_a_work_of_the_template_with_a_command_that_cannot_be_set_is_named(tmp_path):
    work = r"@misc{doe2020, title={A \noopsort{x}}, author={Doe, Jane}, year={2020}}"
    (tmp_path / "template.tex").write_text(
        "\\begin{filecontents}{references.bib}\n" + work + "\n\\end{filecontents}\n"
        "\\documentclass{article}\n\\begin{document}\n\\section{Introduction}\nINTRO HERE\n\\end{document}\n"
    )

    with pytest.raises(UserError, match=r"the work doe2020 has \\noopsort in its title"):
        read_style(tmp_path)
