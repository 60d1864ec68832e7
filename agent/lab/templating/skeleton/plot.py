"""Figures of all runs. Called without arguments beside records.json; writes PDF, PNG and figures.json.

records.json: a list of {run, name, label, kind, status, look, metrics: {metric: {condition: {mean, se, n,
values}}}, metric_labels, diagnostics, curves}. Every number in a figure must come from there. The paper's style is set
before this runs; `look` is a run's colour and marker in all figures.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(4.4, 2.4), layout="constrained")
records = [record for record in json.loads(Path("records.json").read_text()) if record["status"] == "measured"]
for place, record in enumerate(records):
    for value in record["metrics"]["accuracy"].values():
        axis.errorbar(value["mean"], place, xerr=value["se"] or 0, linestyle="none", **record["look"])
axis.set_yticks(range(len(records)), [record["label"] for record in records])
axis.set_xlabel("accuracy on held-out rows (higher is better)")
figure.savefig("accuracy.pdf")
figure.savefig("accuracy.png", dpi=200)
caption = "Accuracy of each run on held-out rows. Markers are means over seeds, bars one standard error."
Path("figures.json").write_text(json.dumps([{"file": "accuracy", "title": "Accuracy", "caption": caption}]))
