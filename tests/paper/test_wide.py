"""The runner's own tables and figures fit their page, whatever a template's metrics, labels and conditions are."""

import re

import pytest

from agent.core.manifest import Condition
from agent.core.metrics import MetricSpec
from agent.sandbox.boxes import BubblewrapSandbox
from paper.evidence.clauses import companions
from paper.evidence.facts import Facts
from paper.pictures.figures import standard_figures
from paper.press import metric_tables, readings_table, tables
from paper.press.compile import compile_pdf
from paper.press.pages import examine
from paper.press.printed import read
from paper.press.render import render, write
from paper.press.widths import lines_of, text_pt
from tests.support import paper_fixture as given

LABELS = (
    "reconstruction_error_at_layer_{}_percent",
    "Explained variance of held-out rows {}",
    "Wasserstein distance, sparse mean no. {}",
)
SMALLEST = 6.5  # points


def wide(metrics: int, conditions: int, letters: int) -> Facts:
    """Ten runs with names of a length, in so many metrics and conditions."""
    swept = tuple(
        Condition(name=f"c{i}", label=f"Condition number {i} of a long sweep"[:letters], settings={"l0": 2**i})
        for i in range(conditions)
    )
    swept = swept if conditions > 1 else given.ONE
    manifest = given.manifest(swept)
    more = {
        f"m{i}": MetricSpec(label=LABELS[i % 3].format(i)[:letters], better="higher", read="Share of what is " * 6)
        for i in range(len(manifest.metrics), metrics)
    }
    manifest = manifest.model_copy(update={"metrics": dict(manifest.metrics) | more})
    records = [_grown(r, letters, more) for r in (*given.records(swept), *given.confirmation(conditions=swept))]
    copies = [records[2].model_copy(update={"run": str(k), "name": f"v{k}"}) for k in range(5, 11)]
    return Facts((*records[:-2], *copies, *records[-2:]), manifest, "mini")


def _grown(record, letters, more):
    trainings = tuple(
        t.model_copy(update={"metrics": t.metrics | {m: t.metrics["f1"] * (3 + i) for i, m in enumerate(more)}})
        if t.outcome == "measured"
        else t
        for t in record.trainings
    )
    label = f"{record.label} with a loss over all of the prefixes"[:letters]
    return record.model_copy(update={"label": label, "trainings": trainings})


@pytest.mark.parametrize(("metrics", "conditions", "letters"), [(13, 1, 40), (18, 2, 36), (24, 3, 40), (24, 1, 14)])
def test_the_runners_own_tables_fit_at_a_readable_size(tmp_path, metrics, conditions, letters):
    facts, fixture = wide(metrics, conditions, letters), given.fixture()
    rendered = render(fixture.sections, facts, (), fixture.library, fixture.meta)
    write(rendered, tmp_path)
    done = compile_pdf(tmp_path, BubblewrapSandbox())
    printed = read(done.pdf.read_bytes())

    assert done.ok and not [p for p in done.problems if p.kind == "overfull"]
    assert "too large for page" not in (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert not [f for f in examine(rendered.tex, printed, done.problems) if f.code in ("overfull", "small-print")]
    small = sum(n for page in printed.pages for size, n in page.letters.items() if size < SMALLEST)
    assert small < 200  # scripts of formulas
    text = "".join("".join(page.text.split()) for page in printed.pages)
    assert all("".join(spec.label.split()) in text for spec in facts.manifest.metrics.values())


def test_the_figures_draw_every_metric_and_say_which(tmp_path):
    facts = wide(13, 2, 40)
    figures = {f.name: f for f in standard_figures(facts, tmp_path) if f.name.startswith("metrics")}
    captions = [f.caption.partition(" for every")[0] for f in figures.values()]

    assert captions == [
        "Metrics 1 to 5 of 13 (further figures show the others)",
        "Metrics 6 to 10 of 13",
        "Metrics 11 to 13 of 13",
    ]
    described = " ".join(f.description for f in figures.values())
    assert all(spec.label in described for spec in facts.manifest.metrics.values())


def test_a_figure_of_all_metrics_says_so(tmp_path):
    figures = [f for f in standard_figures(given.fixture().facts, tmp_path) if f.name.startswith("metrics")]

    assert [re.match(r"[\w ]+ for every measured run", f.caption)[0] for f in figures] == [
        "Every metric for every measured run"
    ]


@pytest.mark.parametrize("text", ["a_very_long_name_of_a_metric_without_blanks", "x" * 60, "Words in a row, as usual"])
def test_words_are_broken_to_a_width_and_none_is_lost(text):
    lines = lines_of(text, 60.0, 8.0)

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_pt(line, 8.0) <= 60.0 for line in lines)


def test_a_metric_told_in_detail_is_no_column_of_the_main_table_and_no_panel_but_is_in_the_appendix(tmp_path):
    facts = wide(8, 1, 20)
    told = {n: s.model_copy(update={"detail": n in ("m6", "m7")}) for n, s in facts.manifest.metrics.items()}
    facts = Facts(facts.records, facts.manifest.model_copy(update={"metrics": told}), "mini")
    main, further = metric_tables.main(facts), metric_tables.further(facts)

    assert [main.count("columnhead"), further.count("columnhead")] == [6, 2]
    assert main.count("endhead") == 0 and further.count(r"\endhead") == further.count(r"\begin{longtable}") == 1
    assert "further" in tables.names(facts) and readings_table.further_metrics(facts).count("Share of what is") == 2 * 6
    assert [f.name for f in standard_figures(facts, tmp_path) if f.name.startswith("metrics")] == ["metrics"]
    assert companions(facts) == tuple(n for n in told if n not in ("m6", "m7"))
