"""Figures of all runs. Called without arguments beside records.json; writes PDF, PNG and figures.json.

records.json: a list of {run, name, label, kind, status, look, metrics: {metric: {condition: {mean, se, n, values}}},
metric_labels, diagnostics: {name: [a value a training]}, curves}. Every number in a figure must come from there.
The paper's style is set before this runs. `look` is a run's colour and marker in all figures: axis.plot(x, y, **look).
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIDTH = 4.4  # inches, as wide as the figure is printed, so that letters keep their size


def measured() -> list[dict]:
    """Runs with metrics, in the order in which they were made."""
    return [record for record in json.loads(Path("records.json").read_text()) if record["status"] == "measured"]


def save(figure, name: str, title: str, caption: str) -> dict:
    """Write one figure in both formats; returns its entry of figures.json."""
    figure.savefig(f"{name}.pdf")
    figure.savefig(f"{name}.png", dpi=200)
    plt.close(figure)
    return {"file": name, "title": title, "caption": caption}


def plot_use(records: list[dict]) -> dict:
    """Is the dictionary used evenly: latents that never fire against latents that often do."""
    figure, axis = plt.subplots(figsize=(WIDTH, 2.3), layout="constrained")
    for record in records:
        dead, dense = record["metrics"]["dead_latents"], record["metrics"]["dense_latents"]
        for number, condition in enumerate(dead):
            x, y = dead[condition], dense[condition]
            axis.errorbar(x["mean"], y["mean"], xerr=x["se"] or 0, yerr=y["se"] or 0, elinewidth=0.8,
                          linestyle="none", label=record["label"] if number == 0 else None, **record["look"])
    axis.set_xlabel("share of dead latents (lower is better)")
    axis.set_ylabel("share of dense latents (lower is better)")
    axis.margins(0.12)
    figure.legend(loc="outside right center")
    return save(figure, "use", "How the dictionary is used",
                "Share of latents that never fire on held-out rows against the share of those that fire in more than "
                "a tenth of them. Markers are means over seeds, bars one standard error.")


if __name__ == "__main__":
    runs = measured()
    made = [plot_use(runs)] if runs else []
    Path("figures.json").write_text(json.dumps(made, indent=1))
