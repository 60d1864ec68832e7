"""Conditional text: `{% if ahead("a", "b", "f1") %} ... {% else %} ... {% endif %}`.

The records choose the branch, and the other one is not part of the paper, so that a writer can word each outcome by
itself. A branch holds whole sentences; an `if` inside of another is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from paper.evidence.expressions import Problem, holds
from paper.evidence.facts import Facts
from paper.text.nodes import Refused, Section
from paper.text.parser import parse
from paper.text.sections import CHOICE_TAG, SECTIONS

_BEFORE = re.compile(r"(?:\A|%\}|\n[ \t]*\n|[.!?:][\"'”’)*\]]*|\n[ \t]*[-*\d.]+[ \t])\s*\Z")
_WHOLE = re.compile(r"[.!?][\"'”’)*\]]*\s*\Z")


@dataclass(frozen=True)
class _Choice:
    """One `if` with its branches, and where it stands in the text."""

    start: int
    end: int
    condition: str
    branches: tuple[str, str]


def parsed_paper(sections: Mapping[str, str], facts: Facts) -> dict[str, Section]:
    """The tree of every section, with the branches that the records choose. A faulty choice becomes a refused piece."""
    return {spec.name: _parsed(spec.name, sections.get(spec.name, ""), facts) for spec in SECTIONS}


def _parsed(name: str, text: str, facts: Facts) -> Section:
    chosen, faults = resolved(text, facts)
    section = parse(name, chosen)
    refused = [Refused(f"{name}:if{i}", line, what[:120], why) for i, (line, what, why) in enumerate(faults)]
    return replace(section, refused=(*section.refused, *refused)) if refused else section


def resolved(text: str, facts: Facts) -> tuple[str, list[tuple[int, str, str]]]:
    """The text with one branch of each choice, and the faults as (line, literal, why). A faulty choice prints
    nothing."""
    written, faults, last = "", [], 0
    for choice in _choices(text):
        line = text.count("\n", 0, choice.start) + 1
        held = holds(choice.condition, facts)
        why = held.message if isinstance(held, Problem) else _unsound(text, choice)
        if why:
            faults.append((line, choice.condition, why))
        written += text[last : choice.start]
        written += "" if why else choice.branches[0 if held else 1].strip()
        last = choice.end
    return written + text[last:], faults


def _choices(text: str) -> Iterator[_Choice]:
    """Each `if` with its `endif`. A tag without a partner stays in the text, where the parser refuses it."""
    opened: re.Match[str] | None = None
    middle: re.Match[str] | None = None
    for tag in CHOICE_TAG.finditer(text):
        match tag[1]:
            case "if" if opened is None:
                opened, middle = tag, None
            case "else" if opened is not None and middle is None:
                middle = tag
            case "endif" if opened is not None:
                first = text[opened.end() : middle.start() if middle else tag.start()]
                second = text[middle.end() : tag.start()] if middle else ""
                yield _Choice(opened.start(), tag.end(), opened[2], (first, second))
                opened = None


def _unsound(text: str, choice: _Choice) -> str:
    """Why a choice is not allowed where it stands, in words for the writer; "" where it is."""
    if any(CHOICE_TAG.search(branch) for branch in choice.branches):
        return "an if inside of an if; write one level"
    if not _BEFORE.search(text[: choice.start]):
        return "an if begins after a whole sentence"
    if any(branch.strip() and not _WHOLE.search(branch) for branch in choice.branches):
        return "each branch holds whole sentences, with their full stops"
    return ""
