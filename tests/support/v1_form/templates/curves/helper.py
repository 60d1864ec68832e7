"""A module beside experiment.py, and a file that it reads."""

import json
import os

import numpy as np


def settings():
    with open(os.path.join("settings", "sizes.json")) as file:
        return json.load(file)


def rows_of(folder, dataset):
    rows = np.loadtxt(os.path.join(folder, f"{dataset}.csv"), delimiter=",")
    return rows[:, 0], rows[:, 1]
