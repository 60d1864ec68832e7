"""Draws every run folder that `labels` names."""

import json
import os

import matplotlib.pyplot as plt

labels = {"run_0": "Baseline"}

folders = [name for name in sorted(os.listdir("./")) if name.startswith("run") and name in labels]
results = {}
for folder in folders:
    with open(os.path.join(folder, "final_info.json")) as file:
        results[folder] = json.load(file)
for dataset in ("sine", "step"):
    plt.figure(figsize=(4, 3))
    means = [results[folder][dataset]["means"]["test_loss_mean"] for folder in folders]
    plt.bar([labels[folder] for folder in folders], means)
    plt.ylabel("test loss")
    plt.savefig(f"Test_Loss_{dataset}.png")
    plt.close()
