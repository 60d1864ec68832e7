"""Steps the environment with the policy: an observation goes to its box, an action comes back, for every step."""

import json
from pathlib import Path

import numpy as np

from .environment import CartPole


def load_truth(truth_dir: Path, settings: dict) -> dict:
    return json.loads((truth_dir / "judged.json").read_text())


def evaluate(model, truth: dict, settings: dict) -> dict[str, float]:
    world = CartPole(truth["physics"], truth["episodes"], np.random.default_rng(truth["seed"]))
    lasted = np.zeros(truth["episodes"])
    for _ in range(settings["horizon"]):
        if not world.alive.any():
            break
        lasted += world.step(model.act(world.observe()))
    share = lasted / settings["horizon"]
    return {"lasted": float(share.mean()), "tenth": float(np.quantile(share, 0.1))}
