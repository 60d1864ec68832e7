"""Makes a language model's activations for training, and held-out sequences with labels. Only the runner runs it.

The profile's `model` is "grammar" (a small transformer is trained here on a corpus of its own), the name of a model
that transformer-lens knows, or a folder that lm/models.py wrote. `hook_names` lists the hooks whose activations are
written, each into a folder of its own. "first>second" is for a transcoder: each row holds both activations of a token,
and the folder has the first hook's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import InfrastructureError, UserError

from .lm import core, corpus, letters, models, probing, shards, streams
from .lm.grammar import CATEGORIES, Corpus, Grammar, windows

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

GRAMMAR = "grammar"
TOKENS_A_SENTENCE = 7.4  # of the grammar, on average
Sequences = Iterator[np.ndarray]  # batches int32 [n, context]


def prepare(settings: dict[str, Any], secret: int, train_dir: Path, truth_dir: Path) -> None:
    """Writes shuffled shards for each hook into train_dir, and into truth_dir what experiments must not see.

    That is the held-out tokens and rows, their labels, probes, reference losses, and the model of a grammar.

    Raises:
        UserError: the settings do not fit the model or the data set.
        InfrastructureError: there is too little disk, the hub cannot be reached, or the model did not learn.
    """
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
    """The hooks of each kind of rows: one for an autoencoder; for a transcoder those that it reads and writes.

    Raises:
        UserError: a transcoder has more than two hooks, or its rows are to be streamed.
    """
    places = [tuple(place.split(">")) for place in str(settings["hook_names"]).split()]
    if any(len(place) > 2 for place in places):
        raise UserError("hook_names: a transcoder reads one hook and writes one: first>second")
    if settings.get("streamed") and any(len(place) > 1 for place in places):
        raise UserError("hook_names: rows of a transcoder are not streamed; leave `streamed` out")
    return places


def _width(settings: dict[str, Any], part: int) -> int:
    """The width of the activation that is read (part 0), or that a transcoder writes (part 1)."""
    return int(settings["d_out" if part else "d_in"])


def say(text: str) -> None:
    """Prints a line that the runner shows to the person who waits."""
    print(f"prepare: {text}", flush=True)


class _Grammar:
    """A grammar of this world's own, and a language model that is trained on its corpus.

    A world is a data set drawn from a secret.
    """

    def __init__(self, settings: dict[str, Any], seed: np.random.SeedSequence, truth_dir: Path) -> None:
        import torch

        self._words, self._training, held, weights = seed.spawn(4)
        self._grammar, self._context = Grammar(self._words), int(settings["context"])
        torch.set_num_threads(int(settings["lm_threads"]))  # another number would sum in another order
        text = windows(self._corpus(self._training, int(settings["lm_tokens"])).tokens, self._context)
        model_seed = int(weights.generate_state(1)[0])
        say(f"training a language model on {text.size:,} tokens of a grammar of {self._grammar.d_vocab} words")
        tokens = torch.from_numpy(text.astype(np.int64))
        self.model = models.train_on(tokens, settings, self._grammar.d_vocab, model_seed)
        models.save(self.model, truth_dir / "model")
        self._held = self._corpus(held, int(settings["held_out"]) * (self._context - 1))

    def training(self) -> Sequences:
        """The text of the training rows, without an end: sentences of the grammar, as the model was trained on."""
        return streams.endless(self._grammar, np.random.default_rng(self._training), self._context)

    def note(self) -> dict[str, Any]:
        """From where a stream reads the training text (streams.py)."""
        return {"words": streams.state_of(self._words), "training": streams.state_of(self._training)}

    def held_out(self) -> Sequences:
        """Sequences that neither the model nor an autoencoder is trained on."""
        yield windows(self._held.tokens, self._context)

    def _corpus(self, seed: np.random.SeedSequence, tokens: int) -> Corpus:
        """A corpus of at least this many tokens."""
        return self._grammar.sample(int(tokens / TOKENS_A_SENTENCE * 1.1) + 100, np.random.default_rng(seed))

    def check(self, ce: float, held: int) -> dict[str, float]:
        """Facts about the model's cross-entropy `ce` on the first `held` tokens, in nats per token.

        Raises:
            InfrastructureError: it lies nearer to a uniform guess than to the grammar's own entropy.
        """
        floor = float(self._held.surprise[:held].mean())
        uniform = float(np.log(self._grammar.d_vocab))
        say(f"its cross-entropy is {ce:.2f} nats a token; the grammar's own entropy {floor:.2f}, uniform {uniform:.2f}")
        if ce > (floor + uniform) / 2:
            raise InfrastructureError(f"the language model did not learn (cross-entropy {ce:.2f}); raise lm_steps")
        return {"ce_floor": floor, "ce_uniform": uniform}

    def labellings(self, held: int, draw: np.random.Generator, most: int) -> tuple[dict[str, Any], None, str]:
        """Labellings of the held-out rows themselves; absorption is measured for the topic of nouns."""
        topic, category, found = self._held.topic, self._held.category, {}
        for name, labels in {"topic": topic, "category": category, "plural": self._held.plural}.items():
            rows = np.flatnonzero(labels[:held] >= 0)
            found[name] = probing.labelling_of(rows, labels[rows], most, draw)
        rows = np.flatnonzero(category[:held] == CATEGORIES.index("noun"))
        found["noun_topic"] = probing.labelling_of(rows, topic[rows], most, draw)
        return found, None, "noun_topic"


class _Text:
    """A language model of text, and a data set of documents; it has the methods of _Grammar."""

    def __init__(self, settings: dict[str, Any], seed: np.random.SeedSequence) -> None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        say(f"loading {settings['model']}")
        self.model = models.load(str(settings["model"]), str(settings["dtype"]), device)
        self._settings, self._order = settings, int(seed.generate_state(1, np.uint64)[0])
        self._stream = corpus.sequences(self.model, settings, self._order)

    def note(self) -> dict[str, Any]:
        """From where a stream reads the training text (streams.py)."""
        return {"order": self._order, "skip": int(self._settings["held_out"])}

    def held_out(self) -> Sequences:
        """The first sequences of the data set; training takes those that follow."""
        return corpus.in_batches(self._stream, 1)

    def training(self) -> Sequences:
        return corpus.in_batches(self._stream, 64)

    def check(self, ce: float, held: int) -> dict[str, float]:
        say(f"its cross-entropy on held-out text is {ce:.2f} nats a token")
        return {}

    def labellings(self, held: int, draw: np.random.Generator, most: int) -> tuple[dict[str, Any], np.ndarray, str]:
        """A labelling of words by their first letter, whose rows follow the held-out ones; also the words' prompts."""
        tokens, initials = letters.sequences(self.model, most, draw)
        rows = held + np.arange(len(tokens))
        return {"first_letter": probing.labelling_of(rows, initials, most, draw)}, tokens, "first_letter"


def _check_sizes(model: HookedTransformer, settings: dict[str, Any], places: list[tuple[str, ...]]) -> None:
    """Raises UserError if hooks, widths or the context do not fit the model."""
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
    """The first `count` sequences of a stream; raises UserError if it has fewer."""
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
    """Writes the rows and dense probes of each hook, the labels, and the losses that metrics are compared with."""
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
    """Writes the training rows: one forward pass for all hooks, and a random order of its own for each folder."""
    import torch

    rows, d_in, dtype = int(settings["tokens"]), int(settings["d_in"]), str(settings["dtype"])
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
