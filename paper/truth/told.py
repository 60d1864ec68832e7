"""Told sentences: numbered as they print, for one reviewer to judge; a verdict is bound to its words and the records.

A verdict holds for a sentence in its paragraph while every comparison of the records comes out as it did. Pure.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from agent.core.writing import Refusal
from paper.evidence import clauses
from paper.evidence.facts import Facts
from paper.reading.spoken import printed, spoken
from paper.text.nodes import Block, Heading, Listing, Paragraph, Section, Sentence
from paper.text.sections import SECTIONS
from paper.truth.kinds import SentenceKind, kind_of


@dataclass(frozen=True)
class Told:
    """One sentence as the judge reads it. `name` binds a verdict to it."""

    section: str
    key: str
    kind: SentenceKind
    source: str
    text: str  # as it prints
    name: str


@dataclass(frozen=True)
class Passage:
    """A paragraph, heading or title, whole, so that each sentence is judged beside its neighbours."""

    section: str
    interpretation: bool
    sentences: tuple[Told, ...]


@dataclass(frozen=True)
class Verdicts:
    """What was judged so far: the names that were read, and what was refused by name."""

    judged: frozenset[str] = frozenset()
    given: tuple[Refusal, ...] = ()

    @cached_property
    def refused(self) -> Mapping[str, Refusal]:
        return {refusal.name: refusal for refusal in self.given}


NONE_JUDGED = Verdicts()


def passages(parsed: Mapping[str, Section], facts: Facts) -> tuple[Passage, ...]:
    """The whole paper in the order in which it prints."""
    signs = clauses.signs(facts)
    found = []
    for spec in SECTIONS:
        section = parsed[spec.name]
        if section.title is not None:
            found.append(_passage(spec.name, (section.title,), False, facts, signs))
        for sentences, interpretation in _groups(section.blocks):
            found.append(_passage(spec.name, sentences, interpretation, facts, signs))
    return tuple(found)


def _passage(section: str, sentences: Sequence[Sentence], interpretation: bool, facts: Facts, signs: str) -> Passage:
    whole = "\n".join(s.source for s in sentences)
    told = []
    for sentence in sentences:
        bound = "\0".join((section, whole, sentence.source, signs))
        told.append(
            Told(
                section=section,
                key=sentence.key,
                kind=kind_of(sentence, spoken(sentence, facts), facts),
                source=sentence.source,
                text=printed(sentence, facts),
                name=hashlib.sha256(bound.encode()).hexdigest()[:16],
            )
        )
    return Passage(section, interpretation, tuple(told))


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[tuple[Sentence, ...], bool]]:
    for block in blocks:
        match block:
            case Paragraph(sentences=sentences, interpretation=interpretation):
                yield sentences, interpretation
            case Heading(sentence=sentence):
                yield (sentence,), False
            case Listing(items=items):
                for item in items:
                    yield from _groups(item)


def to_judge(found: Sequence[Passage], verdicts: Verdicts) -> tuple[Told, ...]:
    """The told sentences that nobody has judged as they stand now."""
    return tuple(t for p in found for t in p.sentences if t.kind == "told" and t.name not in verdicts.judged)


def refusals(found: Sequence[Passage], verdicts: Verdicts) -> Iterator[tuple[Told, Refusal]]:
    """The sentences that stand as they were refused."""
    for told in (t for p in found for t in p.sentences):
        if told.name in verdicts.refused:
            yield told, verdicts.refused[told.name]


@dataclass(frozen=True)
class Account:
    """How many sentences of each kind a paper prints, and what became of the told ones."""

    measured: int
    cited: int
    told: int
    judged: int
    sent_back: int
    cut: int
    not_judged: int


def account(found: Sequence[Passage], verdicts: Verdicts, cut: Set[str]) -> Account:
    """Counted over what prints; `cut`: keys of pieces that do not, whatever refused them."""
    printing = [t for p in found for t in p.sentences if t.key not in cut]
    kinds = Counter(t.kind for t in printing)
    not_judged = sum(t.kind == "told" and t.name not in verdicts.judged for t in printing)
    return Account(
        measured=kinds["measured"],
        cited=kinds["cited"],
        told=kinds["told"],
        judged=kinds["told"] - not_judged,
        sent_back=len({r.sentence for r in verdicts.given}),
        cut=sum(t.name in verdicts.refused for p in found for t in p.sentences),
        not_judged=not_judged,
    )
