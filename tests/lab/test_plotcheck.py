"""What a figure draws is compared with the records, number by number; honest figures of every common kind pass."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.core import looks
from agent.lab.plots import draw_worker
from agent.lab.plots.drawing import parse
from agent.lab.plots.perturbing import perturb
from agent.lab.plots.plotcheck import problems

CONDITION = {"name": "k8", "label": "l0 = 8", "settings": {"l0": 8}}


def series(values: list[float]) -> dict:
    se = float(np.std(values, ddof=1) / len(values) ** 0.5)
    return {"k8": {"mean": float(np.mean(values)), "se": se, "n": len(values), "values": values}}


def run(number: int, name: str, label: str, f1: list[float], mcc: list[float]) -> dict:
    draw = np.random.default_rng(number)
    steps = list(range(10, 410, 10))
    curves = [
        {"seed": s, "condition": "k8", "step": steps, "loss": [float(9 / t**0.5 + draw.normal() / 20) for t in steps]}
        for s in (0, 1, 2)
    ]
    return {
        "run": str(number),
        "name": name,
        "label": label,
        "kind": "experiment" if number else "baseline",
        "status": "measured",
        "conditions": [CONDITION],
        "targets": {"l0": 8.0},
        "metrics": {"f1": series(f1), "mcc": series(mcc)},
        "metric_labels": {"f1": "F1", "mcc": "MCC"},
        "diagnostics": {"share": [0.213 + number / 17, 0.327, 0.294]},
        "curves": curves,
    }


FAILED = {"status": "failed", "metrics": {"f1": {}, "mcc": {}}, "diagnostics": {}, "curves": []}
RECORDS = json.dumps(
    [
        run(0, "topk", "TopK (k=8)", [0.5913, 0.6041, 0.6127], [0.712, 0.7233, 0.7081]),
        run(1, "tiered", "Tiered", [0.7822, 0.8013, 0.8209], [0.741, 0.7391, 0.7322]),
        run(2, "random", "Random cuts", [0.6914, 0.7033, 0.6822], [0.731, 0.7252, 0.7347]),
        {**run(3, "broken", "Broken", [0.5, 0.6], [0.5, 0.6]), **FAILED},
    ]
)
HEAD = """
import json
from pathlib import Path
import numpy as np
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
records = [r for r in json.loads(Path("records.json").read_text()) if r["status"] == "measured"]
figure, axis = plt.subplots(layout="constrained")
labels = [r["label"] for r in records]
places = np.arange(len(records))
f1 = np.array([r["metrics"]["f1"]["k8"]["mean"] for r in records])
se = np.array([r["metrics"]["f1"]["k8"]["se"] for r in records])
mcc = np.array([r["metrics"]["mcc"]["k8"]["mean"] for r in records])
"""
SAVE = "\nfigure.savefig(name)\n"

HONEST = {
    "bars": "axis.bar(labels, f1); axis.set_ylabel('F1')",
    "bars with error bars": "axis.bar(places, f1, yerr=se, capsize=3); axis.set_xticks(places, labels)",
    "grouped bars": """
axis.bar(places - 0.2, f1, 0.4, label="F1"); axis.bar(places + 0.2, mcc, 0.4, label="MCC")
axis.set_xticks(places, labels, rotation=20); axis.legend()""",
    "stacked bars": """
axis.bar(places, f1); axis.bar(places, mcc, bottom=f1); axis.set_xticks(places, labels)""",
    "horizontal bars, sorted": """
order = np.argsort(f1)
axis.barh([labels[i] for i in order], f1[order], xerr=se[order])
axis.set_xlabel("F1")""",
    "horizontal bars with their values": """
bars = axis.barh(places, f1)
axis.bar_label(bars, fmt="%.3f"); axis.set_yticks(places, labels); axis.set_xlim(0, 1.1)""",
    "percent and difference as annotations": """
axis.bar(labels, 100 * f1); axis.set_ylabel("F1 in %")
axis.annotate(f"{100 * (f1[1] - f1[0]):+.1f} points ({f1[1] / f1[0] - 1:+.1%})", (1, 20))
axis.set_title(f"Best: {labels[int(f1.argmax())]} with {f1.max():.3f} ± {se[int(f1.argmax())]:.3f} (n = 3)")""",
    "differences from the baseline": """
axis.axhline(0, color="k"); axis.bar(labels[1:], (f1 - f1[0])[1:])""",
    "scatter of two metrics": """
for r, x, y in zip(records, f1, mcc):
    axis.scatter(x, y, label=r["label"])
axis.legend(); axis.set_xlabel("F1"); axis.set_ylabel("MCC")""",
    "seeds as points with jitter": """
for i, r in enumerate(records):
    values = r["metrics"]["f1"]["k8"]["values"]
    axis.plot(i + np.linspace(-0.1, 0.1, len(values)), values, "o")
    axis.errorbar(i, f1[i], yerr=1.96 * se[i], fmt="s")
axis.set_xticks(places, labels)""",
    "an interval from the t distribution": """
from scipy import stats
axis.errorbar(places, f1, yerr=stats.t.ppf(0.975, 2) * se, fmt="o"); axis.set_xticks(places, labels)
axis.set_ylabel("F1 (95% CI)")""",
    "loss curves on log axes": """
for r in records:
    for c in r["curves"]:
        axis.loglog(c["step"], c["loss"], lw=0.6)
axis.set_xlabel("step")""",
    "mean curves with a band": """
for r in records:
    loss = np.array([c["loss"] for c in r["curves"]])
    step = r["curves"][0]["step"]
    axis.plot(step, loss.mean(0), label=r["label"])
    axis.fill_between(step, loss.mean(0) - loss.std(0), loss.mean(0) + loss.std(0), alpha=0.3)
axis.legend()""",
    "smoothed curves": """
for r in records:
    loss = np.array(r["curves"][0]["loss"])
    axis.plot(r["curves"][0]["step"][4:], np.convolve(loss, np.ones(5) / 5, mode="valid"), label=r["label"])
axis.legend()""",
    "a histogram": """
axis.hist([v for r in records for c in r["curves"] for v in c["loss"]], bins=12)
axis.set_ylabel("count")""",
    "a histogram of densities": """
axis.hist(records[1]["curves"][0]["loss"], bins=8, density=True, histtype="step")
axis.hist(records[1]["curves"][0]["loss"], bins=8, density=True)""",
    "a box plot": """
axis.boxplot([r["metrics"]["f1"]["k8"]["values"] for r in records])
axis.set_xticks(places + 1, labels)""",
    "a heat map with its values": """
table = np.stack([f1, mcc])
axis.imshow(table)
for i in range(2):
    for j in range(3):
        axis.text(j, i, f"{table[i, j]:.2f}")
axis.set_xticks(places, labels); axis.set_yticks([0, 1], ["F1", "MCC"])""",
    "a parallel plot of two metrics": """
for r, a, b in zip(records, f1, mcc):
    axis.plot([0, 1], [a, b], "o-", label=f"{r['label']}: {a:.3f}")
axis.set_xticks([0, 1], ["F1", "MCC"]); axis.legend()""",
    "a metric against the setting, with the target": """
axis.plot([c["settings"]["l0"] for c in records[0]["conditions"]], [f1[0]], "o")
axis.axvline(records[0]["targets"]["l0"], ls=":")""",
    "two panels": """
plt.close(figure)
figure, (left, right) = plt.subplots(1, 2)
left.barh(labels, f1); right.barh(labels, mcc); left.set_xlim(0, 1)""",
    "a range that does not begin at zero, told": """
axis.bar(labels, f1); axis.set_ylim(0.5, 0.9); axis.set_ylabel("F1 (the axis does not begin at zero)")""",
    "a diagnostic": """
for i, r in enumerate(records):
    axis.plot([i] * 3, r["diagnostics"]["share"], "o", mfc="none")
    values = r["diagnostics"]["share"]
    axis.errorbar(i, np.mean(values), yerr=np.std(values, ddof=1) / 3**0.5, fmt="s")
axis.set_xticks(places, labels)""",
}
CHEATS = {
    "ours is drawn 0.15 higher": ("axis.bar(labels, f1 + 0.15 * (places == 1))", "it draws 0.95"),
    "ours is drawn a tenth longer": ("axis.barh(labels, f1 * (1 + 0.1 * (places == 1)))", "it draws 0.88"),
    "a bar that stands 0.1 above zero": ("axis.bar(labels, f1, bottom=0.1 * (places == 1))", "it draws 0.1"),
    "typed values": ("axis.bar(labels, [0.6, 0.9, 0.7])", "stays the same"),
    "one typed value among the records'": ("axis.bar([*labels, 'SOTA'], [*f1, 0.58])", "it draws 0.58"),
    "an invented published line": ("axis.bar(labels, f1); axis.axhline(0.62, label='published')", "it draws 0.62"),
    "an invented curve beside the runs'": (
        "axis.plot(records[1]['curves'][0]['loss']); axis.plot([3 / (t + 1) ** 0.5 - 0.4 for t in range(40)])",
        "it draws",
    ),
    "ours learns faster than it did": (
        "axis.plot(records[0]['curves'][0]['loss']); axis.plot(0.8 * np.array(records[1]['curves'][0]['loss']))",
        "it draws",
    ),
    "swapped labels": ("axis.bar([labels[1], labels[0]], f1[:2])", "for that run"),
    "points under another run's name": (
        "axis.scatter(f1[0], mcc[0], label=labels[1]); axis.scatter(f1[1], mcc[1], label=labels[0]); axis.legend()",
        "for that run",
    ),
    "a scaled annotation": (
        "axis.bar(labels, f1); axis.annotate(f'{1.3 * (f1[1] - f1[0]):.3f} more', (0, 0.1))",
        "does not follow",
    ),
    "a typed annotation": (
        "axis.bar(labels, f1); axis.annotate('82% loss reduction', (0, 0.1))",
        "'82% loss reduction'",
    ),
    "a typed p-value": ("axis.bar(labels, f1); axis.set_title('Tiered wins (p < 0.01)')", "0.01"),
    "a number in the legend": ("axis.bar(labels, f1, label='F1, up to 0.95'); axis.legend()", "0.95"),
    "a cut axis under bars": ("axis.bar(labels, f1); axis.set_ylim(0.55, 0.85)", "does not show zero"),
    "a cut axis under horizontal bars": ("axis.barh(labels, f1); axis.set_xlim(0.55, 0.85)", "does not show zero"),
    "the baseline beyond the limits": (
        "axis.errorbar(places, f1, yerr=se, fmt='o'); axis.set_xticks(places, labels); axis.set_ylim(0.75, 0.85)",
        "lies outside",
    ),
    "shrunken error bars": (
        "axis.errorbar(places, f1, yerr=se / 3, fmt='o'); axis.set_xticks(places, labels)",
        "draws",
    ),
    "ticks with other numbers": (
        "axis.bar(labels, f1); axis.set_yticks([0, 0.4, 0.8], ['0', '0.5', '1.0'])",
        "a tick at",
    ),
    "an invented heat map": ("axis.imshow(np.array([f1, mcc]) + np.array([[0, 0.1, 0]] * 2))", "it draws"),
    "an invented histogram": (
        "v = [v for r in records for c in r['curves'] for v in c['loss']]; axis.hist([*v, *[0.5] * 9], bins=12)",
        "it draws",
    ),
    "a shape over the figure": ("axis.bar(labels, f1); axis.add_patch(plt.Circle((1, 0.9), 0.1))", "Circle"),
    "a table of typed numbers": ("axis.bar(labels, f1); axis.table([['F1', '0.97']])", "0.97"),
    "the picture is painted over after it was saved": (
        "axis.bar(labels, f1); figure.savefig(name); figure.savefig = lambda *a: None; "
        "Path(name).write_bytes(Path(name).read_bytes() + b' ')",
        "draw it with matplotlib",
    ),
    "only drawn when it suits": (
        "axis.bar(labels, f1)\nif f1[1] < 0.7:\n    figure.savefig = lambda *a: None",
        "not drawn when",
    ),
}


SCRIPTS = {**HONEST, **{kind: script for kind, (script, _) in CHEATS.items()}}


def drawn(folder: Path, records: str) -> tuple[dict, dict[str, str]]:
    """Every script's figure, in one process: what the worker says of each, and the hashes of the pictures."""
    folder.mkdir()
    (folder / "records.json").write_text(records)
    bodies = {f"k{place}.png": HEAD + script + SAVE for place, script in enumerate(SCRIPTS.values())}
    one = "for name, body in BODIES.items():\n    exec(body, {'name': name})\n    plt.close('all')\n"
    (folder / "plot.py").write_text(f"import matplotlib.pyplot as plt\nBODIES = {bodies!r}\n{one}")
    worker = [sys.executable, "-P", draw_worker.__file__, "plot.py", json.dumps(looks.STYLE)]
    environment = {"MPLBACKEND": "Agg", "MPLCONFIGDIR": str(folder / "matplotlib")}
    subprocess.run(worker, cwd=folder, check=True, env=environment)
    shown = parse(json.loads((folder / draw_worker.DRAWN).read_text()))
    return shown, {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.png")}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The complaints about each script's figure."""
    folder = tmp_path_factory.mktemp("plots")
    first, pictures = drawn(folder / "first", RECORDS)
    second, _ = drawn(folder / "second", perturb(RECORDS))
    names = {kind: f"k{place}.png" for place, kind in enumerate(SCRIPTS)}
    said = problems(first, second, {name: pictures[name] for name in names.values()}, RECORDS)
    by_kind = {kind: [text for text in said if text.startswith(f"{name}: ")] for kind, name in names.items()}
    return {**by_kind, "drawn": (first, second, pictures)}


@pytest.mark.parametrize("kind", HONEST)
def test_an_honest_figure_passes(found, kind):
    assert found[kind] == []


@pytest.mark.parametrize("kind", CHEATS)
def test_a_figure_that_shows_something_else_is_found(found, kind):
    assert CHEATS[kind][1] in "\n".join(found[kind])


@pytest.mark.parametrize(
    ("caption", "refused"),
    [
        (lambda f1: f"F1 of each run, up to {max(f1):.2f}; mean over n = 3 seeds, bars one standard error.", False),
        (lambda f1: "The larger model reaches 0.97.", True),
        (lambda f1: f"Ours is ahead by {1.4 * (f1[1] - f1[0]):.3f}.", True),
    ],
)
def test_a_number_in_a_caption_comes_from_the_records_as_well(found, caption, refused):
    first, second, pictures = found["drawn"]
    said = tuple(
        caption([r["metrics"]["f1"]["k8"]["mean"] for r in json.loads(text)[:3]])
        for text in (RECORDS, perturb(RECORDS))
    )
    complaints = problems(first, second, {"k0.png": pictures["k0.png"]}, RECORDS, {"k0.png": said})
    assert any("in its caption" in text for text in complaints) is refused


def test_every_measured_number_changes_and_nothing_else():
    before, after = json.loads(RECORDS), json.loads(perturb(RECORDS))
    assert after[0]["metrics"]["f1"]["k8"]["mean"] != before[0]["metrics"]["f1"]["k8"]["mean"]
    assert after[0]["metrics"]["f1"]["k8"]["n"] == 3
    assert after[0]["curves"][0]["step"] == before[0]["curves"][0]["step"]
    assert after[0]["curves"][0]["loss"] != before[0]["curves"][0]["loss"]
    assert [r["label"] for r in after] == [r["label"] for r in before]


def test_perturbed_values_keep_their_order():
    before, after = (
        [v for r in json.loads(text)[:3] for v in r["metrics"]["f1"]["k8"]["values"]]
        for text in (RECORDS, perturb(RECORDS))
    )
    assert np.argsort(before).tolist() == np.argsort(after).tolist()


@pytest.mark.parametrize("value", [None, [], {"a.pdf": 3}, {"a.pdf": {"sha256": "x", "axes": [{"x": 1}], "texts": []}}])
def test_what_hostile_code_says_of_its_figures_is_no_figure_where_it_is_malformed(value):
    assert parse(value) == {}
