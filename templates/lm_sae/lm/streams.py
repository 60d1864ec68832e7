"""The training text of a world as an endless stream, and its activations in blocks that are shuffled in memory.

prepare.py notes where the text begins (NOTE, beside the truth); whoever reads the note gets the same sequences again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import UserError

from . import core, corpus, shards
from .grammar import Grammar

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

NOTE = "stream.json"
SENTENCES = 4096  # of the grammar, drawn at a time


def windows(grammar: Grammar, draw: np.random.Generator, context: int) -> Iterator[np.ndarray]:
    """int32 [context], without an end: BOS, then a window of the grammar's corpus."""
    body = context - 1
    while True:
        tokens = grammar.sample(SENTENCES, draw).tokens
        for window in tokens[: len(tokens) // body * body].reshape(-1, body):
            yield np.concatenate([np.zeros(1, np.int32), window])


def state_of(seed: np.random.SeedSequence) -> dict[str, Any]:
    """Where a generator of this seed begins. It does not tell the seed."""
    return np.random.PCG64(seed).state


def write_note(truth_dir: Path, shuffle: np.random.SeedSequence, source: dict[str, Any]) -> None:
    """`source`: {"words", "training"} of a grammar, or {"order", "skip"} of a data set."""
    note = {"shuffle": int(shuffle.generate_state(1, np.uint64)[0]), **source}
    (truth_dir / NOTE).write_text(json.dumps(note))


def read_note(truth_dir: Path) -> dict[str, Any]:
    return json.loads((truth_dir / NOTE).read_text())


def training_text(note: dict[str, Any], model: HookedTransformer, settings: dict[str, Any]) -> Iterator[np.ndarray]:
    """int32 [context], one after another, from the beginning of the training text."""
    if "words" in note:
        words, training = (_at(note[name]) for name in ("words", "training"))
        return windows(Grammar(words), training, int(settings["context"]))
    return islice(corpus.sequences(model, settings, note["order"]), note["skip"], None)


def shuffled(
    model: HookedTransformer,
    text: Iterator[np.ndarray],
    settings: dict[str, Any],
    hook: str,
    order: tuple[int, int],
    start: int,
) -> Iterator[np.ndarray]:
    """Blocks [n, d_in] of rows in the stored form, from the row with this number on.

    The text is cut into blocks of `shuffle_rows` rows; each is put in random order as a whole, by `order` and its own
    number. So a block is all that is held in memory, and any row is reached without computing those before its block.

    Raises:
        UserError: the text has come to its end.
    """
    body, dtype = int(settings["context"]) - 1, str(settings["dtype"])
    many = max(1, int(settings["shuffle_rows"]) // body)  # sequences of a block
    number, skipped = divmod(start, many * body)
    text = islice(text, number * many, None)
    while True:
        tokens = list(islice(text, many))
        if len(tokens) < many:
            given = number * many * body - start
            raise UserError(f"data set {settings.get('dataset')}: its text ends after {given} rows; lower samples")
        places = np.random.default_rng([*order, number]).permutation(many * body)
        block = np.empty((many * body, int(settings["d_in"])), shards.STORED[dtype])
        for first, some in core.batched(np.stack(tokens), model, int(settings["lm_eval_batch"])):
            rows = shards.to_stored(rows_of(model, some, hook), dtype)
            block[places[first * body : first * body + len(rows)]] = rows
        yield block[skipped:]
        number, skipped = number + 1, 0


def rows_of(model: HookedTransformer, tokens: Any, hook: str) -> Any:
    """[n, d_in]: every token but BOS."""
    return core.activations(model, tokens, [hook])[hook][:, 1:].flatten(0, 1)


def _at(state: dict[str, Any]) -> np.random.Generator:
    bits = np.random.PCG64()
    bits.state = state
    return np.random.Generator(bits)
