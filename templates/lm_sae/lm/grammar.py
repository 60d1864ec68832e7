"""A corpus drawn from a secret grammar. The hidden state behind each token (topic, category, number) is its label.

A topic lasts for several sentences, and determiners, nouns and verbs agree in number. The probabilities of verbs depend
on the subject, those of objects and adverbs on the verb, and those of adjectives on the kind of noun. So a small
language model has to represent single words and what they share, and more than the token that it reads. Words are token
ids; there is no text and no tokenizer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BOS = 0  # the token that begins every sequence
SENTENCES = 4096  # that an endless corpus draws at a time
TOPICS, KINDS = 6, 3
NOUNS = 12  # of each topic and kind; each noun has a singular and a plural token
VERBS = 8  # of each topic; they have two tokens as well
SHARED = {"determiner": 6, "adjective": 24, "preposition": 8, "adverb": 12}  # half of the determiners are plural
SWITCH = 0.12  # chance that a sentence changes the topic
CATEGORIES = ("determiner", "adjective", "noun", "preposition", "verb", "adverb", "stop")
# The places of a sentence in their order: the category, and the chance that a sentence fills the place.
PLACES = (
    ("determiner", 1.0),
    ("adjective", 0.4),
    ("noun", 1.0),
    ("preposition", 0.3),
    ("determiner", 0.3),
    ("noun", 0.3),
    ("verb", 1.0),
    ("determiner", 1.0),
    ("adjective", 0.4),
    ("noun", 1.0),
    ("adverb", 0.35),
    ("stop", 1.0),
)
PHRASE = (3, 4, 5)  # places that a sentence fills all or none of: a prepositional phrase


@dataclass(frozen=True)
class Corpus:
    """Sentences in a row, with the labels of each token."""

    tokens: np.ndarray  # int32 [N]
    topic: np.ndarray  # int8 [N]: topic of the sentence
    category: np.ndarray  # int8 [N]: index into CATEGORIES
    plural: np.ndarray  # int8 [N]: 0 or 1; -1 for words without number
    surprise: np.ndarray  # float32 [N]: -log probability in nats, for a reader who knows the grammar and the labels


class Grammar:
    """The word lists and probabilities of one secret."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        draw = np.random.default_rng(seed)
        sizes = [*SHARED.values(), 2 * TOPICS * KINDS * NOUNS, 2 * TOPICS * VERBS, 1]
        self.d_vocab = 1 + sum(sizes)
        ids = np.split(1 + draw.permutation(self.d_vocab - 1), np.cumsum(sizes)[:-1])
        self.shared = dict(zip(SHARED, ids, strict=False))
        self.nouns = ids[4].reshape(TOPICS, KINDS * NOUNS, 2)  # last: singular, plural
        self.verbs = ids[5].reshape(TOPICS, VERBS, 2)
        self.stop = int(ids[6][0])
        self.does = _tables(draw, VERBS, TOPICS, KINDS * NOUNS)  # verbs, given topic and subject
        self.takes = _tables(draw, KINDS * NOUNS, TOPICS, VERBS)  # objects, given topic and verb
        self.how = _tables(draw, SHARED["adverb"], TOPICS, VERBS)  # adverbs, given topic and verb
        self.near = _tables(draw, KINDS * NOUNS, TOPICS, SHARED["preposition"])  # nouns behind a preposition
        self.looks = _tables(draw, SHARED["adjective"], TOPICS, KINDS)  # adjectives, given topic and kind of noun

    def sample(self, sentences: int, draw: np.random.Generator) -> Corpus:
        """Draws this many sentences; the labels of all N tokens come with them."""
        count, width = sentences, len(PLACES)
        tokens = np.zeros((count, width), np.int32)
        surprise = np.zeros((count, width), np.float32)
        plural = np.full((count, width), -1, np.int8)
        topic = self._topics(count, draw)
        here = draw.random((count, width)) < np.array([chance for _, chance in PLACES])
        here[:, PHRASE[1:]] = here[:, PHRASE[:1]]  # all places of the phrase, or none
        numbers = draw.random((count, 3)) < 0.4  # of subject, phrase, object
        for place, noun in ((0, 0), (2, 0), (4, 1), (5, 1), (6, 0), (7, 2), (9, 2)):
            plural[:, place] = numbers[:, noun]
        subject, surprise[:, 2] = _zipf(KINDS * NOUNS, count, draw)
        verb, surprise[:, 6] = _choose(self.does[topic, subject], draw)
        preposition, surprise[:, 3] = _zipf(SHARED["preposition"], count, draw)
        near, surprise[:, 5] = _choose(self.near[topic, preposition], draw)
        thing, surprise[:, 9] = _choose(self.takes[topic, verb], draw)
        adverb, surprise[:, 10] = _choose(self.how[topic, verb], draw)
        for place, noun in ((2, subject), (5, near), (9, thing)):
            tokens[:, place] = self.nouns[topic, noun, plural[:, place]]
        for place, noun in ((1, subject), (8, thing)):
            adjective, surprise[:, place] = _choose(self.looks[topic, noun % KINDS], draw)
            tokens[:, place] = self.shared["adjective"][adjective]
        for place in (0, 4, 7):
            half = SHARED["determiner"] // 2
            determiner, surprise[:, place] = _zipf(half, count, draw)
            tokens[:, place] = self.shared["determiner"][determiner + half * plural[:, place]]
        tokens[:, 3], tokens[:, 10] = self.shared["preposition"][preposition], self.shared["adverb"][adverb]
        tokens[:, 6] = self.verbs[topic, verb, plural[:, 6]]
        tokens[:, -1] = self.stop
        surprise += _structure(here, plural)
        names = np.array([CATEGORIES.index(category) for category, _ in PLACES], np.int8)
        spread = (np.broadcast_to(topic[:, None], here.shape), np.broadcast_to(names, here.shape))
        return Corpus(tokens[here], *(a[here].astype(np.int8) for a in spread), plural[here], surprise[here])

    @staticmethod
    def _topics(count: int, draw: np.random.Generator) -> np.ndarray:
        fresh = draw.integers(TOPICS, size=count)
        last_change = np.maximum.accumulate(np.where(draw.random(count) < SWITCH, np.arange(count), 0))
        return fresh[last_change]


def windows(tokens: np.ndarray, context: int) -> np.ndarray:
    """The tokens of a corpus as sequences int32 [n, context], each begun by BOS; a rest at the end is dropped."""
    body = context - 1
    found = tokens[: len(tokens) // body * body].reshape(-1, body)
    return np.concatenate([np.full((len(found), 1), BOS, np.int32), found], axis=1)


def _tables(draw: np.random.Generator, size: int, *given: int) -> np.ndarray:
    """Random probabilities [*given, size]; few of each row are large (a Dirichlet distribution with 0.2)."""
    return draw.dirichlet(np.full(size, 0.2), size=given)


def _zipf(size: int, count: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ranks [count] drawn with probability proportional to 1 / (rank + 1), and the surprise of each."""
    weights = 1 / np.arange(1, size + 1)
    weights /= weights.sum()
    chosen = draw.choice(size, size=count, p=weights)
    return chosen, -np.log(weights[chosen])


def _choose(weights: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws one column from each row of probabilities [n, size]: the columns [n], and the surprise of each."""
    chosen = (weights.cumsum(axis=1) < draw.random(len(weights))[:, None]).sum(axis=1).clip(max=weights.shape[1] - 1)
    return chosen, -np.log(np.maximum(weights[np.arange(len(weights)), chosen], 1e-12))


def _structure(here: np.ndarray, plural: np.ndarray) -> np.ndarray:
    """The surprise [sentences, places] of which places are filled and of each noun's number.

    A place's surprise counts at the next token that is there, because this token shows it; that of a noun's number
    counts at its determiner.
    """
    cost = np.zeros(here.shape, np.float32)
    waiting = np.zeros(len(here), np.float32)
    for place, (category, chance) in enumerate(PLACES):
        if place not in PHRASE[1:] and chance < 1:
            waiting += np.where(here[:, place], -np.log(chance), -np.log(1 - chance))
        told = here[:, place]
        cost[told, place] = waiting[told]
        waiting[told] = 0
        if category == "determiner":
            cost[:, place] += np.where(plural[:, place] == 1, -np.log(0.4), -np.log(0.6))
    return cost
