"""Statements of outcomes: is there an expression behind them, and is it about the run that the sentence names?

Word lists are in lexicon.py, directions and significance in directions.py. A sentence is judged alone; nothing is
inferred from its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from paper.evidence.vocabulary import Result
from paper.text.nodes import EXPRESSION
from paper.truth import directions
from paper.truth import lexicon as lex
from paper.truth.neutral import is_neutral
from paper.truth.said import Hit, Name, Said, base_form, blank, name_pattern, named, squeeze

RELATIONS = ("improves", "confirmed")  # functions whose word stands between the names of two runs
CITING = ("introduction", "related_work", "background")  # where the literature's results may be told
_CLAUSE_END = re.compile(r"[,;:.]|\b(?:and|while|whereas|but|against|than|compared)\b")
_WILDCARD = re.compile(
    r"\b(?:our|ours|we|it|its|the (?:method|variant|idea|encoder|model|baseline|baselines|former|"
    r"latter|"
    r"best|strongest|same|others?|proposed|first|second)|baselines?|best|both|former|latter)\b",
    re.IGNORECASE,
)


def judge(said: Said) -> Iterator[Hit]:
    """Every complaint about what the sentence claims."""
    yield from _unmeasured(said)
    yield from _outcome(said)
    yield from _binding(said)
    yield from _word_binding(said)
    yield from directions.judge(said)


_ASKS = re.compile(r"(?:do|does|did|is|are|can|will)\b[^.!;:]*\?$", re.IGNORECASE)
_ASSUMES = re.compile(r"\bnot\b|n[’']t\b|\bwonder\b|\bsurpris", re.IGNORECASE)  # rhetoric: an answer, not a question


def _outcome(said: Said) -> Iterator[Hit]:
    if said.interpretation or said.evidence or len(said.values) < len(said.sentence.expressions()):
        return  # an expression without a value is a complaint of its own
    if _ASKS.match(said.text) and not _ASSUMES.search(said.text):
        return
    text = lex.DIRECTION_IS_BETTER.sub(blank, lex.REPORTED_FAILURE.sub(blank, lex.PRESENTS.sub(blank, said.text)))
    pattern = _outcome_words(said)
    for match in pattern.finditer(text) if pattern else ():
        before = text[: match.start()]
        counted = re.match(r"fail", match[0], re.IGNORECASE) and any(v.kind == "count" for _, v in said.values)
        if not (counted or lex.HEDGE.search(before) or (lex.PURPOSE.search(before) and base_form(match[0]))):
            yield "claim-without-expression", match[0], ""
            return
    told = any(v.kind in ("count", "setting") for _, v in said.values) or lex.REPORTED_FAILURE.search(said.text)
    if said.claims and not (said.background or told or said.lead_in or is_neutral(said.text)):
        yield (
            "claim-without-expression",
            " ".join(said.text.split()[:4]),
            "here a sentence carries an expression, points to a figure or table, or says what was asked or done",
        )


def _outcome_words(said: Said) -> re.Pattern[str] | None:
    """Which words count as an outcome here; None where the sentence tells of other people's work."""
    if said.claims:
        return lex.OUTCOME
    if said.section == "related_work" or (said.cites and said.section in CITING):
        return lex.STRONG if lex.OWN.search(said.text) else None
    ours = named(said.text, said.facts) or lex.SELF.search(said.text)
    if said.section == "discussion":
        return lex.OUTCOME if ours else lex.STRONG
    return lex.STRONG if ours else None


def _unmeasured(said: Said) -> Iterator[Hit]:
    comparison = lex.COMPARISON.search(said.text)
    shown = any(v.kind == "result" or f in ("compare", *RELATIONS) for f, v in said.values)
    ours = shown or lex.words(r"our", r"ours", r"we").search(said.text) or named(said.text, said.facts)
    if not (comparison or shown) or (said.section in CITING and not ours):
        return
    if said.section in CITING and said.cites and not lex.OUTCOME.search(said.text):
        return
    before = said.text[: comparison.start()] if comparison else ""
    if not shown and (said.interpretation or lex.HEDGE.search(before)):
        return
    measured = {squeeze(t) for r in said.facts.measured for t in (r.name, r.label)}
    masked = said.text
    for record in said.facts.measured:
        masked = name_pattern(record.label).sub(blank, masked)
    for key, pattern in lex.METHODS.items():
        found = re.search(rf"(?<![\w]){pattern}(?![\w])", masked, re.IGNORECASE)
        if found and not any(key in m or squeeze(found[0]) in m for m in measured):
            yield "unmeasured-method", found[0], ""
    for record in said.facts.explored if shown and comparison else ():
        if record.status != "measured" and (found := name_pattern(record.label).search(masked)):
            yield "unmeasured-method", found[0], "a comparison with a run that has no measured result"
    yield from _unknown_names(said, masked)


def _unknown_names(said: Said, masked: str) -> Iterator[Hit]:
    """`than FooNet`: a capitalised name after a word of comparison that no run or metric bears."""
    known = {
        squeeze(t) for t in (*said.facts.manifest.metrics, *(m.label for m in said.facts.manifest.metrics.values()))
    }
    for match in re.finditer(
        r"\b(?:than|over|beats?|against|versus|vs\.?|(?:outperform|surpass|exceed)\w*|improv\w+ "
        r"(?:on|upon))"
        r"\s+(?:the |a |an )?([A-Z]\w*(?:[- ][A-Z]\w*)*)",
        masked,
    ):
        if squeeze(match[1]) not in known and match[1] not in ("Section", "Table", "Figure", "Appendix"):
            yield "unmeasured-method", match[1], ""


# ---------------------------------------------------------------- binding


def _binding(said: Said) -> Iterator[Hit]:
    """A number belongs to the run named just before it, or just after it in the same clause.

    Also right: numbers in the order of the names ("A exceeds B, x against y").
    """
    text = said.sentence.flat
    places = [m.start() for m in re.finditer(EXPRESSION, text)]
    if len(places) != len(said.values):
        return  # an expression without a value is another complaint
    placed = list(zip(places, said.values, strict=True))
    typed = named(text, said.facts)
    names = sorted(typed + said.printed)
    numbers = [(at, v) for at, (_, v) in placed if v.kind == "result" and v.runs]
    if not typed or _in_order(names, numbers):
        return
    for at, value in numbers:
        near = _near(text, at, names, several=len(value.runs) > 1)
        if near is not None and not any(set(runs) & set(value.runs) for runs in near):
            yield (
                "misbound-expression",
                said.sentence.expressions()[places.index(at)].source,
                f"the sentence names another run, and this expression reads {' and '.join(value.runs)}",
            )


def _word_binding(said: Said) -> Iterator[Hit]:
    """The word of a comparison stands between its runs: the first is named before it, if any is, the second after."""
    text = said.sentence.flat
    places = [m.start() for m in re.finditer(EXPRESSION, text)]
    if len(places) != len(said.values):
        return
    names = sorted([*named(text, said.facts), *said.printed])
    for index, (at, (function, value)) in enumerate(zip(places, said.values, strict=True)):
        if function not in RELATIONS or len(value.runs) != 2:
            continue
        earlier = [n for n in names if n[1] <= at]
        later = [
            n
            for n in names
            if n[0] > at and not _CLAUSE_END.search(text[at : n[0]]) and EXPRESSION not in text[at + 1 : n[0]]
        ][:1]
        beside = any(not text[n[1] : at].strip() and value.runs[0] not in n[2] for n in earlier)
        others = [n for n in earlier if value.runs[1] not in n[2]]
        free = not others or _WILDCARD.search(text[max(n[1] for n in earlier) : at])
        absent = not free and not any(value.runs[0] in n[2] for n in others)
        if beside or absent or any(value.runs[1] not in n[2] for n in later):
            yield (
                "misbound-expression",
                said.sentence.expressions()[index].source,
                f"the word compares {value.runs[0]} with {value.runs[1]}, and the sentence names other runs",
            )


def _in_order(names: list[Name], numbers: list[tuple[int, Result]]) -> bool:
    """As many single-run numbers as names, each about its name, and all others about the names, too."""
    singles = [v for _, v in numbers if len(v.runs) == 1]
    told = {run for n in names for run in n[2]}
    return (
        len(names) == len(singles)
        and all(set(v.runs) <= told for _, v in numbers)
        and all(set(n[2]) & set(v.runs) for n, v in zip(names, singles, strict=True))
    )


def _near(text: str, at: int, names: list[Name], several: bool) -> list[tuple[str, ...]] | None:
    """The runs that a number at this place can be about; None where nothing is named or "our method" stands nearer."""
    earlier = [n for n in names if n[1] <= at]
    later = [
        n
        for n in names
        if n[0] > at and (several or not (_CLAUSE_END.search(text[at : n[0]]) or EXPRESSION in text[at + 1 : n[0]]))
    ]
    last = max(earlier, default=None, key=lambda n: n[0])
    if last and _WILDCARD.search(text[last[1] : at]):
        return None
    near = [n[2] for n in (earlier if several else [last] if last else [])] + [n[2] for n in later]
    return near or None
