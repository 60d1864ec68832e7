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
    "wrong-direction": (
        "a typed word of direction that the records do not bear out",
        "let the record choose the word: {{ compare(...) }} or {{ improves(...) }}",
    ),
    "misbound-expression": (
        "an expression about another run than the one the sentence names",
        "name the run that the expression reads, or read the run that is named",
    ),
    "unmeasured-method": (
        "a comparison with a method that was not measured here",
        "compare with measured runs only, or cite the work without comparing results",
    ),
    "significant-without-test": (
        "a statement of significance without a confirmatory test",
        "drop the word: runs are exploratory, {{ improves(...) }} says what they show, and "
        "only {{ confirmation() }} tells of an improvement",
    ),
    "claim-without-expression": (
        "an outcome stated without an expression",
        "put the expression that shows it into the sentence, or begin the paragraph with *Interpretation.*",
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
        "begin with the question, and {{ improves(...) }} or {{ diff(...) }} in the primary metric",
    ),
    "untold-run": (
        "a run without a result that the text passes over",
        "say in a sentence that it was tried and failed",
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
