"""Activations for a training while it runs: the language model reads held-in text beside it. Runs in the runner.

Rows depend on the world, the hook and the seed alone, so that every method gets the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .lm import models, streams


def rows(settings: dict[str, Any], truth_dir: Path, seed: int, start: int) -> Iterator[np.ndarray]:
    """Blocks of rows [n, d_in] in the form in which shards hold them, from the row with this number on."""
    import torch

    torch.set_num_threads(int(settings["threads"]))  # another number would sum in another order
    note = streams.read_note(truth_dir)
    model = models.of_world(truth_dir, settings, offline=False)  # its texts may come from the hub
    text = streams.training_text(note, model, settings)
    return streams.shuffled(model, text, settings, str(settings["hook_name"]), (note["shuffle"], seed), start)
