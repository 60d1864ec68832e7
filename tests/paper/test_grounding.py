"""The text describes the code and the runs there are: names, the fixed comparison, runs that failed."""

import pytest

from paper.press import tables
from paper.truth.checks import check
from tests.support.paper_fixture import SOURCE, fixture

FIXTURE = fixture()
FIGURES = ("metrics", "differences", "curves", "tradeoff")
TABLES = tables.names(FIXTURE.facts)
CODE = SOURCE + "optimizer = torch.optim.Adam(sae.parameters())\nz = torch.relu(pre)\n"


def found(section, text, code):
    """What the checks say of one code, of the fixture's paper with another section in it."""
    complaints = check(FIXTURE.sections | {section: text}, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=CODE)
    return [c.literal for c in complaints if c.code == code]


def test_the_fixtures_paper_describes_its_code_and_runs():
    complaints = check(FIXTURE.sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=CODE)
    assert [str(c) for c in complaints] == []


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("The objective is computed in `nested_losses`.", "nested_losses"),
        ("The rate is kept in `DECAY_RATE` of `torch`.", "DECAY_RATE"),
        ("It computes $z = \\operatorname{JumpReLU}(a)$ for each row.", "JumpReLU"),
    ],
)
def test_a_method_names_only_what_the_code_holds(text, literal):
    assert found("method", text, "unknown-name") == [literal]


@pytest.mark.parametrize(
    "text",
    [
        "The objective is computed in `nested_loss`, over the widths `TIERS`.",
        "It computes $z = \\operatorname{ReLU}(a)$ and takes the $\\max$ over $d_{\\text{sae}}$ latents.",
        "All runs share `d_sae` and `batch`; `experiment.py` holds the rest.",
    ],
)
def test_a_method_that_fits_its_code_passes(text):
    assert found("method", text, "unknown-name") == []


def test_a_constant_that_the_code_does_not_hold_is_a_typed_number():
    assert found("method", "The decay is $w = 0.85$, `DECAY` in the code.", "typed-number") != []
    assert found("method", "The decay is $w = 0.75$, `DECAY` in the code.", "typed-number") == []


def test_results_begin_with_the_comparison_in_the_primary_metric():
    late = (
        '[@tab:main] lists the runs.\n\nIn F1, {{ name("nested") }} {{ improves("nested", "topk", "f1") }} '
        '{{ name("topk") }}.'
    )
    other = 'In MCC, {{ name("nested") }} {{ improves("nested", "topk", "mcc") }} {{ name("topk") }}.'
    first = 'In F1, {{ name("nested") }} {{ improves("nested", "topk", "f1") }} {{ name("topk") }}.'

    assert [found("results", text, "comparison-not-first") for text in (late, other, first)] == [["f1"], ["f1"], []]


def test_a_failed_run_that_the_text_passes_over_is_missed():
    sections = {
        "results": 'In F1, {{ name("nested") }} {{ improves("nested", "topk", "f1") }} {{ name("topk") }}.',
        "discussion": "A limit is the size.",
    }
    untold = [
        c
        for c in check(FIXTURE.sections | sections, FIXTURE.facts, FIGURES, TABLES, FIXTURE.library, source=CODE)
        if c.code == "untold-run"
    ]

    assert [(c.literal, c.section, c.key) for c in untold] == [("Gated nested", "results", "")]


def test_the_results_hold_the_form_that_shows_the_described_run_with_its_guards():
    text = 'In F1, {{ name("nested") }} {{ improves("nested", "topk", "f1") }} {{ name("topk") }}.'

    assert found("results", text, "guards-not-shown") == ["guarded()"]
    assert found("results", text + " {{ guarded() }}.", "guards-not-shown") == []
