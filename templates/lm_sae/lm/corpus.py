"""Sequences of tokens from a Hugging Face data set or a file of texts.

Each sequence begins with the model's BOS token and holds no other special token. A document is cut into whole
sequences and its rest is dropped, so no sequence joins two documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import UserError

from .models import hub_errors

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

BUFFER = 2000  # documents that are shuffled at a time, in addition to the data set's files


def texts(settings: dict[str, Any], seed: int) -> Iterator[str]:
    """The documents, each once, in an order that depends on the seed.

    Raises:
        UserError: there is no such data set, or it has no such column.
    """
    import datasets

    name, column = str(settings["dataset"]), str(settings["text_column"])
    with hub_errors(f"data set {name}"):
        if Path(name).suffix in (".jsonl", ".json", ".txt"):
            if not Path(name).is_file():
                raise UserError(f"data set {name}: there is no such file")
            kind = "text" if name.endswith(".txt") else "json"
            stream = datasets.load_dataset(kind, data_files=name, split="train", streaming=True)
        else:
            stream = datasets.load_dataset(
                name, settings["dataset_config"] or None, streaming=True, split=str(settings["split"])
            )
        for document in stream.shuffle(seed=seed, buffer_size=BUFFER):
            if column not in document:
                raise UserError(f"data set {name}: no column {column!r}; there are {', '.join(document)}")
            yield str(document[column])


def sequences(model: HookedTransformer, settings: dict[str, Any], seed: int) -> Iterator[np.ndarray]:
    """Sequences int32 [context], until the documents end.

    Raises:
        UserError: the model has no tokenizer with a BOS token, or from `texts`.
    """
    tokenizer, body = model.tokenizer, int(settings["context"]) - 1
    if tokenizer is None or tokenizer.bos_token_id is None:
        raise UserError(f"model {settings['model']}: has no tokenizer with a BOS token, which sequences begin with")
    special = np.array(sorted(tokenizer.all_special_ids))
    for text in texts(settings, seed):
        ids = np.array(tokenizer.encode(text, add_special_tokens=False), dtype=np.int32)
        for start in range(0, len(ids) - body + 1, body):
            piece = ids[start : start + body]
            if not np.isin(piece, special).any():
                yield np.concatenate([np.array([tokenizer.bos_token_id], np.int32), piece])


def in_batches(stream: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Batches int32 [n, context] of `size` sequences; the last one may be smaller."""
    batch = []
    for one in stream:
        batch.append(one)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
