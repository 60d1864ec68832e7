"""Statements of outcomes: is there an expression behind them, about the right run, in the right direction?

Word lists are in lexicon.py. A sentence is judged alone; nothing is inferred from its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from paper import lexicon as lex
from paper.expressions import evaluate, parse
from paper.facts import Difference, FactError, Facts
from paper.mathcheck import words as math_words
from paper.neutral import is_heading, is_neutral
from paper.nodes import CITATION, EXPRESSION, Emphasis, Math, Sentence, Text
from paper.vocabulary import Result

Name = tuple[int, int, tuple[str, ...]]  # where a run is named: start, end, the runs that bear the name
Hit = tuple[str, str, str]  # code, literal, text ("" for the code's own wording)
CITING = ("introduction", "related_work", "background")  # where the literature's results may be told
_CLAUSE_END = re.compile(r"[,;:.]|\b(?:and|while|whereas|but|against|than|compared)\b")
_REFERENCE = re.compile(r"\b(?:compared (?:with|to)|relative to|unlike|over|than|against|from|versus|vs\.?|where|"
                        r"to)\s+(?:the )?$",
                        re.IGNORECASE)
_WILDCARD = re.compile(r"\b(?:our|ours|we|it|its|the (?:method|variant|idea|encoder|model|baseline|baselines|former|"
                       r"latter|"
                       r"best|strongest|same|others?|proposed|first|second)|baselines?|best|both|former|latter)\b",
                       re.IGNORECASE)


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

    @property
    def evidence(self) -> bool:
        return any(v.evidence for _, v in self.values)

    @property
    def lead_in(self) -> bool:
        """A heading, or the bold words that open a paragraph."""
        return is_heading(self.text) and all(
            isinstance(p, Emphasis) or (isinstance(p, Text) and not p.text.strip()) for p in self.sentence.parts)

    @property
    def cites(self) -> bool:
        return CITATION in self.text


def judge(said: Said) -> Iterator[Hit]:
    """Every complaint about what the sentence claims."""
    yield from _significance(said)
    yield from _unmeasured(said)
    yield from _outcome(said)
    yield from _binding(said)
    yield from _direction(said)


def _significance(said: Said) -> Iterator[Hit]:
    for match in lex.SIGNIFICANT.finditer(said.text):
        yield "significant-without-test", match[0], ""


def _outcome(said: Said) -> Iterator[Hit]:
    if said.interpretation or said.evidence or len(said.values) < len(said.sentence.expressions()):
        return  # an expression without a value is a complaint of its own
    text = lex.DIRECTION_IS_BETTER.sub(_blank, lex.REPORTED_FAILURE.sub(_blank, lex.PRESENTS.sub(_blank, said.text)))
    pattern = _outcome_words(said)
    for match in pattern.finditer(text) if pattern else ():
        before = text[: match.start()]
        counted = re.match(r"fail", match[0], re.IGNORECASE) and any(v.kind == "count" for _, v in said.values)
        if not (counted or lex.HEDGE.search(before) or (lex.PURPOSE.search(before) and _base_form(match[0]))):
            yield "claim-without-expression", match[0], ""
            return
    told = any(v.kind in ("count", "setting") for _, v in said.values) or lex.REPORTED_FAILURE.search(said.text)
    if said.claims and not (said.background or told or said.lead_in or is_neutral(said.text)):
        yield ("claim-without-expression", " ".join(said.text.split()[:4]),
               "here a sentence carries an expression, points to a figure or table, or says what was asked or done")


def _outcome_words(said: Said) -> re.Pattern[str] | None:
    """Which words count as an outcome here; None where the sentence tells of other people's work."""
    if said.claims:
        return lex.OUTCOME
    if said.section == "related_work" or (said.cites and said.section in CITING):
        return lex.STRONG if lex.OWN.search(said.text) else None
    named = _named(said.text, said.facts)
    if said.section == "discussion":
        return lex.OUTCOME if named or lex.SELF.search(said.text) else lex.STRONG
    return lex.STRONG if named or lex.SELF.search(said.text) else None


def _base_form(word: str) -> bool:
    """improve, not improved or improvements: only a bare verb after "to" states a purpose."""
    return not re.search(r"(?:ed|ing|ments?|tions?)$", word, re.IGNORECASE)


def _unmeasured(said: Said) -> Iterator[Hit]:
    comparison = lex.COMPARISON.search(said.text)
    shown = any(v.kind == "result" or f in ("compare", "improves") for f, v in said.values)
    ours = shown or lex.words(r"our", r"ours", r"we").search(said.text) or _named(said.text, said.facts)
    if not (comparison or shown) or (said.section in CITING and not ours):
        return
    if said.section in CITING and said.cites and not lex.OUTCOME.search(said.text):
        return
    before = said.text[: comparison.start()] if comparison else ""
    if not shown and (said.interpretation or lex.HEDGE.search(before)):
        return
    measured = {_squeeze(t) for r in said.facts.measured for t in (r.name, r.label)}
    masked = said.text
    for record in said.facts.measured:
        masked = _name_pattern(record.label).sub(_blank, masked)
    for key, pattern in lex.METHODS.items():
        found = re.search(rf"(?<![\w]){pattern}(?![\w])", masked, re.IGNORECASE)
        if found and not any(key in m or _squeeze(found[0]) in m for m in measured):
            yield "unmeasured-method", found[0], ""
    for record in said.facts.explored if shown and comparison else ():
        if record.status != "measured" and (found := _name_pattern(record.label).search(masked)):
            yield "unmeasured-method", found[0], "a comparison with a run that has no measured result"
    yield from _unknown_names(said, masked)


def _unknown_names(said: Said, masked: str) -> Iterator[Hit]:
    """`than FooNet`: a capitalised name after a word of comparison that no run or metric bears."""
    known = {_squeeze(t) for t in (*said.facts.manifest.metrics, *(m.label
                                                                   for m in said.facts.manifest.metrics.values()))}
    for match in re.finditer(r"\b(?:than|over|beats?|against|versus|vs\.?|(?:outperform|surpass|exceed)\w*|improv\w+ "
                             r"(?:on|upon))"
                             r"\s+(?:the |a |an )?([A-Z]\w*(?:[- ][A-Z]\w*)*)", masked):
        if _squeeze(match[1]) not in known and match[1] not in ("Section", "Table", "Figure", "Appendix"):
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
    typed = _named(text, said.facts)
    printed = [(at, at + 1, v.runs) for at, (f, v) in placed if f in ("name", "best")]
    names = sorted(typed + printed)
    numbers = [(at, v) for at, (_, v) in placed if v.kind == "result" and v.runs]
    if not typed or _in_order(names, numbers):
        return
    for at, value in numbers:
        near = _near(text, at, names, several=len(value.runs) > 1)
        if near is not None and not any(set(runs) & set(value.runs) for runs in near):
            yield ("misbound-expression", said.sentence.expressions()[places.index(at)].source,
                   f"the sentence names another run, and this expression reads {' and '.join(value.runs)}")


def _in_order(names: list[Name], numbers: list[tuple[int, Result]]) -> bool:
    """As many single-run numbers as names, each about its name."""
    return len(names) == len(numbers) and all(
        set(n[2]) & set(v.runs) for n, (_, v) in zip(names, numbers, strict=True))


def _near(text: str, at: int, names: list[Name], several: bool) -> list[tuple[str, ...]] | None:
    """The runs that a number at this place can be about; None where nothing is named or "our method" stands nearer."""
    earlier = [n for n in names if n[1] <= at]
    later = [n for n in names if n[0] > at and (several or not (
        _CLAUSE_END.search(text[at : n[0]]) or EXPRESSION in text[at + 1 : n[0]]))]
    last = max(earlier, default=None, key=lambda n: n[0])
    if last and _WILDCARD.search(text[last[1] : at]):
        return None
    near = [n[2] for n in (earlier if several else [last] if last else [])] + [n[2] for n in later]
    return near or None


def _named(text: str, facts: Facts) -> list[Name]:
    """Where the text names runs by their labels: start, end, the runs that bear the label."""
    found: list[Name] = []
    for label in sorted({r.label for r in facts.explored}, key=len, reverse=True):
        runs = tuple(r.name for r in facts.explored if r.label == label)
        for match in _name_pattern(label).finditer(text):
            if not any(s < match.end() and match.start() < e for s, e, _ in found):
                found.append((match.start(), match.end(), runs))
    return sorted(found)


def _name_pattern(label: str) -> re.Pattern[str]:
    """A label as a whole word, with or without its hyphens."""
    loose = r"[-\s]?".join(re.escape(p) for p in re.split(r"[-\s]+|(?<=[a-z])(?=[A-Z])", label) if p)
    return re.compile(rf"(?<![\w-]){loose}(?![\w-])")


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


# ---------------------------------------------------------------- direction

def _direction(said: Said) -> Iterator[Hit]:
    """A typed "higher" or "improves" beside numbers must agree with what the records say of these numbers."""
    if not said.evidence or any(f in ("compare", "improves", "rank") for f, _ in said.values):
        return
    text = lex.DIRECTION_IS_BETTER.sub(_blank, said.text)
    pairs = _pairs(said)
    if not pairs:
        return
    hits = [(m, kind) for kind in ("BETTER", "WORSE", "UP", "DOWN", "EQUAL") for m in getattr(lex, kind).finditer(text)]
    for match, kind in hits:
        before = text[: match.start()]
        if lex.HEDGE.search(before) or (lex.PURPOSE.search(before) and _base_form(match[0])):
            continue
        negated = bool(lex.NEGATION.search(before[-40:])) and kind != "EQUAL"
        verdicts = [_holds(kind, gap, said.facts) != negated for gap in pairs]
        if not (any(verdicts) if len({k for _, k in hits}) > 1 else all(verdicts)):
            yield "wrong-direction", match[0], ""
            return


def _holds(kind: str, gap: Difference, facts: Facts) -> bool:
    if kind == "EQUAL":
        return not gap.distinct
    gain = facts.merit(gap.a.metric, gap.a.mean) - facts.merit(gap.a.metric, gap.b.mean)
    sign = {"BETTER": gain, "WORSE": -gain, "UP": gap.value, "DOWN": -gap.value}[kind]
    return gap.distinct and sign > 0


def _pairs(said: Said) -> list[Difference]:
    """What a typed direction in this sentence is about: a - b of each comparison it makes."""
    facts, pairs = said.facts, []
    results = [v for _, v in said.values if v.kind == "result" and v.metric in facts.manifest.metrics]
    for value in results:
        if len(value.runs) == 2:
            pairs.append((value.runs[0], value.runs[1], value.metric, value.condition))
    if not pairs:
        for i, first in enumerate(results):
            other = next((v for v in results[i + 1:] if (v.metric, v.condition) == (first.metric, first.condition)
                          and v.runs != first.runs), None)
            if other:
                pairs.append((first.runs[0], other.runs[0], first.metric, first.condition))
    if not pairs:
        pairs = [(v.runs[0], "baseline", v.metric, v.condition) for v in results[:1]
                 if facts.record(v.runs[0]).kind != "baseline"]
    subject = _subject(said)
    try:
        gaps = [facts.difference(*pair) for pair in pairs]
        return [facts.difference(g.b.run.name, g.a.run.name, g.a.metric, g.a.condition)
                if g.b.run.name in subject else g
                for g in gaps]
    except FactError:
        return []


def _subject(said: Said) -> tuple[str, ...]:
    """The runs that the sentence is about: the first name that is not what something is compared with."""
    text = said.sentence.flat
    printed = [(m.start(), m.end(), v.runs) for m, (f, v) in zip(re.finditer(EXPRESSION, text), said.values,
                                                                 strict=False)
               if f in ("name", "best")]
    for start, _, runs in sorted([*_named(text, said.facts), *printed]):
        if not _REFERENCE.search(text[:start]):
            return runs
    return ()


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
