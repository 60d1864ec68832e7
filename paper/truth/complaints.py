"""The complaints that the checks send to the writer: their codes, what each means and how the writer can fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# By code: what is wrong, and how it is fixed. The order is that of severity: what could print a falsehood comes first.
CODES: dict[str, tuple[str, str]] = {
    "typed-number": (
        "a number that is typed, not read from a record",
        "write the expression that yields it, or say it without a number",
    ),
    "misbound-expression": (
        "an expression that reads another run or metric than the words beside it name",
        "name the run and the metric that the expression reads, or read those that are named",
    ),
    "told-refused": (
        "a sentence in the writer's own words that the judge refuses",
        "say less, say what is known instead, or let a form print it",
    ),
    "claim-without-form": (
        "a comparison of runs in the writer's own words",
        "let a form print it, such as {{ versus(...) }}, {{ ranking(...) }} or {{ ahead_of(...) }}",
    ),
    "claim-beside-form": (
        "words beside a measured clause that say more than it prints",
        "leave the clause alone; what it means goes into a sentence of its own",
    ),
    "unknown-expression": ("an expression that has no value", "use the vocabulary and the names given"),
    "unsupported-citation": (
        "a citation of a work whose summary does not support the sentence",
        "say of the work only what its summary supports, or cite another one",
    ),
    "unknown-citation": ("a citation that the library does not hold", "cite a key of the library, or none"),
    "unknown-figure": ("a reference to a figure, table or section that does not exist", "use one of the names given"),
    "unknown-name": (
        "a name that does not occur in the described run's code",
        "use the name that the code has, or describe it in words",
    ),
    "comparison-not-first": (
        "the results do not begin with the comparison that was fixed beforehand",
        "begin with the question, and {{ versus(...) }} in the primary metric",
    ),
    "guards-not-shown": (
        "the results do not show the described run in all metrics that guard the primary metric",
        "put {{ guarded() }} into the results, once",
    ),
    "untold-run": (
        "a run without a result that the text does not mention",
        "say that it was tried and failed: {{ failure(...) }}",
    ),
    "forbidden-math": ("math outside the allow-list", "rewrite the formula with common commands"),
    "forbidden-markdown": ("markup outside the allow-list", "write plain paragraphs, lists and emphasis"),
    "placeholder": ("text that was meant to be replaced", "write the sentence or remove it"),
    "duplicate-label": ("the same figure, table or heading twice", "keep one of them"),
    "empty-section": ("a section without a sentence", "write it"),
}


@dataclass(frozen=True)
class Complaint:
    """One thing that a check refuses. `key` names the piece of the paper that is cut if it stays; "" cuts nothing."""

    section: str
    line: int
    sentence: str
    literal: str
    code: str
    text: str
    fix: str
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.section}.md, line {self.line}"
        quoted = f' in "{self.sentence}"' if self.sentence else ""
        return f"{self.code}: {place}: `{self.literal}`{quoted}: {self.text}. {self.fix}."


def complaint(
    code: str, *, section: str, line: int, sentence: str, literal: str, key: str, text: str = "", fix: str = ""
) -> Complaint:
    """A complaint; `text` and `fix` are those of the code unless given."""
    what, how = CODES[code]
    return Complaint(
        section=section,
        line=line,
        sentence=sentence,
        literal=literal,
        code=code,
        text=text or what,
        fix=fix or how,
        key=key,
    )


def worst_first(complaints: Iterable[Complaint], order: tuple[str, ...]) -> tuple[Complaint, ...]:
    """The complaints by severity, then by place. Of equal complaints about one literal of one piece the first is kept.

    `order` are the names of the sections in the order of the paper.
    """
    rank = {code: index for index, code in enumerate(CODES)}
    place = {name: index for index, name in enumerate(order)}
    unique = {(c.key, c.code, c.literal): c for c in reversed(list(complaints))}.values()
    return tuple(sorted(unique, key=lambda c: (rank[c.code], place.get(c.section, 99), c.line, c.literal)))
