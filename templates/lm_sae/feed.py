"""Activations that the language model makes while a training reads them. Only the runner runs it, outside the sandbox.

Rows depend only on the world (the data set drawn from a secret), the hook and the seed, so every method gets the same
rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .lm import models, streams


def rows(settings: dict[str, Any], truth_dir: Path, seed: int, start: int) -> Iterator[np.ndarray]:
    """Blocks of rows [n, d_in] in the form in which shards store them, from row number `start` on."""
    import torch

    torch.set_num_threads(int(settings["threads"]))  # another number would sum in another order
    note = streams.read_note(truth_dir)
    model = models.of_world(truth_dir, settings, offline=False)  # its texts may come from the hub
    text = streams.training_text(note, model, settings)
    return streams.shuffled(model, text, settings, str(settings["hook_name"]), (note["shuffle"], seed), start)
