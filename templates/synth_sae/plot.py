"""Figures of all runs. Called without arguments beside records.json; writes PNG, PDF and figures.json.

records.json: a list of {run, name, label, kind, status, metrics: {metric: {condition: {mean, se, n}}},
curves: {...}}. Every number in a figure must come from there.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000"]


def measured(records: list[dict]) -> list[dict]:
    """Runs with metrics, in the order in which they were made."""
    return [record for record in records if record.get("status") == "measured" and record.get("metrics")]


def save(figure, name: str, title: str, caption: str, figures: list[dict]) -> None:
    """Write one figure in both formats and remember what it shows."""
    figure.tight_layout()
    figure.savefig(f"{name}.png", dpi=200)
    figure.savefig(f"{name}.pdf")
    plt.close(figure)
    figures.append({"file": name, "title": title, "caption": caption})


def plot_recovery(records: list[dict], figures: list[dict]) -> None:
    """F1, MCC and uniqueness of each run, side by side."""
    metrics = [name for name in ("f1", "mcc", "uniqueness") if all(name in r["metrics"] for r in records)]
    size = (2.4 * len(metrics), 2.6)
    figure, axes = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False)
    for axis, metric in zip(axes[0], metrics, strict=True):
        for place, record in enumerate(records):
            for value in record["metrics"][metric].values():
                axis.errorbar(place, value["mean"], yerr=value.get("se") or 0, fmt="o", capsize=3,
                              color=COLOURS[place % len(COLOURS)])
        axis.set_title({"f1": "F1", "mcc": "MCC"}.get(metric, metric), fontsize=9)
        labels = [record["label"] for record in records]
        axis.set_xticks(range(len(records)), labels, rotation=60, ha="right", fontsize=7)
    save(figure, "recovery", "Feature recovery by run",
         "Feature recovery of each run; mean and standard error over seeds. Higher is better.", figures)


def plot_tradeoff(records: list[dict], figures: list[dict]) -> None:
    """Does a better reconstruction mean better features?"""
    figure, axis = plt.subplots(figsize=(4.2, 3.0))
    for place, record in enumerate(records):
        x, y = record["metrics"].get("explained_variance", {}), record["metrics"].get("f1", {})
        for condition in [c for c in x if c in y]:
            axis.errorbar(x[condition]["mean"], y[condition]["mean"], xerr=x[condition].get("se") or 0,
                          yerr=y[condition].get("se") or 0, fmt="o", capsize=2, label=record["label"],
                          color=COLOURS[place % len(COLOURS)])
    axis.set_xlabel("explained variance")
    axis.set_ylabel("F1")
    axis.legend(fontsize=7)
    save(figure, "tradeoff", "Reconstruction and recovery",
         "Explained variance against F1 on held-out rows; bars are standard errors over seeds.", figures)


if __name__ == "__main__":
    runs = measured(json.loads(Path("records.json").read_text()))
    made: list[dict] = []
    if runs:
        plot_recovery(runs, made)
        plot_tradeoff(runs, made)
    Path("figures.json").write_text(json.dumps(made, indent=1))
