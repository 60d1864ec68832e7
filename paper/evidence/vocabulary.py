"""The expressions for single numbers, names and counts that a writer may use in {{ ... }}.

The docstring of each function in FUNCTIONS is its line in the writer's prompt. Parsing is in expressions.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.record import RunRecord
from paper.evidence.facts import Difference, FactError, Facts, Series, machines
from paper.evidence.numbers import ORDINALS, Quantity, count_text, setting_text
from paper.evidence.prices import price

Kind = Literal["clause", "result", "words", "name", "setting", "count"]
SELF_REPORTED = " (self-reported)"
CONFIRMATION = "app:confirmation"  # the appendix's section on the confirmation


@dataclass(frozen=True)
class Result:
    """The value of an expression. `kind` says what part it can play in a sentence, e.g. a whole clause or a name."""

    text: str
    kind: Kind
    runs: tuple[str, ...] = ()  # names of the runs whose records it was read from
    metric: str = ""
    condition: str = ""
    seeds: tuple[int, ...] = ()
    self_reported: bool = False
    confirmed: bool = False  # read from the runs of the confirmation, not from the explored runs
    see: str = ""  # label of the appendix's section to which the paper points behind it

    def records(self, facts: Facts) -> tuple[RunRecord, ...]:
        """The records that it was read from."""
        pool = facts.confirmations if self.confirmed else facts.explored
        return tuple(r for r in pool if r.name in self.runs)

    @property
    def evidence(self) -> bool:
        """May stand behind a statement of an outcome: a measured number or a word derived from one."""
        return self.kind in ("clause", "result", "words")


def _result(
    facts: Facts, text: str, series: Sequence[Series], kind: Kind = "result", self_reported: bool = False
) -> Result:
    marked = self_reported or not facts.manifest.measured
    seeds = sorted({seed for s in series for seed in s.seeds})
    return Result(
        text=text + (SELF_REPORTED if marked and kind == "result" else ""),
        kind=kind,
        runs=tuple(dict.fromkeys(s.run.name for s in series)),
        metric=series[0].metric,
        condition=series[0].condition,
        seeds=tuple(seeds),
        self_reported=marked,
    )


OWN_SEEDS = "the script chooses its own seeds, and no record says how many; say that a run is one execution of it"


# ---------------------------------------------------------------- numbers of one run


def mean(facts: Facts, run: str, metric: str, condition: str | None = None) -> Result:
    """mean over seeds with its standard error, e.g. "0.580 ± 0.004" """
    series = facts.series(run, metric, condition)
    return _result(facts, series.quantity(facts.unit(metric)).text(), [series])


def value(facts: Facts, run: str, metric: str, condition: str | None = None) -> Result:
    """the same mean without its error, e.g. "0.580" """
    series = facts.series(run, metric, condition)
    return _result(facts, series.quantity(facts.unit(metric)).bare(), [series])


def se(facts: Facts, run: str, metric: str, condition: str | None = None) -> Result:
    """the standard error alone"""
    series = facts.series(run, metric, condition)
    if series.se is None:
        once = "was measured with one seed" if facts.manifest.seeded else "has one value"
        raise FactError(f'run "{series.run.name}" {once}, so it has no standard error')
    return _result(facts, Quantity(series.se, series.se, unit=facts.unit(metric)).bare(), [series])


def diagnostic(facts: Facts, run: str, name: str, condition: str | None = None) -> Result:
    """mean of a quantity the experiment reported about itself; printed with "(self-reported)" """
    series = facts.diagnostic(run, name, condition)
    return _result(facts, series.quantity().text(), [series], self_reported=True)


# ---------------------------------------------------------------- two runs


def diff(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> Result:
    """a minus b in the metric's unit, with the error of the difference, e.g. "+0.21 ± 0.01" """
    gap = facts.difference(a, b, metric, condition)
    return _result(facts, gap.quantity(facts.unit(metric)).text(), [gap.a, gap.b])


def relative(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> Result:
    """change from b to a in per cent of b, e.g. "+36.2%"; only where b is clearly above zero"""
    gap, quotient, error = _quotient(facts, a, b, metric, condition)
    change = Quantity(100 * (quotient - 1), None if error is None else 100 * error, True, "%")
    return _result(facts, change.bare(), [gap.a, gap.b])


def ratio(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> Result:
    """a divided by b, e.g. "1.36"; only where b is clearly above zero"""
    gap, quotient, error = _quotient(facts, a, b, metric, condition)
    return _result(facts, Quantity(quotient, error).bare(), [gap.a, gap.b])


def _quotient(
    facts: Facts, a: str, b: str, metric: str, condition: str | None
) -> tuple[Difference, float, float | None]:
    """a / b, after their difference and before the quotient's standard error (None where a side has one value).

    The error is by the delta method, paired where both runs have the same seeds.

    Raises:
        FactError: b is not above zero by three standard errors.
    """
    gap = facts.difference(a, b, metric, condition)
    base = gap.b.mean
    if base <= 0 or (gap.b.se is not None and base < 3 * gap.b.se):
        raise FactError(
            f'a relative change needs a base clearly above zero, and "{metric}" of '
            f'"{gap.b.run.name}" is not; use diff(...)'
        )
    quotient = gap.a.mean / base
    if gap.paired:
        residuals = [x - quotient * y for x, y in zip(gap.a.values, gap.b.values, strict=True)]
        spread = math.sqrt(sum(r * r for r in residuals) / (gap.a.n - 1) / gap.a.n)
        return gap, quotient, spread / base
    if gap.a.se is None or gap.b.se is None:
        return gap, quotient, None
    return gap, quotient, math.hypot(gap.a.se, quotient * gap.b.se) / base


def compare(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> Result:
    """ "higher than", "lower than" or "indistinguishable from", as the numbers have it"""
    gap = facts.difference(a, b, metric, condition)
    words = "indistinguishable from"
    if gap.distinct or not gap.judged:  # one run against one run: nothing but which number is larger
        words = "equal to" if gap.value == 0 else "higher than" if gap.value > 0 else "lower than"
    return _result(facts, words, [gap.a, gap.b], "words")


def improves(facts: Facts, a: str, b: str, metric: str, condition: str | None = None) -> Result:
    """ "is ahead of", "is behind" or "does not differ measurably from", by the metric's direction (exploratory: only
    a confirmation may be called an improvement)"""
    gap = facts.difference(a, b, metric, condition)
    words = "does not differ measurably from"
    if not gap.judged:
        words = "equals" if gap.value == 0 else "is above" if gap.value > 0 else "is below"
    elif gap.distinct:
        where = gap.a.condition
        mine, theirs = (facts.merit(metric, side.mean, where) for side in (gap.a, gap.b))
        broken = facts.broken_guards(gap.a.run.name, gap.b.run.name, where) if metric == facts.manifest.primary else ()
        ahead = f"is ahead, at the price of {price(facts, broken)}, of" if broken else "is ahead of"
        words = words if mine == theirs else ahead if mine > theirs else "is behind"
    return _result(facts, words, [gap.a, gap.b], "words")


def rank(facts: Facts, run: str, metric: str, condition: str | None = None) -> Result:
    """the place among all measured runs, best first, e.g. "second of five" """
    series = facts.series(run, metric, condition)
    return _result(facts, place_text(facts, series), [series], "words")


def place_text(facts: Facts, series: Series) -> str:
    """The place of a run among all measured runs in its metric, e.g. "second of five"; equal means share a place."""
    metric, condition = series.metric, series.condition
    field = [facts.series(r.name, metric, condition) for r in facts.measured]
    own = facts.merit(metric, series.mean, condition)
    place = 1 + sum(facts.merit(metric, s.mean, condition) > own for s in field)
    ordinal = ORDINALS[place] if place < len(ORDINALS) else f"number {place}"
    return f"{ordinal} of {count_text(len(field))}"


# ---------------------------------------------------------------- names, counts, settings


def best(facts: Facts) -> Result:
    """the label of the best measured run, baselines included, by the primary metric"""
    record = facts.record("best")
    return Result(text=record.label, kind="words", runs=(record.name,), metric=facts.manifest.primary)


def name(facts: Facts, run: str) -> Result:
    """the label of a run as tables print it"""
    record = facts.record(run)
    return Result(text=record.label, kind="name", runs=(record.name,))


def label(facts: Facts, metric: str) -> Result:
    """the label of a metric or of a condition as tables print it"""
    if metric in facts.condition_names():
        return Result(text=facts.condition_label(metric), kind="name", condition=metric)
    return Result(text=facts.spec(metric).label, kind="name", metric=metric)


def status(facts: Facts, run: str) -> Result:
    """ "measured", "failed" or "refused" """
    record = facts.record(run)
    text = record.status if facts.manifest.measured or record.status != "measured" else "self-reported"
    return Result(text=text, kind="words", runs=(record.name,))


def n(facts: Facts, run: str, condition: str | None = None) -> Result:
    """how many seeds of a run were measured, in words"""
    series = facts.series(run, facts.manifest.primary, condition)
    if not facts.manifest.seeded:
        raise FactError(OWN_SEEDS)
    return Result(
        text=count_text(series.n), kind="count", runs=(series.run.name,), seeds=series.seeds, condition=series.condition
    )


def count(facts: Facts, what: str) -> Result:
    """in words, how many: "runs" (the experiments, failed ones too), "measured", "failed" (of these),
    "baselines", "seeds", "conditions", "metrics" """
    counts = counts_of(facts)
    if what not in counts:
        raise FactError(f'count("{what}") is not known; there are {", ".join(counts)}')
    if what == "seeds" and not facts.manifest.seeded:
        raise FactError(OWN_SEEDS)
    return Result(text=count_text(counts[what]), kind="count", runs=tuple(r.name for r in facts.explored))


def counts_of(facts: Facts) -> dict[str, int]:
    """What `count` can count. "seeds" is the largest number of seeds of a run."""
    tried = facts.experiments
    measured = sum(r.status == "measured" for r in tried)
    return {
        "runs": len(tried),
        "measured": measured,
        "failed": len(tried) - measured,
        "baselines": len(facts.baselines),
        "metrics": len(facts.manifest.metrics),
        "seeds": max((len(r.seeds) for r in facts.explored), default=0),
        "conditions": len(facts.condition_names()),
    }


def config(facts: Facts, key: str, run: str | None = None, condition: str | None = None) -> Result:
    """a setting of the runs as the runner set it, e.g. config("batch")"""
    text = setting_text(facts.setting(key, run, condition))
    runs = (facts.record(run).name,) if run else tuple(r.name for r in facts.explored)
    return Result(text=text, kind="setting", runs=runs, condition=condition or "")


def device(facts: Facts) -> Result:
    """the hardware that all runs were trained on, in words"""
    found = machines(facts.explored)
    if not found:
        raise FactError("there are no records yet")
    return Result(text=found, kind="setting", runs=tuple(r.name for r in facts.explored))


FUNCTIONS = (
    mean,
    value,
    se,
    diagnostic,
    diff,
    relative,
    ratio,
    compare,
    improves,
    rank,
    best,
    name,
    label,
    status,
    n,
    count,
    config,
    device,
)
