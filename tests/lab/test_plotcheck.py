"""Figures that do not come from the records are found by drawing them from others."""

import json
import subprocess
import sys

import pytest

from agent.lab.plots import pictures
from agent.lab.plots.plotcheck import perturb, problems
from agent.sandbox.boxes import BubblewrapSandbox

RECORDS = json.dumps(
    [
        {
            "run": "0",
            "name": "topk",
            "label": "TopK (k=8)",
            "status": "measured",
            "metrics": {"f1": {"k8": {"mean": 0.6, "se": 0.01, "n": 3, "values": [0.59, 0.6, 0.61]}}},
            "diagnostics": {"share": [0.2, 0.3]},
            "curves": [{"seed": 0, "step": [1, 2], "loss": [3.0, 2.0]}],
        },
        {
            "run": "1",
            "name": "tiered",
            "label": "Tiered",
            "status": "measured",
            "metrics": {"f1": {"k8": {"mean": 0.8, "se": 0.02, "n": 3, "values": [0.78, 0.8, 0.82]}}},
            "diagnostics": {},
            "curves": [],
        },
    ]
)
HEAD = """
import json, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
records = json.load(open("records.json"))
figure, axis = plt.subplots()
axis.set_xticks(range(2), [r["label"] for r in records])
f1 = [r["metrics"]["f1"]["k8"]["mean"] for r in records]
"""
SAVE = '\nfigure.savefig("a.pdf"); figure.savefig("a.png")\n'
HONEST = HEAD + "axis.bar([0, 1], f1)" + SAVE
COMPUTED = HEAD + 'axis.bar([0, 1], f1); axis.annotate(f"{100 * (f1[1] - f1[0]):.0f}% more", (0, 0.1))' + SAVE
HARD_CODED = HEAD + "axis.bar([0, 1], [0.5, 0.9])" + SAVE
ANNOTATED = HEAD + 'axis.bar([0, 1], f1); axis.annotate("82% loss reduction", (0, 0.1))' + SAVE


def drawn(tmp_path, script, records, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "records.json").write_text(records)
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
    return folder


def found(tmp_path, script, figure="a.pdf"):
    first = drawn(tmp_path, script, RECORDS, "first")
    second = drawn(tmp_path, script, perturb(RECORDS), "second")
    return problems(first, second, [figure], RECORDS, lambda pdf: pictures.text(pdf, BubblewrapSandbox()))


def test_every_measured_number_changes_and_nothing_else():
    before, after = json.loads(RECORDS), json.loads(perturb(RECORDS))
    assert after[0]["metrics"]["f1"]["k8"]["mean"] != before[0]["metrics"]["f1"]["k8"]["mean"]
    assert after[0]["metrics"]["f1"]["k8"]["n"] == 3
    assert after[0]["curves"][0]["step"] == [1, 2]
    assert after[0]["curves"][0]["loss"] != [3.0, 2.0]
    assert [r["label"] for r in after] == [r["label"] for r in before]


@pytest.mark.parametrize("script", [HONEST, COMPUTED])
@pytest.mark.parametrize("figure", ["a.pdf", "a.png"])
def test_a_figure_that_follows_the_records_passes(tmp_path, script, figure):
    assert found(tmp_path, script, figure) == []


@pytest.mark.parametrize("figure", ["a.pdf", "a.png"])
def test_a_figure_with_typed_values_is_found(tmp_path, figure):
    assert "stays the same" in found(tmp_path, HARD_CODED, figure)[0]


def test_a_typed_annotation_is_found_and_named(tmp_path):
    said = found(tmp_path, ANNOTATED)[0]
    assert "82%" in said
    assert "do not change with the data" in said


def test_a_figure_that_is_only_drawn_for_these_numbers_is_found(tmp_path):
    assert "not drawn" in found(tmp_path, HONEST + "\nimport os\nif f1[1] < 0.7: os.remove('a.pdf')")[0]
