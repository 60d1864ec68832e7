"""The table of a factorial design: which changes each run has, and the effect of each change. Pure.

A factorial design is a set of runs that combine some of several changes (paper/evidence/factors.py).
"""

from __future__ import annotations

from pylatex import NoEscape, Tabular

from paper.evidence import factors
from paper.evidence.clauses import foremost
from paper.evidence.facts import Facts
from paper.evidence.numbers import count_text
from paper.evidence.relations import unjudged
from paper.press.latex import escape, number
from paper.press.metric_tables import column_head, condition_row, mean_cell
from paper.press.tabular import DAGGER, fitted, tabular

_METRICS = 5  # columns beside those of the changes
_HELD = r"$\bullet$"


def factorial(facts: Facts) -> str:
    """The table as LaTeX: a row for each run with marks for its changes, then a row for the effect of each change."""
    names = factors.names(facts)
    metrics = _shown(facts)
    width = 1 + len(names) + len(metrics)
    table = tabular(f"@{{}}l{'c' * len(names)}{'r' * len(metrics)}@{{}}", width=width)
    heads = [_head(name) for name in names]
    table.add_row([NoEscape(cell) for cell in ("Run", *heads, *(column_head(facts, m) for m in metrics))])
    for condition in facts.condition_names():
        table.add_hline()
        if len(facts.condition_names()) > 1:
            table.append(condition_row(facts, condition, width))
        for held, record in factors.cells(facts).items():
            cells = [_HELD if name in held else "" for name in names]
            means = [mean_cell(facts, facts.series(record.name, m, condition)) for m in metrics]
            table.add_row([NoEscape(cell) for cell in (escape(record.label), *cells, *means)])
        table.append(NoEscape(r"\midrule"))
        for name in names:
            _effect_row(table, facts, name, metrics, condition, len(names))
    return fitted(table.dumps(), close=True)


def _shown(facts: Facts) -> tuple[str, ...]:
    """The metrics of the columns: headline metrics in the order of their weight, without those that have a target."""
    return tuple(name for name in foremost(facts) if facts.spec(name).better != "target")[:_METRICS]


def _head(name: str) -> str:
    lines = r"\\ ".join(map(escape, name.rsplit(" ", 1)))
    return rf"\columnhead{{{lines}}}"


def _effect_row(
    table: Tabular, facts: Facts, name: str, metrics: tuple[str, ...], condition: str, columns: int
) -> None:
    count = len(factors.pairs(facts, name))
    pairs = f"{count_text(count)} {'pair' if count == 1 else 'pairs'}" if count else "no pair"
    cells = [_effect(facts, name, m, condition) if count else "--" for m in metrics]
    head = rf"\multicolumn{{{1 + columns}}}{{@{{}}l}}{{Effect of {escape(name)} ({pairs})}}"
    table.append(NoEscape(rf"{' & '.join([head, *cells])}\\"))


def _effect(facts: Facts, name: str, metric: str, condition: str) -> str:
    gap = factors.gap_of(facts, name, metric, condition)
    quantity = gap.quantity()
    star = r"\rlap{\textsuperscript{$*$}}" if gap.distinct else ""
    error = "" if quantity.se is None else rf"\plusminus{{{number(quantity.error())}}}"
    return f"{number(quantity.bare())}{error}{star}{'' if facts.manifest.measured else DAGGER}"


def factorial_caption(facts: Facts) -> str:
    """The caption: what a row is, how an effect is computed, and which runs miss a target."""
    first = next(iter(factors.cells(facts).values()))
    effects = [
        factors.gap_of(facts, name, m, c)
        for name in factors.names(facts)
        if factors.pairs(facts, name)
        for m in _shown(facts)
        for c in facts.condition_names()
    ]
    runs = factors.cells(facts).values()
    off = factors.missed(facts, ((r, c) for r in runs for c in facts.condition_names(r)))
    star = (
        " A star marks an effect whose 95% interval over seeds excludes zero."
        if any(g.distinct for g in effects)
        else ""
    )
    return (
        f"The runs by the planned changes that each holds beside {first.label}, and the effect of each change: the "
        f"mean difference, seed by seed, of the pairs of runs that differ in it alone{unjudged(facts, effects)}."
        f"{star}{f' {off}; an effect that reads such a run may come from that.' if off else ''} "
        "Like all of the exploration this is not corrected for the number of comparisons."
    )
