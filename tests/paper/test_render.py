"""From sections and records to a PDF: linked, cut where it must be, the same each time."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from agent.core.errors import InfrastructureError
from agent.core.sandboxing import Exit
from agent.literature.library import load_library
from agent.sandbox.boxes import BubblewrapSandbox
from paper.evidence.facts import Facts
from paper.pictures.figures import AGENT_LABEL, standard_figures
from paper.press import seed_table, tables
from paper.press.code_changes import MAX_DIFF_LINES
from paper.press.compile import compile_pdf, read_log
from paper.press.render import CLASS_FILE, PARTS_FILE, render, write
from paper.text.parser import parse
from tests.support.paper_fixture import TWO, fixture
from tests.support.pdf_words import pdf_text

FIXTURE = fixture()


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return standard_figures(FIXTURE.facts, tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def compiled(figures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    write(rendered(figures), folder)
    return compile_pdf(folder, BubblewrapSandbox())


def rendered(figures, sections=None, given=FIXTURE, **meta):
    return render(given.sections | (sections or {}), given.facts, figures, given.library, replace(given.meta, **meta))


def compile_text(tmp_path, figures, sections, **meta):
    paper = rendered(figures, sections, **meta)
    write(paper, tmp_path)
    return paper, compile_pdf(tmp_path, BubblewrapSandbox())


def test_the_paper_compiles_without_a_complaint_and_has_its_pages(compiled):
    assert compiled.ok and compiled.problems == () and compiled.pages >= 6


def test_the_text_of_the_pdf_holds_the_numbers_and_the_statement(compiled):
    text = " ".join(pdf_text(compiled.pdf).split())

    assert "0.805 ± 0.005" in text and "written by a test" in text and "does not differ measurably from" in text
    assert "??" not in text and "{{" not in text.replace("{{ mean", "")


def test_no_font_is_a_bitmap(compiled):
    fonts = re.findall(rb"/Subtype\s*/Type3", compiled.pdf.read_bytes())

    assert fonts == []


def test_the_same_records_give_the_same_bytes(figures, tmp_path):
    pdfs = []
    for name in ("a", "b"):
        write(rendered(figures), tmp_path / name)
        pdfs.append(compile_pdf(tmp_path / name, BubblewrapSandbox()).pdf.read_bytes())

    assert pdfs[0] == pdfs[1]


def test_figures_are_drawn_alike_each_time(figures, tmp_path):
    again = standard_figures(FIXTURE.facts, tmp_path)

    assert [f.file.read_bytes() for f in again] == [f.file.read_bytes() for f in figures]
    assert [f.name for f in again] == ["metrics", "differences", "curves", "tradeoff"]
    assert all("n = 3" in f.caption for f in again)


def test_every_printed_expression_links_to_its_provenance_row(figures):
    paper = rendered(figures)
    used = {int(n) for n in re.findall(r"\\result\{(\d+)\}", paper.tex)}
    rows = [int(n) for n in re.findall(r"\\resultrow\{(\d+)\}", paper.tex)]

    assert used == set(rows) == set(range(1, paper.expressions + 1)) and len(rows) == len(set(rows))


def test_settings_and_names_stand_below_the_rows_of_results(figures):
    text = FIXTURE.sections["results"] + '\n\nEach row keeps {{ config("l0") }} latents of {{ name("topk") }}.\n'
    table, below = rendered(figures, {"results": text}).tex.split(
        "Settings, names and counts, which every record holds"
    )

    rows = [re.sub(r"\\\w+|[{}\\]", "", row) for row in re.findall(r"resultrow\{\d+\}(.*)", table)]
    assert rows and not [row for row in rows if "config" in row or "name" in row]
    assert "config" in below and "name" in below


def test_the_pdf_bears_the_papers_own_title_and_who_wrote_it(compiled):
    found = PdfReader(compiled.pdf).metadata
    title = parse("title", FIXTURE.sections["title"]).title
    assert (found.title, found.author) == (title.source, FIXTURE.meta.authors or FIXTURE.meta.session)


def test_of_a_long_diff_one_line_of_context_and_a_page_are_printed_and_the_command_for_the_rest(figures):
    hunk = "@@ -1,9 +1,9 @@\n far away\n beside\n-old\n+new\n beside too\n far again\n beside as well\n"
    diff = hunk + "+more\n" * MAX_DIFF_LINES
    tex = rendered(figures, diff=diff).tex

    assert r"beside\ too" in tex and "far" not in tex.split("difflines")[1]
    assert tex.split("difflines")[1].count("\\diffline{") == MAX_DIFF_LINES
    assert "Its last 6 lines are left out." in tex and "git" in tex.split("session's repository:")[1][:120]


def test_the_head_of_a_hunk_ends_no_page(tmp_path):
    """Behind every number of lines above it that a page holds; seventy pages, set once."""
    hunk = r"\diffline{hunk}{0}{@@\ head}\diffline{added}{0}{+one}\diffline{context}{0}{after}"
    shifted = "".join(rf"\newpage\vspace*{{{n}\baselineskip}}{{\difflines {hunk}}}" + "\n" for n in range(70))
    folder = tmp_path / "paper"
    folder.mkdir()
    for source in (CLASS_FILE, PARTS_FILE):
        (folder / source.name).write_bytes(source.read_bytes())
    (folder / "paper.tex").write_text(rf"\documentclass{{runpaper}}\begin{{document}}x{shifted}\end{{document}}")
    pages = [page.extract_text() for page in PdfReader(compile_pdf(folder, BubblewrapSandbox()).pdf).pages]
    heads = [page for page in pages if "@@" in page]

    assert len(heads) == 70 and all("+one" in page for page in heads)


def test_a_long_table_repeats_its_head_and_ends_each_page_with_a_rule_and_a_run_stands_together_under_its_name():
    many = tuple(range(1, 13))
    records = [r.model_copy(update={"seeds": many, "trainings": repeated(r, many)}) for r in FIXTURE.facts.records]
    text = seed_table.seeds(Facts(records, FIXTURE.facts.manifest, "mini"))
    rows = [line for line in text.splitlines() if re.search(r"&\d+\.\d{4}&", line)]
    named = [row for row in rows if not row.startswith("&")]

    assert r"\midrule%" in text and re.search(r"\\endhead%\s*\\bottomrule\\endfoot\\endlastfoot", text)
    measured = len(FIXTURE.facts.measured)
    assert len(rows) == 12 * measured and len(named) == 2 * measured  # ten rows, and the name again over the rest
    assert sum(r"\\*" in row for row in rows) == (9 + 1) * measured


def repeated(record, seeds):
    first = record.trainings[0]
    return tuple(first.model_copy(update={"seed": seed}) for seed in seeds)


def test_settings_that_only_idle_baselines_read_are_no_rows_and_one_condition_is_no_row_of_its_own():
    facts = FIXTURE.facts
    owned = [
        b.model_copy(update={"settings": ("batch",) if b.name == "idle" else ()}) for b in facts.manifest.baselines
    ]
    idle = owned[0].model_copy(update={"name": "idle", "settings": ("batch",)})

    def rows(*baselines):
        manifest = facts.manifest.model_copy(update={"baselines": baselines, "data_settings": ("d_in",)})
        return tables.settings(Facts(facts.records, manifest, facts.profile))

    assert "batch" in rows(*owned) and "batch" not in rows(*owned, idle)
    assert "batch" in rows(owned[0].model_copy(update={"settings": ("batch",)}), idle)
    assert "8 active latents" not in rows(*owned)


def test_a_refused_sentence_is_cut_and_listed_with_its_reason(figures):
    text = FIXTURE.sections["results"] + "\n\nWe list the runs again. The true score is 0.99 here. We ask why.\n"
    paper = rendered(figures, {"results": text})
    body, appendix = paper.tex.split("\\paperappendix")

    assert "0.99" not in body and "We list the runs again." in body and "We ask why." in body
    assert "The true score is 0.99 here." in appendix
    assert [(d.section, d.code) for d in paper.dropped] == [("results", "typed-number")]


def test_a_title_with_a_number_gives_way_to_the_given_one(figures):
    paper = rendered(figures, {"title": "# Gains of 40% in Recovery\n\nWe ask a question."})

    assert r"\papertitle{Hierarchical sparse autoencoders}" in paper.tex


def test_a_section_with_nothing_left_says_so(figures):
    paper = rendered(figures, {"conclusion": "Nesting wins by 40%."})

    assert "No sentence of this section passed the checks" in paper.tex


def test_what_a_person_allowed_is_printed_and_listed(figures):
    sentence = "The true score is 0.99 here."
    paper = rendered(figures, {"discussion": FIXTURE.sections["discussion"] + "\n\n" + sentence}, allow=(sentence,))

    assert paper.dropped == () and paper.tex.count("0.99") >= 2
    assert "kept by a person's decision" in paper.tex


def test_only_cited_entries_reach_the_bibliography(figures):
    paper = rendered(
        figures,
        {
            "related_work": "Dictionaries have a history [@gao2024scaling].",
            "background": "A word.",
            "introduction": "A start.",
            "method": "A way.",
        },
    )

    assert re.findall(r"@\w+\{(\w+)", paper.bib) == ["gao2024scaling"]


def test_a_citation_in_the_role_of_a_noun_is_set_as_one(figures):
    nouns = "[@gao2024scaling] scale it. It was scaled by [@gao2024scaling]. It is known that [@gao2024scaling] did."
    text = f"{nouns} It scales [@gao2024scaling]. It scales (as in [@gao2024scaling])."
    paper = rendered(figures, {"related_work": text})

    assert paper.tex.count(r"\citet{gao2024scaling}") == 3
    assert r"scales \citep{gao2024scaling}" in paper.tex and r"(as in \citealp{gao2024scaling})" in paper.tex


def test_a_figure_follows_its_first_mention_and_is_printed_once(figures):
    tex = rendered(figures).tex

    assert tex.count(r"\label{fig:tradeoff}") == 1
    assert tex.index(r"\ref*{fig:tradeoff}") < tex.index(r"\label{fig:tradeoff}") < tex.index("sec:discussion")


def test_a_failed_run_keeps_its_row_and_its_reason(figures):
    tex = rendered(figures).tex

    assert r"failed: no result" in tex and "mat1 and mat2 shapes" in tex


def test_two_conditions_make_two_blocks(tmp_path):
    given = fixture(TWO)
    paper = rendered(
        standard_figures(given.facts, tmp_path / "figures"),
        {"results": 'Nested reaches {{ mean("nested", "f1", condition="sparse") }} at the sparse setting.'},
        given,
    )
    write(paper, tmp_path / "paper")

    assert r"\itshape 4 active latents" in paper.tex and r"\itshape 16 active latents" in paper.tex
    assert compile_pdf(tmp_path / "paper", BubblewrapSandbox()).ok


def test_a_paper_without_any_result_still_compiles_and_says_so(tmp_path):
    from paper.evidence.facts import Facts

    facts = Facts([r for r in FIXTURE.facts.records if r.status != "measured"], FIXTURE.facts.manifest, "mini")
    paper = render(
        FIXTURE.sections, facts, standard_figures(facts, tmp_path / "figures"), FIXTURE.library, FIXTURE.meta
    )
    write(paper, tmp_path / "paper")

    assert compile_pdf(tmp_path / "paper", BubblewrapSandbox()).ok
    assert paper.dropped and "failed: no result" in paper.tex


def test_the_agents_picture_is_named_as_unverified(figures):
    given = replace(figures[0], name="agent-my-plot-1", by="agent", caption=f"My plot. {AGENT_LABEL}")
    paper = rendered((*figures, given), {"discussion": "![](fig:agent-my-plot-1)\n\nA limit is the size."})

    assert "agent's plot.py; not verified" in paper.tex


def test_hostile_text_becomes_letters(figures, tmp_path):
    text = 'Signs such as # & _ ^ ~ < > | \\ and "quotes" stay letters, `a_b{c}\\d#%$&~^`, and λ too.'
    _, done = compile_text(tmp_path, figures, {"method": text})

    assert done.ok and "stay letters" in pdf_text(done.pdf)


def test_a_formula_that_tex_refuses_points_to_its_piece_and_can_be_left_out(figures, tmp_path):
    text = "A way.\n\n$$\nx = \\sqrt{\\frac{a}}\n$$\n\nAnother way."
    _, done = compile_text(tmp_path / "1", figures, {"method": text})
    pieces = {p.piece for p in done.errors}
    paper, mended = compile_text(
        tmp_path / "2", figures, {"method": text}, broken=tuple((p, "TeX stopped") for p in pieces)
    )

    assert not done.ok and pieces and all(p.startswith("method:") for p in pieces)
    assert mended.ok and [d.code for d in paper.dropped] == ["does-not-compile"]


def test_an_undefined_reference_is_an_error(figures, tmp_path):
    paper = rendered(figures)
    write(replace(paper, tex=paper.tex.replace(r"\begin{document}", "\\begin{document}See \\ref{nowhere}.")), tmp_path)
    done = compile_pdf(tmp_path, BubblewrapSandbox())

    assert not done.ok and [(p.kind, p.text) for p in done.problems] == [("undefined", "nowhere is undefined")]


def test_the_log_is_read_into_problems():
    tex = "% piece: results:3.1\nwide\n% piece: results:4\nbad"
    log = (
        "./paper.tex:4: Undefined control sequence.\nOverfull \\hbox (12.5pt too wide) in paragraph at lines 2--2\n"
        "Overfull \\hbox (1.2pt too wide) in paragraph at lines 2--2\n"
    )

    assert [(p.kind, p.line, p.piece) for p in read_log(log, tex)] == [
        ("error", 4, "results:4"),
        ("overfull", 2, "results:3.1"),
    ]


def test_an_overfull_reference_is_no_fault_of_the_text():
    tex = "% piece: results:3.1\nwide\n"
    log = (
        "a\n== references ==\n(./paper.bbl\nOverfull \\hbox (90.5pt too wide) in paragraph at lines 2--2\n"
        "== text ==\nOverfull \\hbox (12.5pt too wide) in paragraph at lines 2--2\n"
    )

    assert [(p.piece, p.text) for p in read_log(log, tex)] == [
        ("", "hbox 90.5 pt too large in the references"),
        ("results:3.1", "hbox 12.5 pt too large"),
    ]


def test_an_error_in_a_style_file_is_no_fault_of_the_text():
    [problem] = read_log("./venue.sty:2: Undefined control sequence.\n", "% piece: results:3.1\nwide\n")

    assert (problem.piece, problem.text) == ("", "venue.sty, line 2: Undefined control sequence.")


class NoLatex:
    """A sandbox on a machine without TeX."""

    name = "none"

    def visible(self, mount):
        return str(mount.source)

    def start(self, spec, *, stdout, stderr, stdin=False):
        Path(stderr).write_text("execvp: No such file or directory")
        return self

    def poll(self):
        return Exit(reason="exit", code=127, wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0)


def test_a_machine_without_tex_is_told_what_to_install(figures, tmp_path):
    write(rendered(figures), tmp_path)

    with pytest.raises(InfrastructureError, match="texlive-latex-extra"):
        compile_pdf(tmp_path, NoLatex())


def test_every_entry_of_the_shipped_library_can_be_printed(figures, tmp_path):
    library = load_library()
    cites = "\n\n".join(f"A work [@{key}]." for key in library.keys)
    paper = render(FIXTURE.sections | {"related_work": cites}, FIXTURE.facts, figures, library, FIXTURE.meta)
    write(paper, tmp_path)
    done = compile_pdf(tmp_path, BubblewrapSandbox())

    assert done.ok, done.problems
    assert paper.tex.count(r"\citep{") >= len(library)


def test_a_long_address_breaks_within_the_line_wherever_it_is_printed(figures, tmp_path):
    address = "https://example.org/" + "a-long-path/with_many.parts/" * 12 + "q" * 80
    cut = {"discussion": f"We refer to <{address}> for it.\n\nOf it `{address}` is code.\n"}
    paper, done = compile_text(tmp_path, figures, cut, command=f"./launch.py --api-base {address}")

    assert not [p for p in done.problems if p.kind == "overfull"]
    assert [d.code for d in paper.dropped] == ["forbidden-markdown"] and paper.tex.count("We refer to") == 1
    assert address not in paper.dropped[0].text
