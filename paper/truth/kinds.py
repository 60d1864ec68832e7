"""The kind of a sentence (measured, cited or told), and a word list that refuses comparisons which nothing shows.

A measured sentence consists of expressions with nothing around them but connecting words and names. A cited one says
what a cited work says. Everything else is told, and a reviewer judges it (told.py). The word list (`net`) is a second
line behind a weak judge; it cannot tell a claim from its opposite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from paper.evidence.facts import Facts
from paper.evidence.vocabulary import Result
from paper.reading.spoken import Spoken, run_mentions, spread_out
from paper.text.nodes import CITATION, EXPRESSION, Citation, Code, Math, Sentence

SentenceKind = Literal["measured", "cited", "told"]
Hit = tuple[str, str, str]  # code, literal, text ("" for the code's own wording)

_CONNECTING = """
a an the and or both in of on at to for from with by as is are was were it its this that these each all every one here
also again then while whereas where which than against beside between over under among within across metric metrics run
runs experiment experiments variant variants baseline baselines seed seeds condition conditions value values mean means
difference differences comparison confirmation fresh world table figure section appendix see shows show lists list
stands stand reaches reach has have follows first second compared measured primary question asked fixed beforehand
exploration exploratory summary
"""
CONNECTING = frozenset(_CONNECTING.split())
_OWN = re.compile(r"\b(?:we|our|ours|us|this (?:paper|work|study|report|session)|here)\b", re.IGNORECASE)
_COMPARES = (
    r"(?:better|worse|higher|lower|larger|smaller|greater|fewer|faster|slower|stronger|weaker|cheaper|more|less)"
    r"(?: [a-z]+){0,2} than|outperform\w*|surpass\w*|beats?|beaten|exceed(?:s|ed)|superior|inferior|dominat(?:es|ed)|"
    r"as (?:good|well|high|low|large|small|many|much|fast|accurate|sparse|often) as|"
    r"(?:nearly|almost) (?:every|all|none)|(?:most|the majority|a fraction|a share) of"
)
_COMPARED = re.compile(rf"\b(?:{_COMPARES})\b", re.IGNORECASE)
_SUPERLATIVE = re.compile(r"\bthe (?:highest|lowest|largest|smallest|fastest|greatest|fewest|worst)\b", re.IGNORECASE)
_BESIDE_A_FORM = re.compile(
    rf"\b(?:{_COMPARES}|better|worse|higher|lower|larger|largest|smaller|smallest|best|worst|highest|lowest|clear(?:ly)?|"
    r"most|nearly|almost|hardly|barely|far|not|no|never|none|neither|nor|cannot|because|due to|thanks to|owing to|"
    r"caus\w+|stems?|therefore|hence|thus|so that|explain\w*|significan\w+|prov(?:es|en|ed)|confirm\w*|improv\w+|"
    r"robust\w*|substantial\w*|large|huge|small|gains?|wins?|loses?|pays? off)\b|n't\b",
    re.IGNORECASE,
)
_OPEN = re.compile(r"\b(?:whether|if|may|might|could|would|should|can|ask\w*|question)\b", re.IGNORECASE)


def kind_of(sentence: Sentence, values: tuple[Spoken, ...], facts: Facts) -> SentenceKind:
    """The kind of a sentence; `values` are those of its expressions (`spoken`)."""
    shown = any(isinstance(one.value, Result) for one in values)
    cites = CITATION in sentence.flat
    if cites and not shown and not _OWN.search(sentence.flat) and not run_mentions(sentence.flat, facts):
        return "cited"
    bare = not any(isinstance(node, Math | Code | Citation) for node in sentence.walk())
    return "measured" if bare and not _other_words(sentence.flat, facts) else "told"


def _other_words(text: str, facts: Facts) -> list[str]:
    """The words of a sentence that are neither names of runs, metrics or conditions nor connecting words."""
    for mention in reversed(run_mentions(text, facts)):
        text = text[: mention.start] + " " + text[mention.end :]
    names = [*_metric_names(facts), *(facts.condition_label(c) for c in facts.condition_names())]
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return [w for w in re.findall(r"[^\W\d_]+", text) if w.lower() not in CONNECTING]


def _metric_names(facts: Facts) -> list[str]:
    """Every name by which a sentence may mention a metric."""
    metrics = facts.manifest.metrics
    return [name for key, spec in metrics.items() for name in (spec.label, key, spread_out(key))]


def _ranks(text: str, facts: Facts) -> re.Match[str] | None:
    """The first superlative that ranks runs: one of a metric, or one without a noun.

    "The largest latents" ranks no runs: it is what a method works on.
    """
    field = r"(?:of|among) (?:all|any|our|these|those|them|the (?:runs|variants|experiments|baselines|methods))\b"
    superlatives = list(_SUPERLATIVE.finditer(text))
    if not superlatives:  # nearly always; the pattern below is slow to build
        return None
    ends = rf"$|[.,;:)]|{field}|value|score|error|result|run\b|variant|gain|loss"
    names = "|".join(map(re.escape, sorted(_metric_names(facts), key=len, reverse=True)))
    ranked = re.compile(rf"\s*(?:[\w-]+\s+)?(?:{ends}|(?:of\s+)?(?:{names})(?!\w))", re.IGNORECASE)
    return next((found for found in superlatives if ranked.match(text, found.end())), None)


def net(sentence: Sentence, values: tuple[Spoken, ...], kind: SentenceKind, facts: Facts) -> Iterator[Hit]:
    """Refuses claims about the session's own runs that no expression shows.

    These are comparatives, equatives, superlatives and quantifiers in a told sentence without an expression
    ("claim-without-form"), and evaluating words in the same clause as a measured one ("claim-beside-form").
    """
    text = sentence.flat
    if kind == "measured":
        return
    if any(isinstance(one.value, Result) and one.value.kind == "clause" for one in values):
        for clause in re.split(r"[;:]", text):
            if EXPRESSION in clause and (found := _BESIDE_A_FORM.search(clause)):
                yield "claim-beside-form", found[0], ""
        return
    if values or kind == "cited" or text.rstrip("\"')”’*").endswith("?"):
        return
    found = _COMPARED.search(text) or _ranks(text, facts)
    ours = run_mentions(text, facts) or (CITATION not in text and _OWN.search(text))
    if found and ours and not _OPEN.search(text[: found.start()]):
        yield "claim-without-form", found[0], ""
