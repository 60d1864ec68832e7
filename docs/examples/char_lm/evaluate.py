"""Bits that the model needs for a held-out letter, and how many of the words that it writes are words.

The text is written here, letter by letter: the model is asked for scores, the letter is drawn by the evaluation.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .language import LETTERS, SEEN, log_p

WRITTEN = 40  # letters of each text


@dataclass(frozen=True)
class Truth:
    windows: np.ndarray  # int64 [N, SEEN + 1]
    words: frozenset[str]
    seed: int


def load_truth(truth_dir: Path, settings: dict) -> Truth:
    letters, about = np.load(truth_dir / "text.npy"), json.loads((truth_dir / "about.json").read_text())
    windows = np.lib.stride_tricks.sliding_window_view(letters, SEEN + 1)
    return Truth(windows, frozenset(about["words"]), about["seed"])


def evaluate(model, truth: Truth, settings: dict) -> dict[str, float]:
    logs = log_p(model.scores(truth.windows[:, :-1]).astype(np.float64))
    bits = -logs[np.arange(len(logs)), truth.windows[:, -1]].mean() / np.log(2)
    texts = ["".join(LETTERS[letter] for letter in line) for line in written(model, truth.seed, settings["texts"])]
    found = [word for line in texts for word in line.split(" ")[1:-1]]
    return {"bits": float(bits), "words": sum(word in truth.words for word in found) / max(1, len(found))}


def written(model, seed: int, texts: int) -> np.ndarray:
    """int64 [texts, SEEN + WRITTEN], each begun with spaces."""
    draw = np.random.default_rng(seed)
    lines = np.zeros((texts, SEEN), dtype=np.int64)
    for _ in range(WRITTEN):
        scores = model.scores(lines[:, -SEEN:]) + draw.gumbel(size=(texts, len(LETTERS)))  # draws by their odds
        lines = np.concatenate([lines, scores.argmax(axis=1)[:, None]], axis=1)
    return lines
