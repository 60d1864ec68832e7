"""Activations of a language model for training, and held-out sequences with labels; run by the runner alone.

The profile's `model` is "grammar" (a small transformer is trained here, on a corpus of its own), the name of a model
that transformer-lens knows, or a folder that lm/models.py wrote. `hook_names` lists the places, one folder each; two
places with ">" between are a transcoder's, whose rows hold both activations of a token, in the first one's folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import InfrastructureError, UserError

from .lm import core, corpus, letters, models, probing, shards, streams

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

GRAMMAR = "grammar"
SENTENCES = 4096  # drawn at a time
TOKENS_A_SENTENCE = 7.4
Sequences = Iterator[np.ndarray]


def prepare(settings: dict[str, Any], secret: int, train_dir: Path, truth_dir: Path) -> None:
    """Write shuffled shards for each hook, and where no experiment looks: tokens, rows, labels, probes, the model."""
    rows, places = int(settings["tokens"]), places_of(settings)
    hooks = list(dict.fromkeys(hook for place in places for hook in place))
    widths = [sum(_width(settings, i) for i in range(len(place))) for place in places]
    needed = sum(shards.bytes_needed(rows, width, str(settings["dtype"])) for width in widths)
    what = f"{rows:,} activations of {widths[0]} dimensions at {len(places)} {'hook' if len(places) == 1 else 'hooks'}"
    say(shards.check_disk(train_dir, needed, what))
    seeds = np.random.SeedSequence(secret).spawn(5)
    source = _Grammar(settings, seeds[0], truth_dir) if settings["model"] == GRAMMAR else _Text(settings, seeds[0])
    model = source.model
    _check_sizes(model, settings, places)
    if settings.get("streamed"):
        streams.write_note(truth_dir, seeds[4], source.note())
    held = _take(source.held_out(), int(settings["held_out"]), settings)
    np.save(truth_dir / "tokens.npy", held)
    _write_truth(model, settings, hooks, held, source, truth_dir, np.random.default_rng(seeds[1]))
    _write_shards(model, settings, places, source.training(), train_dir, seeds[2:])


def places_of(settings: dict[str, Any]) -> list[tuple[str, ...]]:
    """The hooks that rows are of, one for an autoencoder, two for a transcoder: what it reads, and what it writes.

    Raises:
        UserError: a transcoder's rows are to be streamed, or are of more than two hooks.
    """
    places = [tuple(place.split(">")) for place in str(settings["hook_names"]).split()]
    if any(len(place) > 2 for place in places):
        raise UserError("hook_names: a transcoder reads one hook and writes one: first>second")
    if settings.get("streamed") and any(len(place) > 1 for place in places):
        raise UserError("hook_names: rows of a transcoder are not streamed; leave `streamed` out")
    return places


def _width(settings: dict[str, Any], part: int) -> int:
    """Dimensions of what is read (part 0) or written by a transcoder (part 1)."""
    return int(settings["d_out" if part else "d_in"])


def say(text: str) -> None:
    """A line for the person who waits."""
    print(f"prepare: {text}", flush=True)


class _Grammar:
    """The corpus of this world's own grammar, and a model trained on it."""

    def __init__(self, settings: dict[str, Any], seed: np.random.SeedSequence, truth_dir: Path) -> None:
        import torch

        from .lm.grammar import Grammar

        self._settings, (words, self._training, self._held, weights) = settings, seed.spawn(4)
        self._words, self._grammar = words, Grammar(words)
        torch.set_num_threads(int(settings["lm_threads"]))  # another number would sum in another order
        tokens = np.concatenate(list(self._pieces(self._training, int(settings["lm_tokens"]))))
        model_seed = int(weights.generate_state(1)[0])
        say(f"training a language model on {tokens.size:,} tokens of a grammar of {self._grammar.d_vocab} words")
        tokens = torch.from_numpy(tokens.astype(np.int64))
        self.model = models.train_on(tokens, settings, self._grammar.d_vocab, model_seed)
        models.save(self.model, truth_dir / "model")
        self.labels: dict[str, np.ndarray] = {}

    def training(self) -> Sequences:
        """More of the corpus than the model was trained on, from its beginning."""
        return self._pieces(self._training, None)

    def note(self) -> dict[str, Any]:
        """From where a stream of training text goes on."""
        return {"words": streams.state_of(self._words), "training": streams.state_of(self._training)}

    def held_out(self) -> Sequences:
        """Sequences nobody has seen; their labels are kept."""
        corpora: list[Any] = []
        batch = next(
            self._pieces(self._held, int(self._settings["held_out"]) * (int(self._settings["context"]) - 1), corpora)
        )
        for name in ("topic", "category", "plural", "surprise"):
            self.labels[name] = np.concatenate([getattr(c, name) for c in corpora])
        yield batch

    def _pieces(self, seed: np.random.SeedSequence, tokens: int | None, kept: list[Any] | None = None) -> Sequences:
        """Batches of sequences [n, context]: BOS, then a window of the endless corpus."""
        draw, body = np.random.default_rng(seed), int(self._settings["context"]) - 1
        size = SENTENCES if tokens is None else int(tokens / TOKENS_A_SENTENCE * 1.1) + 100
        while True:
            drawn = self._grammar.sample(size, draw)
            windows = drawn.tokens[: len(drawn.tokens) // body * body].reshape(-1, body)
            if kept is not None:
                kept.append(drawn)
            yield np.concatenate([np.zeros((len(windows), 1), np.int32), windows], axis=1)
            if tokens is not None:
                return

    def check(self, ce: float, held: int) -> dict[str, float]:
        """The model must have learned, and must have left something to lose.

        Raises:
            InfrastructureError: it is no better than word frequencies.
        """
        floor = float(self.labels["surprise"][:held].mean())
        uniform = float(np.log(self._grammar.d_vocab))
        say(f"its cross-entropy is {ce:.2f} nats a token; the grammar's own entropy {floor:.2f}, uniform {uniform:.2f}")
        if ce > (floor + uniform) / 2:
            raise InfrastructureError(f"the language model did not learn (cross-entropy {ce:.2f}); raise lm_steps")
        return {"ce_floor": floor, "ce_uniform": uniform}

    def labellings(self, held: int, draw: np.random.Generator, most: int) -> tuple[dict[str, Any], None, str]:
        """Of the held-out rows themselves; absorption is asked of the topic, at nouns alone."""
        from .lm.grammar import CATEGORIES

        found = {}
        for name in ("topic", "category", "plural"):
            classes = self.labels[name][:held]
            rows = np.flatnonzero(classes >= 0)
            found[name] = probing.labelling_of(rows, classes[rows], most, draw)
        rows = np.flatnonzero(self.labels["category"][:held] == CATEGORIES.index("noun"))
        found["noun_topic"] = probing.labelling_of(rows, self.labels["topic"][rows], most, draw)
        return found, None, "noun_topic"


class _Text:
    """A model of text, and a data set of documents."""

    def __init__(self, settings: dict[str, Any], seed: np.random.SeedSequence) -> None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        say(f"loading {settings['model']}")
        self.model = models.load(str(settings["model"]), str(settings["dtype"]), device)
        self._settings, self._order = settings, int(seed.generate_state(1, np.uint64)[0])
        self._stream = corpus.sequences(self.model, settings, self._order)

    def note(self) -> dict[str, Any]:
        """From where a stream of training text goes on."""
        return {"order": self._order, "skip": int(self._settings["held_out"])}

    def held_out(self) -> Sequences:
        """The stream's beginning; training goes on behind it."""
        return corpus.in_batches(self._stream, 1)

    def training(self) -> Sequences:
        return corpus.in_batches(self._stream, 64)

    def check(self, ce: float, held: int) -> dict[str, float]:
        say(f"its cross-entropy on held-out text is {ce:.2f} nats a token")
        return {}

    def labellings(self, held: int, draw: np.random.Generator, most: int) -> tuple[dict[str, Any], np.ndarray, str]:
        """Rows of their own, behind the held-out ones: words, by their first letter."""
        tokens, initials = letters.sequences(self.model, most, draw)
        rows = held + np.arange(len(tokens))
        return {"first_letter": probing.labelling_of(rows, initials, most, draw)}, tokens, "first_letter"


def _check_sizes(model: HookedTransformer, settings: dict[str, Any], places: list[tuple[str, ...]]) -> None:
    hooks = [hook for place in places for hook in place]
    unknown = [name for name in hooks if name not in model.hook_dict]
    if unknown:
        some = ", ".join(name for name in model.hook_dict if name.startswith("blocks.0.hook_resid"))
        raise UserError(f"hook_names: the model has no {unknown[0]}; there are {some} and others like them")
    found = core.activations(model, _any_tokens(model), hooks)
    for part, name in ((part, name) for place in places for part, name in enumerate(place)):
        if (width := found[name].shape[-1]) != _width(settings, part):
            which = "d_out" if part else "d_in"
            raise UserError(f"{which} = {_width(settings, part)}, but {name} has {width} dimensions")
    if int(settings["context"]) > model.cfg.n_ctx:
        raise UserError(f"context = {settings['context']}; the model reads {model.cfg.n_ctx} tokens at most")


def _any_tokens(model: HookedTransformer) -> Any:
    import torch

    return torch.zeros((1, 2), dtype=torch.long, device=model.cfg.device)


def _take(stream: Sequences, count: int, settings: dict[str, Any]) -> np.ndarray:
    """The first sequences of a stream."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < count:
        batch = next(stream, None)
        if batch is None:
            raise _too_short(settings, sum(map(len, found)), count)
        found.append(batch)
    return np.concatenate(found)[:count]


def _too_short(settings: dict[str, Any], found: int, wanted: int) -> UserError:
    return UserError(
        f"data set {settings.get('dataset', GRAMMAR)}: gives {found} sequences of {settings['context']} "
        f"tokens where {wanted} are wanted; lower tokens, held_out or context"
    )


def _write_truth(
    model: HookedTransformer,
    settings: dict[str, Any],
    hooks: list[str],
    held: np.ndarray,
    source: Any,
    truth_dir: Path,
    draw: np.random.Generator,
) -> None:
    """Rows, labels, dense probes and reference losses."""
    dtype, batch = str(settings["dtype"]), int(settings["lm_eval_batch"])
    rows = len(held) * (held.shape[1] - 1)
    ce = core.cross_entropy(model, held, batch)
    about = {"ce": ce, "weights_sha256": models.weights_sha256(model), "sequences": len(held), **source.check(ce, rows)}
    labellings, extra, absorbed = source.labellings(rows, draw, int(settings["labelled"]))
    poor = [name for name, one in labellings.items() if not any(True for _ in one.tasks())]
    if poor:
        raise UserError(
            f"labelled = {settings['labelled']}: too few rows for the labels of {', '.join(poor)}; raise "
            "labelled or held_out" + ("" if extra is None else ", or choose a model with more whole words")
        )
    for name, one in labellings.items():
        np.savez(truth_dir / f"label-{name}.npz", rows=one.rows, classes=one.classes, fits=one.fits)
    for hook in hooks:
        place = truth_dir / hook
        place.mkdir()
        parts = [streams.rows_of(model, some, hook) for _, some in core.batched(held, model, batch)]
        if extra is not None:
            parts += [
                core.activations(model, some, [hook])[hook][:, -1] for _, some in core.batched(extra, model, batch)
            ]
        stored = np.concatenate([shards.to_stored(part, dtype) for part in parts])
        np.save(place / "x.npy", stored)
        probes = probing.dense_probes(shards.from_stored(stored, dtype), labellings[absorbed])
        np.savez(place / "probes.npz", weights=probes.weights, biases=probes.biases)
        ce_zero = core.cross_entropy(model, held, batch, zeros_at=hook)
        (place / "reference.json").write_text(json.dumps({"ce_zero": ce_zero, "absorbed": absorbed}))
    (truth_dir / "about.json").write_text(json.dumps(about, indent=1))


def _write_shards(
    model: HookedTransformer,
    settings: dict[str, Any],
    places: list[tuple[str, ...]],
    stream: Sequences,
    train_dir: Path,
    seeds: list[np.random.SeedSequence],
) -> None:
    """One forward pass serves all hooks; each place gets an order of its own."""
    rows, d_in, dtype = int(settings["tokens"]), int(settings["d_in"]), str(settings["dtype"])
    import torch

    shard_rows = max(1, (int(settings["shard_mb"]) << 20) // shards.bytes_needed(1, d_in, dtype))
    order = int(seeds[0].generate_state(1, np.uint64)[0])
    writers = {}
    for i, place in enumerate(places):
        d_out = _width(settings, 1) if len(place) > 1 else 0
        writers[place] = shards.ShuffledShards(train_dir / place[0], rows, d_in, dtype, shard_rows, order + i, d_out)
    hooks = [hook for place in places for hook in place]
    batch, told = int(settings["lm_eval_batch"]), 0
    while (missing := writers[places[0]].missing) > 0:
        tokens = next(stream, None)
        if tokens is None:
            body = int(settings["context"]) - 1
            raise _too_short(settings, (rows - missing) // body, rows // body)
        for _, some in core.batched(tokens, model, batch):
            found = core.activations(model, some, hooks)
            for place, writer in writers.items():
                writer.add(torch.cat([found[hook] for hook in place], dim=-1)[:, 1:].flatten(0, 1))
        done = 10 * (rows - writers[places[0]].missing) // rows
        if rows > 2_000_000 and done > told:
            told = done
            say(f"{10 * done}% of the activations")
    for writer in writers.values():
        writer.finish()
