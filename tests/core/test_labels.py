"""Labels of runs: what is changed may be named, how it comes out may not."""

import pytest

from agent.core.labels import label_problem
from agent.core.template import load_template
from tests.support import ROOT

MANIFEST = load_template(ROOT / "templates" / "synth_sae").manifest


@pytest.mark.parametrize(
    "label",
    [
        "Tiered TopK",
        "Annealed BatchTopK",
        "Batch choice",
        "Residual step",
        "Orthogonal",
        "k 16",
        "Prefix of 3 tiers",
        "Two-pass encoder",
        "Schédule λ",
        "Low rank",
        "Fewer tiers",
        "Overlap",  # holds no word of a method, though its letters might
    ],
)
def test_a_label_that_names_the_change_is_taken(label):
    assert label_problem(label, MANIFEST) == ""


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("Tiers, F1=0.95 (p<.01)", "only letters"),
        ("Tiers 0.95", "only letters"),
        ("Tiers 95%", "only letters"),
        ("Tiers 2048", "only letters"),
        ("Tiers (ours)", "only letters"),
        ("Tiers\nx", "only letters"),
        (" Tiers", "only letters"),
        ("Tiers F1 95", "'F1' is a metric"),
        ("Higher rank", "'higher' says how the run comes out"),
        ("Explained variance tiers", "'explained variance' is a metric"),
        ("dead latents revived", "'dead latents' is a metric"),
        ("Better than TopK", "'better' says how the run comes out"),
        ("SOTA tiers", "how the run comes out"),
        ("Tiers p 001", "p-value"),
        ("TopK", "'TopK' is a baseline"),
        ("top-k", "'TopK' is a baseline"),
        ("Crosscoder", "published method"),
        ("Tiered k-means", "published method"),
        ("Switch SAE two", "published method"),
        ("Known", "'Known' is another run"),
    ],
)
def test_a_label_that_claims_something_is_named_with_its_fault(label, says):
    assert says in label_problem(label, MANIFEST, ["Known"])
