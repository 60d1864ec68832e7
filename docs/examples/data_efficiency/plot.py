"""Accuracy over the number of labelled rows, a line for each measured run, from records.json."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(4.4, 2.4), layout="constrained")
for record in json.loads(Path("records.json").read_text()):
    if record["status"] == "measured":
        values = {int(name.removeprefix("rows_")): v for name, v in record["metrics"]["accuracy"].items()}
        rows = sorted(values)
        errors = [values[n]["se"] or 0 for n in rows]
        axis.errorbar(rows, [values[n]["mean"] for n in rows], yerr=errors, label=record["label"], **record["look"])
axis.set_xscale("log")
axis.set_xlabel("labelled rows")
axis.set_ylabel("accuracy (higher is better)")
axis.legend()
figure.savefig("main.pdf")
figure.savefig("main.png", dpi=200)
caption = "Accuracy over the number of labelled rows. Markers are means over seeds, bars one standard error."
Path("figures.json").write_text(json.dumps([{"file": "main", "title": "Data efficiency", "caption": caption}]))
