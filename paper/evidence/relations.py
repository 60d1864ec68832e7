"""How two measured series compare, in words: what the clauses of clauses.py and factors.py share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from paper.evidence.facts import Difference, FactError, Facts, Series
from paper.evidence.numbers import listed, setting_text
from paper.evidence.prices import price
from paper.evidence.vocabulary import SELF_REPORTED, Result

Relation = Literal["ahead", "behind", "level", "above", "below", "equal"]
Metrics = str | tuple[str, ...]
_AGAINST: dict[Relation, str] = {
    "ahead": "is ahead of {} in",
    "behind": "is behind {} in",
    "level": "does not differ measurably from {} in",
    "above": "is above {} in",
    "below": "is below {} in",
    "equal": "equals {} in",
}
_GOES_ON: dict[Relation, str] = {
    "ahead": "ahead in",
    "behind": "behind in",
    "level": "not measurably different in",
    "above": "above in",
    "below": "below in",
    "equal": "equal in",
}
_WITHOUT_NAME = {kind: f"is {words}" for kind, words in _GOES_ON.items()} | {"level": "does not differ measurably in"}


def relation_of(facts: Facts, gap: Difference) -> Relation:
    """Whether a is ahead of b, level with it or behind it, by the interval and the direction of the metric.

    Without an interval (one seed on a side) only the numbers are compared: "above", "below" or "equal".
    """
    if not gap.judged:
        return "equal" if gap.value == 0 else "above" if gap.value > 0 else "below"
    if not gap.distinct:
        return "level"
    mine, theirs = (facts.merit(s.metric, s.mean, s.condition) for s in (gap.a, gap.b))
    return "level" if mine == theirs else "ahead" if mine > theirs else "behind"


def stands(facts: Facts, gaps: Sequence[Difference], full: bool, named: bool = True) -> str:
    """`compared`, followed by the guards that a lead breaks and by a remark where there is no interval."""
    return compared(facts, gaps, full, named) + _price(facts, gaps) + unjudged(facts, gaps)


def compared(facts: Facts, gaps: Sequence[Difference], full: bool, named: bool) -> str:
    """The verb phrase of a comparison in several metrics: those where a is ahead first, then level, then behind.

    E.g. "is ahead of TopK in F1 (+0.129) and behind in MCC (-0.012)"; without `named`, "is ahead in F1 (+0.129)". With
    `full` each metric has both values and the interval.
    """
    kinds: dict[Relation, list[Difference]] = {kind: [] for kind in _AGAINST}
    for gap in gaps:
        kinds[relation_of(facts, gap)].append(gap)
    parts: list[str] = []
    for kind, found in kinds.items():
        if found:
            against = _AGAINST[kind].format(found[0].b.run.label)
            alone = against if named else _WITHOUT_NAME[kind]
            parts.append(f"{_GOES_ON[kind] if parts else alone} {listed([step(facts, g, full) for g in found])}")
    return listed(parts)


def unjudged(facts: Facts, gaps: Sequence[Difference]) -> str:
    """A remark for comparisons of which one has no interval, so that nobody knows whether it is more than noise."""
    if all(gap.judged for gap in gaps):
        return ""
    return ", measured with one seed on a side" if facts.manifest.seeded else ", each from one execution of the script"


def _price(facts: Facts, gaps: Sequence[Difference]) -> str:
    """The guards that a lead in the primary metric breaks, as ", at the price of ..."; "" where it breaks none."""
    for gap in gaps:
        if gap.a.metric == facts.manifest.primary and relation_of(facts, gap) in ("ahead", "above"):
            broken = facts.broken_guards(gap.a.run.name, gap.b.run.name, gap.a.condition)
            return f", at the price of {price(facts, broken, values=True)}" if broken else ""
    return ""


def step(facts: Facts, gap: Difference, full: bool = False) -> str:
    """A metric with its difference, e.g. "F1 (+0.129)"; with `full` also both values and the interval.

    For a metric other than the primary one of which less is better, "lower is better" is added, because a reader
    expects a plus where a run is ahead.
    """
    metric = gap.a.metric
    spec, unit = facts.spec(metric), facts.unit(metric)
    name = spec.label
    if spec.better == "target" and (aim := facts.target(metric, gap.a.condition)) is not None:
        name += f" towards its target of {setting_text(aim)}"
    less = ", lower is better" if spec.better == "lower" and not spec.primary else ""
    return f"{name} ({both_values(facts, gap) if full else gap.quantity(unit).bare()}{less})"


def both_values(facts: Facts, gap: Difference) -> str:
    """ "0.63 ± 0.01 against 0.51 ± 0.01, difference +0.12, 95% interval +0.10 to +0.14"."""
    unit = facts.unit(gap.a.metric)
    values = " against ".join(s.quantity(unit).text() for s in (gap.a, gap.b))
    width = f", 95% interval {gap.interval_text(unit)}" if gap.judged else ""
    return f"{values}, difference {gap.quantity(unit).bare()}{width}"


def metrics_of(metrics: Metrics) -> tuple[str, ...]:
    """The names of one metric or of a list of them, each once.

    Raises:
        FactError: the list is empty.
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(dict.fromkeys(metrics))
    if not names:
        raise FactError('name a metric, or several in a list: ["accuracy", "loss"]')
    return names


def subject_of(subject: str, series: Series) -> str:
    """The subject of a clause: the run's label, or one of the words in SUBJECTS.

    Raises:
        FactError: `subject` is none of them.
    """
    if subject not in SUBJECTS:
        raise FactError(f'subject="{subject}" is not known; there are {", ".join(s for s in SUBJECTS if s)}')
    return subject or series.run.label


SUBJECTS = ("", "it", "this run", "this variant", "the variant", "the method", "our method")


def sides_of(gaps: Iterable[Difference]) -> list[Series]:
    """Both series of each difference."""
    return [side for gap in gaps for side in (gap.a, gap.b)]


def clause(facts: Facts, text: str, series: Sequence[Series], reported: bool = False) -> Result:
    """A clause with the runs, the metric and the seeds that it was read from.

    It is marked as self-reported with `reported`, and where the template does not measure for itself.
    """
    marked = reported or not facts.manifest.measured
    metrics = dict.fromkeys(s.metric for s in series)
    return Result(
        text=text + (SELF_REPORTED if marked else ""),
        kind="clause",
        runs=tuple(dict.fromkeys(s.run.name for s in series)),
        metric=next(iter(metrics)) if len(metrics) == 1 else "",
        condition=series[0].condition,
        seeds=tuple(sorted({seed for s in series for seed in s.seeds})),
        self_reported=marked,
    )
