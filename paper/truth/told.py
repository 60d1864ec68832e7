"""Told sentences, which a reviewer (the judge) reads as they print, and the verdicts on them.

A told sentence is in the writer's own words. A verdict is stored under a name made from the section, the paragraph, the
sentence and the outcome of every comparison of the records, so it holds only while all of these stay the same. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from agent.core.writing import Refusal
from paper.evidence import clauses
from paper.evidence.facts import Facts
from paper.reading.spoken import printed, spoken
from paper.text.nodes import Block, Equation, Heading, Listing, Paragraph, Section, Sentence
from paper.text.sections import SECTIONS
from paper.truth.kinds import SentenceKind, kind_of


@dataclass(frozen=True)
class Told:
    """One sentence as the judge reads it. A verdict is stored under `name`."""

    section: str
    key: str
    kind: SentenceKind
    source: str
    text: str  # as it prints
    name: str


@dataclass(frozen=True)
class Passage:
    """A paragraph, heading, equation or title, whole, so that each sentence is judged beside its neighbours."""

    section: str
    interpretation: bool
    sentences: tuple[Told, ...]


@dataclass(frozen=True)
class Verdicts:
    """What was judged so far: the names of the sentences that were read, and the refusals."""

    judged: frozenset[str] = frozenset()
    given: tuple[Refusal, ...] = ()

    @cached_property
    def refused(self) -> Mapping[str, Refusal]:
        return {refusal.name: refusal for refusal in self.given}


NONE_JUDGED = Verdicts()
CAPTIONS = "figures"  # stands in the place of a section's name for captions
NO_CAPTIONS: Mapping[str, str] = MappingProxyType({})


def passages(
    parsed: Mapping[str, Section], facts: Facts, captions: Mapping[str, str] = NO_CAPTIONS
) -> tuple[Passage, ...]:
    """All passages of the paper in the order in which they print, then the captions that the agent wrote.

    Args:
        parsed: the sections by name.
        captions: by the name of the figure.
    """
    signs = clauses.signs(facts)
    found = []
    for spec in SECTIONS:
        section = parsed[spec.name]
        if section.title is not None:
            found.append(_passage(spec.name, (section.title,), False, facts, signs))
        for sentences, interpretation in _groups(section.blocks):
            found.append(_passage(spec.name, sentences, interpretation, facts, signs))
    for figure, caption in captions.items():
        name = _bound(CAPTIONS, caption, caption, signs)
        told = Told(CAPTIONS, f"fig:{figure}", "told", caption, f"(caption of fig:{figure}) {caption}", name)
        found.append(Passage(CAPTIONS, False, (told,)))
    return tuple(found)


def _passage(section: str, sentences: Sequence[Sentence], interpretation: bool, facts: Facts, signs: str) -> Passage:
    whole = "\n".join(s.source for s in sentences)
    told = []
    for sentence in sentences:
        told.append(
            Told(
                section=section,
                key=sentence.key,
                kind=kind_of(sentence, spoken(sentence, facts), facts),
                source=sentence.source,
                text=printed(sentence, facts),
                name=_bound(section, whole, sentence.source, signs),
            )
        )
    return Passage(section, interpretation, tuple(told))


def _bound(*parts: str) -> str:
    """The name under which a verdict is stored."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[tuple[Sentence, ...], bool]]:
    for block in blocks:
        match block:
            case Paragraph(sentences=sentences, interpretation=interpretation):
                yield sentences, interpretation
            case Heading(sentence=sentence) | Equation(sentence=sentence):
                yield (sentence,), False
            case Listing(items=items):
                for item in items:
                    yield from _groups(item)


def to_judge(found: Sequence[Passage], verdicts: Verdicts) -> tuple[Told, ...]:
    """The told sentences that were not judged yet in their present form."""
    return tuple(t for p in found for t in p.sentences if t.kind == "told" and t.name not in verdicts.judged)


def refusals(found: Sequence[Passage], verdicts: Verdicts) -> Iterator[tuple[Told, Refusal]]:
    """The sentences that were refused and have not changed since, each with its refusal."""
    for told in (t for p in found for t in p.sentences):
        if told.name in verdicts.refused:
            yield told, verdicts.refused[told.name]
