"""Typed words of direction, improvement and significance: do the records, and the confirmation, bear them out?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from paper.evidence.facts import Difference, FactError, Facts
from paper.truth import lexicon as lex
from paper.truth.neutral import is_neutral
from paper.truth.said import Hit, Said, base_form, blank, name_pattern, named

DESIGNING = ("introduction", "background", "method", "experimental_setup")  # where a test may be announced
_SAYS_ITSELF = ("confirmation", "confirmed_verdict", "confirmed_run")
_REFERENCE = re.compile(
    r"\b(?:compared (?:with|to)|relative to|unlike|over|than|against|from|versus|vs\.?|where|"
    r"to)\s+(?:the )?$",
    re.IGNORECASE,
)


def judge(said: Said) -> Iterator[Hit]:
    """Every typed word that says more, or something else, than the records do."""
    yield from _significance(said)
    yield from _improvement(said)
    yield from _other_metric(said)
    yield from _direction(said)


def _significance(said: Said) -> Iterator[Hit]:
    """Only beside the confirmation's own expressions, and as its test came out."""
    design = said.section in DESIGNING and not said.evidence and is_neutral(said.text)
    for match in lex.SIGNIFICANT.finditer(said.text):
        procedure = lex.PROCEDURE.fullmatch(match[0]) is not None
        if said.verdict is None and not (procedure and design):
            yield "significant-without-test", match[0], ""
        elif said.verdict is not None and not procedure:
            denied = _negated(said.text[: match.start()]) != match[0].lower().startswith("in")
            if denied != (said.verdict == "inconclusive"):
                yield "wrong-direction", match[0], "the confirmation came out otherwise"


def _improvement(said: Said) -> Iterator[Hit]:
    """What is called an improvement was confirmed: the run, the metric and the direction."""
    if not said.evidence:
        return  # a claim without an expression is another complaint
    text = lex.DIRECTION_IS_BETTER.sub(blank, said.text)
    for match in lex.IMPROVEMENT.finditer(text):
        before = text[: match.start()]
        if _open(before, match[0]):
            continue
        negated = _negated(before)
        if said.verdict is None:
            if not negated:
                yield "significant-without-test", match[0], "an exploratory result in the words of a confirmed one"
        elif not _only_arms(said):
            yield "misbound-expression", match[0], "the confirmation is about other runs than this sentence"
        elif negated == (said.verdict == "improvement"):
            yield "wrong-direction", match[0], "the confirmation came out otherwise"


def _only_arms(said: Said) -> bool:
    """Are all runs that the sentence names or reads those of the confirmation?"""
    arms = {r.name for r in said.facts.confirmations}
    names = [runs for _, _, runs in (*named(said.sentence.flat, said.facts), *said.printed)]
    read = [v.runs for _, v in said.values if v.evidence]
    return all(arms & set(runs) for runs in names) and all(set(runs) <= arms for runs in read)


def _other_metric(said: Said) -> Iterator[Hit]:
    """The confirmation is in the primary metric; beside its numbers no other metric may stand alone."""
    told = [f for f, v in said.values if v.confirmed and f not in _SAYS_ITSELF]
    metrics = said.facts.manifest.metrics
    mentioned = {m for m, spec in metrics.items() if name_pattern(spec.label).search(said.text)}
    mentioned |= {v.metric for f, v in said.values if f == "label" or (v.evidence and not v.confirmed)} & set(metrics)
    if told and mentioned and said.facts.manifest.primary not in mentioned:
        yield (
            "misbound-expression",
            f"{told[0]}(...)",
            f"the confirmation is in {said.facts.spec(said.facts.manifest.primary).label}, not in the metric named",
        )


def _direction(said: Said) -> Iterator[Hit]:
    """A typed "higher" or "better" beside numbers must agree with what the records say of these numbers."""
    if not said.evidence or any(f in ("compare", "improves", "rank") for f, _ in said.values):
        return
    text = lex.DIRECTION_IS_BETTER.sub(blank, said.text)
    pairs = _pairs(said)
    if not pairs:
        return
    hits = [(m, kind) for kind in ("BETTER", "WORSE", "UP", "DOWN", "EQUAL") for m in getattr(lex, kind).finditer(text)]
    for match, kind in hits:
        before = text[: match.start()]
        if _open(before, match[0]):
            continue
        negated = _negated(before) and kind != "EQUAL"
        verdicts = [_holds(kind, gap, said.facts) != negated for gap in pairs]
        if not (any(verdicts) if len({k for _, k in hits}) > 1 else all(verdicts)):
            yield "wrong-direction", match[0], ""
            return


def _open(before: str, word: str) -> bool:
    """Is the word a question, a hope or a purpose, and no statement?"""
    return bool(lex.HEDGE.search(before) or (lex.PURPOSE.search(before) and base_form(word)))


def _negated(before: str) -> bool:
    return bool(lex.NEGATION.search(before[-40:]))


def _holds(kind: str, gap: Difference, facts: Facts) -> bool:
    if kind == "EQUAL":
        return not gap.distinct
    if gap.a.run.kind == "confirmation":  # its values are distances where the metric has a target
        gain = gap.value if facts.confirmation.better == "higher" else -gap.value
    else:
        gain, lost = (facts.merit(s.metric, s.mean, s.condition) for s in (gap.a, gap.b))
        gain -= lost
    sign = {"BETTER": gain, "WORSE": -gain, "UP": gap.value, "DOWN": -gap.value}[kind]
    return gap.distinct and sign > 0


def _pairs(said: Said) -> list[Difference]:
    """What a typed direction in this sentence is about: a - b of each comparison it makes."""
    try:
        gaps = [said.facts.difference(*pair) for pair in _compared(said)]
    except FactError:
        return []
    if said.verdict is not None and any(v.confirmed and v.kind == "result" for _, v in said.values):
        gaps.append(said.facts.confirmation.gap)
    subject = _subject(said)
    return [replace(g, a=g.b, b=g.a, value=-g.value) if g.b.run.name in subject else g for g in gaps]


def _compared(said: Said) -> list[tuple[str, str, str, str]]:
    """Run, run, metric and condition of the exploratory comparisons."""
    facts = said.facts
    results = [
        v for _, v in said.values if v.kind == "result" and not v.confirmed and v.metric in facts.manifest.metrics
    ]
    pairs = [(v.runs[0], v.runs[1], v.metric, v.condition) for v in results if len(v.runs) == 2]
    if pairs:
        return pairs
    for i, first in enumerate(results):
        other = next(
            (
                v
                for v in results[i + 1 :]
                if (v.metric, v.condition) == (first.metric, first.condition) and v.runs != first.runs
            ),
            None,
        )
        if other:
            pairs.append((first.runs[0], other.runs[0], first.metric, first.condition))
    return pairs or [
        (v.runs[0], "baseline", v.metric, v.condition)
        for v in results[:1]
        if facts.record(v.runs[0]).kind != "baseline"
    ]


def _subject(said: Said) -> tuple[str, ...]:
    """The runs that the sentence is about: the first name that is not what something is compared with."""
    text = said.sentence.flat
    for start, _, runs in sorted([*named(text, said.facts), *said.printed]):
        if not _REFERENCE.search(text[:start]):
            return runs
    return ()
