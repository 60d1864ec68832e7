"""What a sentence prints: the value of each expression, and a note where the words beside it do not say what it
measures.

A number alone, such as "0.58 ± 0.01", prints only where its clause names the run and the metric. Where the clause names
neither, a note is added ("0.58 ± 0.01 (F1, TopK)"); where it names others, the expression is wrong and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from paper.evidence.expressions import Problem, evaluate, parse
from paper.evidence.facts import FactError, Facts
from paper.evidence.vocabulary import Result
from paper.text.nodes import Citation, Code, Emphasis, Expression, Inline, Math, Reference, Sentence, Text

OPEN = "\ue000"  # stands for an expression whose text names no run and no metric
BOUND = ("mean", "value", "se", "diff", "relative", "ratio", "compare", "improves", "rank", "diagnostic")  # need names
ORDERED = ("compare", "improves", "confirmed")  # print words that stand between the names of two runs
_CLAUSE_END = re.compile(r"[,;:.]|\b(?:and|while|whereas|but|against|than|compared)\b")
_PRONOUN = re.compile(
    r"\b(?:our|ours|we|it|its|this|that|these|the (?:method|variant|idea|encoder|model|baselines?|former|latter|best|"
    r"strongest|same|others?|proposed|first|second))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Spoken:
    """One expression of a sentence."""

    source: str
    function: str
    value: Result | Problem
    note: str = ""  # printed behind the value: metric and run, where the clause does not name them
    inside: bool = False  # the expression stands inside of brackets
    wrong: str = ""  # why it is refused: the clause names another run or metric

    @property
    def text(self) -> str:
        if isinstance(self.value, Problem):
            return "{{ " + self.source + " }}"
        return self.value.text + self.behind

    @property
    def behind(self) -> str:
        """The note as it prints: in brackets, or after a comma where the expression stands in brackets already."""
        if not self.note:
            return ""
        return f", {self.note}" if self.inside else f" ({self.note})"


@dataclass(frozen=True)
class _Mention:
    """A place of the text that names a run or a metric. `names`: the runs or metrics with that label, by their keys."""

    start: int
    end: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """The text of a sentence in which names are looked up."""

    text: str
    places: tuple[int, ...]  # of each expression in the text
    runs: tuple[_Mention, ...]
    metrics: tuple[_Mention, ...]


def spoken(sentence: Sentence, facts: Facts) -> tuple[Spoken, ...]:
    """The expressions of a sentence in their order."""
    found = []
    for expression in sentence.expressions():
        call = parse(expression.source)
        function = "" if isinstance(call, Problem) else call[0]
        found.append(Spoken(expression.source, function, evaluate(expression.source, facts)))
    line = _line(sentence, found, facts)
    return tuple(_bound(one, i, found, line, facts) for i, one in enumerate(found))


def printed(sentence: Sentence, facts: Facts) -> str:
    """The sentence as plain text, with the value of each expression."""
    values = iter(spoken(sentence, facts))
    return "".join(_plain(part, values) for part in sentence.parts).strip()


def _plain(part: Inline, values: Iterator[Spoken]) -> str:
    match part:
        case Expression():
            return next(values).text
        case Emphasis(children):
            return "".join(_plain(child, values) for child in children)
        case Text(text) | Code(text):
            return text
        case Math(source):
            return f"${source}$"
        case Citation(keys):
            return "[" + "; ".join(keys) + "]"
        case Reference(kind, name):
            return f"[{kind}:{name}]"
    return ""


# ---------------------------------------------------------------- binding


def _bound(one: Spoken, index: int, others: Sequence[Spoken], line: _Line, facts: Facts) -> Spoken:
    """An expression with its note, or with why it is wrong. `others` are all expressions of the sentence."""
    value = one.value
    if isinstance(value, Problem):
        return one
    if value.confirmed:
        return replace(one, wrong="" if _of_the_arms(one, value, index, others, line, facts) else _WRONG_ARMS)
    if one.function not in BOUND:
        return one
    at, notes = line.places[index], []
    if one.function != "diagnostic":
        metric = _governs(line, line.metrics, at, (value.metric,), _rank(index, others, line, line.metrics))
        named = {name for mention in line.metrics for name in mention.names}
        if value.kind == "words" and named:  # words such as "is ahead of" may stand far from the metric's name
            metric = value.metric in named
        if metric is False:
            return replace(one, wrong=f"the words name another metric, and this reads {value.metric}")
        label = facts.spec(value.metric).label
        if metric is None and one.function in ORDERED:  # "is ahead, in F1, of"
            head, _, tail = value.text.rpartition(" ")
            value = replace(value, text=f"{head}, in {label}, {tail}")
            one = replace(one, value=value)
        elif metric is None:
            notes.append(label)
    whose = _runs(one, value, line, at, _rank(index, others, line, line.runs, single=True))
    if whose is False:
        return replace(one, wrong=f"the words name another run, and this reads {' and '.join(value.runs)}")
    notes += [] if whose else [" against ".join(_label(facts, run) for run in value.runs)]
    before = line.text[:at]
    return replace(one, note=", ".join(notes), inside=before.count("(") > before.count(")"))


_WRONG_ARMS = "the words name another run or metric than those of the confirmation"


def _of_the_arms(one: Spoken, value: Result, index: int, others: Sequence[Spoken], line: _Line, facts: Facts) -> bool:
    """Whether a sentence with an expression of the confirmation names only the confirmation's two runs and metric."""
    if one.function == "confirmation":
        return True  # a whole sentence of its own
    arms = {r.name for r in facts.confirmations}
    begins = line.text.rfind(";", 0, line.places[index]) + 1  # what stands before a semicolon is another statement
    metrics = {name for mention in line.metrics if mention.start >= begins for name in mention.names}
    strangers = any(not arms & set(m.names) for m in line.runs if m.start >= begins)
    if strangers or (metrics and facts.manifest.primary not in metrics):
        return False
    if one.function not in (*ORDERED, "confirmed_value", "confirmed"):
        return True
    in_order = _rank(index, others, line, line.runs, single=True)
    return _runs(one, value, line, line.places[index], in_order) is not False


def _runs(one: Spoken, value: Result, line: _Line, at: int, in_order: _Mention | None) -> bool | None:
    """Whether the runs of a value are named where it stands. None: no run is named; False: other runs are."""
    if len(value.runs) < 2:
        return _governs(line, line.runs, at, value.runs, in_order)
    named = {name for mention in line.runs for name in mention.names}
    if not named:
        return None
    first, second = value.runs
    if one.function in ORDERED:
        before, after = _nearest(line, [m for m in line.runs if second not in m.names or m.start > at], at)
        beside = any(second in m.names and not line.text[m.end : at].strip() for m in line.runs if m.end <= at)
        free = before is None or _PRONOUN.search(line.text[before.end : at]) is not None
        if beside or (not free and before and first not in before.names) or (after and second not in after.names):
            return False
        return True if before or after else None
    if named & set(value.runs):
        return True if named >= set(value.runs) else None
    return False if _near(line, _nearest(line, line.runs, at)[0], at) else None


def _governs(
    line: _Line, mentions: Sequence[_Mention], at: int, wanted: Sequence[str], in_order: _Mention | None
) -> bool | None:
    """Whether one of the wanted names belongs to a place of the text. None: no name does; False: another one does."""
    before, after = _nearest(line, mentions, at)
    if any(m is not None and set(wanted) & set(m.names) for m in (before, after, in_order)):
        return True
    return False if _near(line, before, at) else None


def _near(line: _Line, before: _Mention | None, at: int) -> bool:
    """Whether the name before a place stands in the same clause, and no pronoun before the place could mean another."""
    if before is None or _PRONOUN.search(line.text[:at]):
        return False
    return not _CLAUSE_END.search(line.text[before.end : at])


def _nearest(line: _Line, mentions: Sequence[_Mention], at: int) -> tuple[_Mention | None, _Mention | None]:
    """The last name before a place, and the first one after it in the same clause."""
    before = max((m for m in mentions if m.end <= at), key=lambda m: m.start, default=None)
    after = min((m for m in mentions if m.start > at), key=lambda m: m.start, default=None)
    if after is not None:
        between = line.text[at + 1 : after.start]
        after = None if _CLAUSE_END.search(between) or OPEN in between else after
    return before, after


def _rank(
    index: int, others: Sequence[Spoken], line: _Line, mentions: Sequence[_Mention], single: bool = False
) -> _Mention | None:
    """The name that belongs to a value by its order, as in "A and B reach x and y"; None where there is no such order.

    As many values must follow as names come before, without the end of a statement between them.
    """
    ends = [m.end for m in mentions]
    values = [
        i
        for i, one in enumerate(others)
        if one.function in (*BOUND, "confirmed_value")
        and isinstance(one.value, Result)
        and (not single or len(one.value.runs) == 1)
        and (not ends or line.places[i] >= ends[-1])
    ]
    if index not in values or len(values) != len(mentions):
        return None
    together = line.text[line.places[values[0]] : line.places[values[-1]]]
    return None if re.search(r"[;:.]", together) else mentions[values.index(index)]


# ---------------------------------------------------------------- what the words name


def _line(sentence: Sentence, values: Sequence[Spoken], facts: Facts) -> _Line:
    """The text of a sentence with names and clauses filled in; every other expression is one character (OPEN)."""
    text, places, waiting = "", [], iter(values)
    for part in sentence.walk():
        if isinstance(part, Text):
            text += part.text
        elif isinstance(part, Expression):
            one = next(waiting)
            places.append(len(text))
            names = isinstance(one.value, Result) and one.value.kind in ("name", "clause") or one.function == "best"
            text += one.value.text if names and isinstance(one.value, Result) else OPEN
        elif isinstance(part, Code):
            text += " "
    return _Line(text, tuple(places), tuple(run_mentions(text, facts)), tuple(_metric_mentions(text, facts)))


def run_mentions(text: str, facts: Facts) -> list[_Mention]:
    """Where a text names runs by their labels. A label that is part of a longer one is not counted there."""
    found: list[_Mention] = []
    for label in sorted({r.label for r in facts.records}, key=len, reverse=True):
        names = tuple(r.name for r in facts.explored if r.label == label)
        _add(found, _pattern(label), text, names)
    return sorted(found, key=lambda m: m.start)


def _metric_mentions(text: str, facts: Facts) -> list[_Mention]:
    found: list[_Mention] = []
    spelt = [(word, key) for key, spec in facts.manifest.metrics.items() for word in {spec.label, key, spread_out(key)}]
    for word, key in sorted(spelt, key=lambda pair: len(pair[0]), reverse=True):
        _add(found, _pattern(word, re.IGNORECASE), text, (key,))
    return sorted(found, key=lambda m: m.start)


def _add(found: list[_Mention], pattern: re.Pattern[str], text: str, names: tuple[str, ...]) -> None:
    for match in pattern.finditer(text):
        if not any(m.start < match.end() and match.start() < m.end for m in found):
            found.append(_Mention(match.start(), match.end(), names))


def _pattern(label: str, flags: int = 0) -> re.Pattern[str]:
    """A label as a whole word, with or without its hyphens. A metric "error" is not meant by "standard error"."""
    loose = r"[-\s]?".join(re.escape(p) for p in re.split(r"[-\s]+|(?<=[a-z])(?=[A-Z])", label) if p)
    return re.compile(rf"(?<![\w-])(?<!standard ){loose}(?!\w)", flags)


def spread_out(key: str) -> str:
    """A key as people write it: without underscores."""
    return key.replace("_", " ")


def _label(facts: Facts, run: str) -> str:
    try:
        return facts.record(run).label
    except FactError:
        return run
