"""What the checks say to the writer: one complaint a sentence and literal, worst first. The codes and their mends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Order is severity: what would print a falsehood comes first.
CODES: dict[str, tuple[str, str]] = {
    "typed-number": (
        "a number that is typed, not read from a record",
        "write the expression that yields it, or say it without a number",
    ),
    "misbound-expression": (
        "an expression about something else than the words beside it name",
        "name the run and the metric that the expression reads, or read those that are named",
    ),
    "told-refused": (
        "the judge of told sentences refuses it",
        "say less, say what is known instead, or let a form print it",
    ),
    "claim-without-form": (
        "a comparison of runs in words of the writer's own",
        "let a form print it, such as {{ versus(...) }}, {{ ranking(...) }} or {{ ahead_of(...) }}",
    ),
    "claim-beside-form": (
        "words beside a measured clause that say more than it prints",
        "leave the clause alone; what it means goes into a sentence of its own",
    ),
    "unknown-expression": ("an expression that has no value", "use the vocabulary and the names given"),
    "unsupported-citation": (
        "a citation whose summary does not carry the sentence",
        "say of the work only what its summary carries, or cite another one",
    ),
    "unknown-citation": ("a citation that the library does not hold", "cite a key of the library, or none"),
    "unknown-figure": ("a reference to a figure, table or section that does not exist", "use one of the names given"),
    "unknown-name": (
        "a name that the described code does not hold",
        "use the name that the code has, or describe it in words",
    ),
    "comparison-not-first": (
        "the results do not begin with the comparison that was fixed beforehand",
        "begin with the question, and {{ versus(...) }} in the primary metric",
    ),
    "guards-not-shown": (
        "the results do not show the described run in all metrics that guard the primary one",
        "put {{ guarded() }} into the results, once",
    ),
    "untold-run": (
        "a run without a result that the text passes over",
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
    """One thing to mend. `key` names the piece of the paper that is cut if nobody mends it."""

    section: str
    line: int
    sentence: str
    literal: str
    code: str
    text: str
    mend: str
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.section}.md, line {self.line}"
        quoted = f' in "{self.sentence}"' if self.sentence else ""
        return f"{self.code}: {place}: `{self.literal}`{quoted}: {self.text}. {self.mend}."


def complaint(
    code: str, *, section: str, line: int, sentence: str, literal: str, key: str, text: str = "", mend: str = ""
) -> Complaint:
    """A complaint with the code's own wording where none is given."""
    what, how = CODES[code]
    return Complaint(
        section=section,
        line=line,
        sentence=sentence,
        literal=literal,
        code=code,
        text=text or what,
        mend=mend or how,
        key=key,
    )


def worst_first(complaints: Iterable[Complaint], order: tuple[str, ...]) -> tuple[Complaint, ...]:
    """Sorted by severity, then by place; repeated complaints about one literal of one piece fold into one."""
    rank = {code: index for index, code in enumerate(CODES)}
    place = {name: index for index, name in enumerate(order)}
    unique = {(c.key, c.code, c.literal): c for c in reversed(list(complaints))}.values()
    return tuple(sorted(unique, key=lambda c: (rank[c.code], place.get(c.section, 99), c.line, c.literal)))
