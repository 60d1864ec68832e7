"""Checks a paper that another version of this program made, by the values of its numbers alone.

Another version words and lays out a paper differently, so that its paper.tex cannot be made again here. Its tables and
expressions must still print values that the records give. For a paper of this version rendering.py shows more: that
each number also stands in its place.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations, permutations, product

from agent.publishing.verify.subject import Material
from paper.evidence import factors
from paper.evidence.facts import FactError, Facts
from paper.evidence.series import Series, averaged, difference_of, series_of
from paper.evidence.sweeps import curve_of
from paper.press.compare import Problem, printed_numbers
from paper.press.repeats import error_of

_DECIMAL = re.compile(r"(?<![\d.])\d[\d,]*\.\d+(?![\d.]*\.\d)(%|\\%)?")


def values_problems(tex: str, material: Material) -> tuple[int, list[Problem]]:
    """How many numbers the tables and expressions of a paper print with decimals, and those that no record gives."""
    pool = sorted(_pool(material))
    count, problems = 0, []
    for number, line in enumerate(tex.splitlines(), start=1):
        for piece in printed_numbers(line):
            for match in _DECIMAL.finditer(piece):
                count += 1
                literal = match[0].rstrip("\\%")
                if not _given(literal, pool):
                    where = f"paper/paper.tex, line {number}"
                    problems.append(Problem(where, f"prints {literal}, which no record gives", 1))
    return count, problems


def _given(literal: str, pool: Sequence[float]) -> bool:
    """Whether one of these values (sorted), rounded to as many decimals, gives this number."""
    value, decimals = float(literal.replace(",", "")), len(literal.partition(".")[2])
    reach = 0.5 * 10.0**-decimals * (1 + 1e-9)
    place = bisect_left(pool, value - reach)
    return place < len(pool) and pool[place] <= value + reach


def _pool(material: Material) -> Iterator[float]:
    """The absolute values of everything that an expression or a table may print with decimals."""
    records = list(material.records.values())
    facts = Facts(records, material.manifest, material.account.profile)
    for record in (record.whole for record in records):
        settings = [record.settings, *(c.settings for c in record.conditions)]
        yield from (abs(v) for some in settings for v in some.values() if isinstance(v, float))
        for training in record.trainings:
            yield from map(abs, (*training.metrics.values(), *training.diagnostics.values(), training.wall_s))
            for told in training.statistics.values():
                yield from map(abs, (*told.values, error_of(told) or 0.0))
    for columns in _columns(facts):
        yield from (abs(x) for series in columns for x in (series.mean, series.se or 0.0))
        for a, b in permutations(columns, 2):
            gap = difference_of(a, b)
            yield from map(abs, (gap.value, gap.se or 0.0, *(gap.ci or ()), 0.0 if gap.p is None else gap.p))
            if b.mean:
                share = a.mean / b.mean
                yield from map(abs, (share, 100 * (share - 1)))
    yield from map(abs, _effects(facts))
    if found := facts.confirmed:
        yield from map(abs, (*found.steps, found.p, *(found.gap.ci or ())))
        yield from (abs(v) for arm in (found.ours, found.baseline) for v in (*arm.values, arm.mean, arm.se or 0.0))
    yield 0.0001  # the smallest p that is printed


def _effects(facts: Facts) -> Iterator[float]:
    """What the expressions about a factorial design print: effects of its changes, and sums of two differences."""
    metrics, conditions = facts.manifest.metrics, facts.condition_names()
    for metric, condition in product(metrics, conditions):
        for name in factors.names(facts):
            with suppress(FactError):  # no pair, or runs with different seeds
                gap = factors.gap_of(facts, name, metric, condition)
                yield from (gap.value, gap.se or 0.0, *(gap.ci or ()))
        found = [s.mean for r in factors.cells(facts).values() if (s := series_of(r, metric, condition))]
        for neither in found:
            yield from (a + b - 2 * neither for a, b in combinations(found, 2))


def _columns(facts: Facts) -> Iterator[list[Series]]:
    """For each metric and condition, and for each metric averaged over conditions, the series of all runs."""
    measured = [r for r in facts.records if r.status == "measured"]
    keys = {key: "diagnostics" for r in measured for t in r.trainings for key in t.diagnostics}
    for condition in facts.condition_names():
        for key in facts.manifest.metrics:
            yield [s for r in measured if (s := series_of(r, key, condition))]
        for key in keys:
            yield [s for r in measured if (s := series_of(r, key, condition, "diagnostics"))]
    for record in (r for r in measured if r.swept):
        yield from ([p.series] for key in facts.manifest.metrics for p in curve_of(record, key))
    for key in facts.manifest.metrics:
        yield [averaged(r, key) for r in measured if all(key in t.metrics for t in r.trainings)]
