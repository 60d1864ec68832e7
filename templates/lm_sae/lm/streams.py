"""The training text of a world as a stream, and its activations in blocks that are shuffled in memory.

A world is a data set drawn from a secret. prepare.py writes a note (NOTE, beside the truth) from which every reader
gets the same sequences in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import UserError

from . import core, corpus, shards
from .grammar import SENTENCES, Grammar, windows

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

NOTE = "stream.json"


def endless(grammar: Grammar, draw: np.random.Generator, context: int) -> Iterator[np.ndarray]:
    """Batches of sequences of the grammar, int32 [n, context], without an end."""
    while True:
        yield windows(grammar.sample(SENTENCES, draw).tokens, context)


def state_of(seed: np.random.SeedSequence) -> dict[str, Any]:
    """The first state of a random generator with this seed; the seed does not follow from it."""
    return np.random.PCG64(seed).state


def write_note(truth_dir: Path, shuffle: np.random.SeedSequence, source: dict[str, Any]) -> None:
    """Writes the note. `source`: {"words", "training"} for a grammar, {"order", "skip"} for a data set.

    `shuffle` decides the order of the activations within each block.
    """
    note = {"shuffle": int(shuffle.generate_state(1, np.uint64)[0]), **source}
    (truth_dir / NOTE).write_text(json.dumps(note))


def read_note(truth_dir: Path) -> dict[str, Any]:
    return json.loads((truth_dir / NOTE).read_text())


def training_text(note: dict[str, Any], model: HookedTransformer, settings: dict[str, Any]) -> Iterator[np.ndarray]:
    """The sequences of the training text from its beginning, one after another, each int32 [context]."""
    if "words" in note:
        words, training = (_at(note[name]) for name in ("words", "training"))
        return chain.from_iterable(endless(Grammar(words), training, int(settings["context"])))
    return islice(corpus.sequences(model, settings, note["order"]), note["skip"], None)


def shuffled(
    model: HookedTransformer,
    text: Iterator[np.ndarray],
    settings: dict[str, Any],
    hook: str,
    order: tuple[int, int],
    start: int,
) -> Iterator[np.ndarray]:
    """Blocks of rows [n, d_in] in the form in which shards store them, from row number `start` on.

    The rows are cut into blocks of about `shuffle_rows`, and each block is put in a random order that depends on
    `order` and the block's number. So only one block is in memory, and a row is reached without computing the blocks
    before its own.

    Raises:
        UserError: the text has ended.
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
    """The activations of all tokens except BOS, [n, d_in]."""
    return core.activations(model, tokens, [hook])[hook][:, 1:].flatten(0, 1)


def _at(state: dict[str, Any]) -> np.random.Generator:
    """A random generator in this state."""
    bits = np.random.PCG64()
    bits.state = state
    return np.random.Generator(bits)
