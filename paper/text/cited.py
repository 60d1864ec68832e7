"""Which sentence cites which work: a reviewer compares each pair with the work's abstract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from agent.literature.library import Library
from paper.text.nodes import Block, Citation, Heading, Listing, Section, Sentence
from paper.text.parser import parse
from paper.text.sections import SECTIONS, without_tags


class Cited(NamedTuple):
    """A sentence and one work that it cites."""

    section: str
    sentence: str  # in Markdown, as it was written
    key: str

    @property
    def name(self) -> str:
        """A key that depends only on the sentence's words and the work, so that a moved sentence keeps its verdict."""
        return hashlib.sha256(f"{self.key}\0{self.sentence}".encode()).hexdigest()[:16]


def cited_pairs(sections: Mapping[str, str], library: Library) -> tuple[Cited, ...]:
    """Each pair once, in the order of the paper, over all branches of conditional text.

    A citation key that the library does not have is left out here; the checks refuse it (truth/checks.py).
    """
    found = {}
    for spec in SECTIONS:
        for sentence in _sentences(parse(spec.name, without_tags(sections.get(spec.name, "")))):
            for node in sentence.walk():
                for key in node.keys if isinstance(node, Citation) else ():
                    if key in library:
                        pair = Cited(spec.name, sentence.source, key)
                        found[pair.name] = pair
    return tuple(found.values())


def _sentences(section: Section) -> list[Sentence]:
    titles = [section.title] if section.title else []
    return [*titles, *_headings(section.blocks), *section.sentences]


def _headings(blocks: tuple[Block, ...]) -> list[Sentence]:
    found = []
    for block in blocks:
        match block:
            case Heading(sentence=sentence):
                found.append(sentence)
            case Listing(items=items):
                found += [s for item in items for s in _headings(item)]
    return found
