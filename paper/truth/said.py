"""A sentence with its expressions evaluated, and where it names runs. What may be said is for claims.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from paper.evidence.confirmation import Verdict
from paper.evidence.expressions import evaluate, parse
from paper.evidence.facts import Facts
from paper.evidence.vocabulary import Result
from paper.text.mathcheck import words as math_words
from paper.text.nodes import CITATION, EXPRESSION, Emphasis, Math, Sentence, Text
from paper.truth.neutral import is_heading

Name = tuple[int, int, tuple[str, ...]]  # where a run is named: start, end, the runs that bear the name
Hit = tuple[str, str, str]  # code, literal, text ("" for the code's own wording)
NAMING = ("name", "best", "confirmed_run")  # functions that print a run's label


@dataclass(frozen=True)
class Said:
    """A sentence with its expressions evaluated."""

    sentence: Sentence
    section: str
    claims: bool  # the section asks for an expression behind each outcome
    interpretation: bool
    facts: Facts
    background: bool = False  # of the abstract: before the paper speaks of itself

    @cached_property
    def text(self) -> str:
        math = " ".join(math_words(p.source) for p in self.sentence.walk() if isinstance(p, Math))
        return f"{self.sentence.flat} {math}".strip()

    @cached_property
    def values(self) -> tuple[tuple[str, Result], ...]:
        """Function name and value of each expression that has one."""
        found = []
        for expression in self.sentence.expressions():
            call, value = parse(expression.source), evaluate(expression.source, self.facts)
            if isinstance(value, Result) and isinstance(call, tuple):
                found.append((call[0], value))
        return tuple(found)

    @cached_property
    def printed(self) -> list[Name]:
        """Where an expression prints the name of a run; empty while some expression has no value."""
        places = [m.start() for m in re.finditer(EXPRESSION, self.sentence.flat)]
        if len(places) != len(self.values):
            return []
        return [(at, at + 1, v.runs) for at, (f, v) in zip(places, self.values, strict=True) if f in NAMING]

    @property
    def verdict(self) -> Verdict | None:
        """Of the confirmation, where the sentence has an expression that is read from it."""
        found = self.facts.confirmed if any(v.confirmed for _, v in self.values) else None
        return found.verdict if found else None

    @property
    def evidence(self) -> bool:
        return any(v.evidence for _, v in self.values)

    @property
    def lead_in(self) -> bool:
        """A heading, or the bold words that open a paragraph."""
        return is_heading(self.text) and all(
            isinstance(p, Emphasis) or (isinstance(p, Text) and not p.text.strip()) for p in self.sentence.parts
        )

    @property
    def cites(self) -> bool:
        return CITATION in self.text


def named(text: str, facts: Facts) -> list[Name]:
    """Where the text names runs by their labels: start, end, the runs that bear the label."""
    found: list[Name] = []
    for label in sorted({r.label for r in facts.explored}, key=len, reverse=True):
        runs = tuple(r.name for r in facts.explored if r.label == label)
        for match in name_pattern(label).finditer(text):
            if not any(s < match.end() and match.start() < e for s, e, _ in found):
                found.append((match.start(), match.end(), runs))
    return sorted(found)


def name_pattern(label: str) -> re.Pattern[str]:
    """A label as a whole word, with or without its hyphens."""
    loose = r"[-\s]?".join(re.escape(p) for p in re.split(r"[-\s]+|(?<=[a-z])(?=[A-Z])", label) if p)
    return re.compile(rf"(?<![\w-]){loose}(?![\w-])")


def squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def base_form(word: str) -> bool:
    """improve, not improved or improvements: only a bare verb after "to" states a purpose."""
    return not re.search(r"(?:ed|ing|ments?|tions?)$", word, re.IGNORECASE)
