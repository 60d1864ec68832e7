"""What was written is what is printed: names, labels, listings, works and conditions in any letters."""

from dataclasses import replace

import pytest

from agent.core.manifest import Condition
from agent.literature.library import parse_bibtex
from agent.sandbox.boxes import BubblewrapSandbox
from paper.evidence.facts import Facts
from paper.pictures.figures import standard_figures
from paper.press import latex
from paper.press.compile import compile_pdf, read_log
from paper.press.glyphs import glyph_files, unprintable
from paper.press.pages import examine
from paper.press.printed import read
from paper.press.render import render, write
from paper.text.scripts import refused_characters
from tests.support import paper_fixture as given
from tests.support.pdf_words import pdf_text

LABELS = {"f1": "R² (ΔF₁)", "mcc": "‖x−x̂‖₂, %", "dead": "Rows_#1 & 50% (naïve)"}
CONDITIONS = (Condition(name="k8", label="σ ≥ 0.5 & k_max"), Condition(name="k16", label="就地"))
WORKS = r"""
@article{nguyen2020, author = {Nguyễn, Văn An and Ковалёв, Иван and 就地 and {\DJ}uc, Ph{\'a}m}, year = {2020},
  title = {{$\ell_1$}-Penalized “naïve” ΔF₁ in $\mathcal{O}(n^2)$ and $\alpha \geq 0$: a $620 billion code}}
@misc{doe, author = {Doe, Jane}, title = {Λ of λ→∞}, date = {2020-04-06}}
"""
SENTENCE = "We follow [@nguyen2020] and [@doe] on ‖x−x̂‖₂, R² and ΔF₁ for σ ≥ τ, “naïve”, Nguyễn, Ковалёв and 就地 ✓."
LINE = "RATE = 0.05  # λ→∞, naïve ✓, 中文, ‖z‖₀ ≤ k — “quoted” ½"


def facts() -> Facts:
    manifest = given.manifest(CONDITIONS)
    metrics = {n: m.model_copy(update={"label": LABELS.get(n, m.label)}) for n, m in manifest.metrics.items()}
    return Facts(given.records(CONDITIONS), manifest.model_copy(update={"metrics": metrics}), "mini")


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    fixture, known = given.fixture(), facts()
    meta = replace(fixture.meta, fallback_title="ΔL₀ ≠ 0: naïve Nguyễn, 就地", diff=f"@@ -1 +1 @@\n+{LINE}\n")
    sections = {"introduction": SENTENCE, "discussion": "We ask why: 🧪.\n"}
    figures = standard_figures(known, folder / "figures")
    rendered = render(sections, known, figures, fixture.library.adding(parse_bibtex(WORKS)), meta)
    write(rendered, folder)
    return rendered, compile_pdf(folder, BubblewrapSandbox()), folder


def printed(paper) -> str:
    return "".join(pdf_text(paper[1].pdf).split())


def test_a_paper_in_many_letters_compiles_and_names_the_one_character_that_no_font_has(paper):
    rendered, compiled, _ = paper
    assert compiled.ok and rendered.dropped == ()
    tube = [p for p in compiled.problems if p.kind == "glyph"]
    assert [(p.text, p.piece) for p in tube] == [("U+1F9EA TEST TUBE is in no font", "discussion:1.0")]
    found = examine(rendered.tex, read(compiled.pdf.read_bytes()), compiled.problems)
    assert [f.section for f in found if f.code == "missing-character"] == ["discussion"]
    assert not [f for f in found if f.code in ("bitmap-font", "missing-font")]
    assert "[U+1F9EA]" in printed(paper)


@pytest.mark.parametrize("words", [LABELS["f1"], "Rows_#1&50%(naïve)", "‖x−", "σ≥0.5&k_max", "就地"])
def test_labels_and_conditions_are_printed_as_written(paper, words):
    assert words.replace(" ", "") in printed(paper)


def test_a_listing_is_printed_as_written(paper):
    assert "".join(LINE.split()).replace("naïve", "naïve") in printed(paper)


@pytest.mark.parametrize(
    "words", ["Nguyễn", "Ковалёв", "就地", "Ðuc", "Phám", "$620billion", "Doe(2020)", "ΔF₁", "Λofλ→∞"]
)
def test_a_bibliography_is_printed_as_written(paper, words):
    assert words.lower() in printed(paper).lower()


def test_the_pdf_has_its_title_as_written(paper):
    from pypdf import PdfReader

    assert PdfReader(paper[1].pdf).metadata.title == "ΔL₀ ≠ 0: naïve Nguyễn, 就地"


def test_the_same_text_gives_the_same_fonts_and_the_same_pdf(paper, tmp_path):
    rendered, compiled, _ = paper
    write(rendered, tmp_path)

    assert glyph_files((rendered.tex, rendered.bib)) == rendered.glyphs
    assert compile_pdf(tmp_path, BubblewrapSandbox()).pdf.read_bytes() == compiled.pdf.read_bytes()


def test_a_paper_in_plain_letters_has_no_fonts_beside_it():
    assert glyph_files((latex.escape("Plain ± words, naïve λ ≤ 1 – all of them: “x”"),)) == {}


def test_no_character_becomes_a_question_mark():
    signs = [chr(c) for c in range(0xA0, 0x2FFF)] + ["\U0001f9ea", "\U0001d6fc"]

    assert not [c for c in signs if "?" in latex.escape(c) + latex.code_text(c)]


def test_what_no_font_has_is_named():
    assert unprintable("R² 🧪 ok שלום")[0] == "U+1F9EA TEST TUBE"
    assert len(unprintable("R² 🧪 ok שלום")) == 5


@pytest.mark.parametrize(
    "word",
    ["improv\u0435s", "\u0435\u0445\u0441\u0435\u0435\u0501\u0455", "\uff49mproves", "\U0001d422mproves", "\u13aa"],
)
def test_letters_that_pass_for_others_are_refused_in_a_sentence(word):
    assert refused_characters(f"It {word} the score.")


@pytest.mark.parametrize("word", ["Nguyễn", "Ковалёв", "就地", "ΔF₁", "Ελένη", "ℝ", "‖x̂‖₂", "한국어", "½", "€", "✓"])
def test_names_and_symbols_are_not_refused(word):
    assert refused_characters(f"It is {word}, says the text.") == []


def test_an_error_in_the_bibliography_names_the_work():
    bbl = "\\begin{thebibliography}{2}\n\\bibitem[{\\relax É}lie(2020)]{elie2020}\nx\n\\bibitem[Doe(2021)]{doe}\ny\n"

    assert read_log("./paper.bbl:3: Undefined control sequence.\n", "", bbl)[0].text.startswith(
        "paper.bbl, line 3, the work elie2020: Undefined"
    )
