"""What this template promises, tested: python -m pytest templates/__NAME__ (in the project's environment)."""

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "manifest.toml").read_text())["profiles"]["small"]["settings"]


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{HERE.name}_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Any]:
    """The data of a small world: (train folder, truth)."""
    train, truth = tmp_path / "train", tmp_path / "truth"
    train.mkdir()
    truth.mkdir()
    module("prepare").prepare(SETTINGS, 7, train, truth)
    return train, module("evaluate").load_truth(truth, SETTINGS)


def test_held_out_rows_are_not_among_the_training_rows(world: tuple[Path, Any]) -> None:
    train, truth = world
    seen = {row.tobytes() for row in np.load(train / "x.npy")}
    assert not any(row.tobytes() in seen for row in truth.x)


def test_perfect_scores_are_perfect_and_equal_scores_are_chance(world: tuple[Path, Any]) -> None:
    _, truth = world
    evaluate = module("evaluate").evaluate
    perfect = evaluate(truth.x, np.eye(SETTINGS["classes"])[truth.y] * 100, truth)
    blind = evaluate(truth.x, np.zeros((len(truth.y), SETTINGS["classes"])), truth)
    assert perfect["accuracy"] == 1 and perfect["log_loss"] < 1e-6
    assert blind["accuracy"] < 0.2 and blind["log_loss"] == pytest.approx(np.log(SETTINGS["classes"]))
