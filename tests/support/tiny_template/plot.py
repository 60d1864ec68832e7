"""One figure of all runs, from records.json."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(3, 2))
for place, record in enumerate(json.loads(Path("records.json").read_text())):
    for value in record.get("metrics", {}).get("score", {}).values():
        axis.errorbar(place, value["mean"], yerr=value.get("se") or 0, fmt="o")
axis.set_ylabel("score")
figure.tight_layout()
figure.savefig("score.png")
figure.savefig("score.pdf")
caption = "Score of each run; mean and standard error over seeds."
Path("figures.json").write_text(json.dumps([{"file": "score", "title": "Score", "caption": caption}]))
