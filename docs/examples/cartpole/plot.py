"""One figure of all measured runs, from records.json."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(4.4, 2.4), layout="constrained")
records = [record for record in json.loads(Path("records.json").read_text()) if record["status"] == "measured"]
for place, record in enumerate(records):
    for value in record["metrics"]["lasted"].values():
        axis.errorbar(value["mean"], place, xerr=value["se"] or 0, linestyle="none", **record["look"])
axis.set_yticks(range(len(records)), [record["label"] for record in records])
axis.set_xlabel("share of the horizon (higher is better)")
figure.savefig("main.pdf")
figure.savefig("main.png", dpi=200)
caption = "How long each run's policy lasts. Markers are means over seeds, bars one standard error."
Path("figures.json").write_text(json.dumps([{"file": "main", "title": "Lasted", "caption": caption}]))
