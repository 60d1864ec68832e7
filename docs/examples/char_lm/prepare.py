"""A checkpoint of a general language, text of a dialect to finetune on, and other text of it, held out.

The general language is the same in every world; its dialect is drawn from the secret: some words in common, most not.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .language import SEEN, fresh, step, text, words

GENERAL = 5  # the seed of the language that the checkpoint knows


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    general = np.random.default_rng(GENERAL)
    lexicon = words(general, 60)
    letters = text(general, lexicon, 20_000)
    weights = fresh(general, settings["width"])
    for _ in range(1500):
        places = general.integers(SEEN, len(letters), size=64)
        step(weights, letters[places[:, None] + np.arange(-SEEN, 0)], letters[places], 0.3)
    save_file(weights, train_dir / "checkpoint.safetensors")

    draw = np.random.default_rng(np.random.SeedSequence(secret))
    dialect = [*(lexicon[n] for n in draw.permutation(60)[:10]), *words(draw, 30)]
    dialect = [dialect[n] for n in draw.permutation(len(dialect))]
    np.save(train_dir / "text.npy", text(draw, dialect, settings["letters"]))
    np.save(truth_dir / "text.npy", text(draw, dialect, settings["judged"]))
    about = {"words": sorted(set(dialect)), "seed": int(draw.integers(2**31))}
    (truth_dir / "about.json").write_text(json.dumps(about))
