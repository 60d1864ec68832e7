"""Tables with a column for each metric: all runs in the body, every value seed by seed in the appendix."""

from __future__ import annotations

from collections.abc import Sequence

from pylatex import NoEscape, Tabular

from agent.core.record import RunRecord
from paper.evidence.facts import Facts, Series
from paper.evidence.numbers import fixed
from paper.evidence.series import series_of
from paper.press.latex import escape, number
from paper.press.tabular import DAGGER, fitted, head_row, long, tabular

MAIN_METRICS, SEED_METRICS = 8, 7  # columns of metrics that a page's width holds in letters one can read
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "target": r"$\rightarrow$"}


def main(facts: Facts) -> str:
    """All runs by all metrics; the best mean of each metric in bold; failed runs keep their row."""
    blocks = _blocks(list(facts.manifest.metrics), MAIN_METRICS)
    table = tabular("@{}l" + "r" * len(blocks[0]) + "@{}", width=1 + len(blocks[0]))
    for index, metrics in enumerate(blocks):
        if index:
            table.append(NoEscape(r"\midrule\addlinespace[4pt]"))
        _main_block(table, facts, metrics, len(blocks[0]))
    return fitted(table.dumps(), close=True)


def _main_block(table: Tabular, facts: Facts, metrics: Sequence[str], width: int) -> None:
    """All runs by some of the metrics; empty cells where the block is not as wide as the table."""
    empty = [""] * (width - len(metrics))
    units = [f"[{escape(facts.spec(m).unit)}]" if facts.spec(m).unit else "" for m in metrics]
    table.add_row([NoEscape("Run"), *(NoEscape(_head(facts, m)) for m in metrics), *empty])
    if any(units):
        table.add_row(["", *map(NoEscape, units), *empty])
    several = len(facts.condition_names()) > 1
    for condition in facts.condition_names():
        table.add_hline()
        if several:
            table.append(
                NoEscape(
                    rf"\multicolumn{{{width + 1}}}{{@{{}}l}}{{\itshape "
                    rf"{escape(facts.condition_label(condition))}}}\\"
                )
            )
        for record in facts.explored:
            if record.run == next((r.run for r in facts.experiments), ""):
                table.append(NoEscape(r"\addlinespace[2pt]"))
            _main_row(table, facts, record, metrics, condition, empty)


def _blocks(metrics: Sequence[str], most: int) -> list[Sequence[str]]:
    """As few blocks as hold at most so many metrics each, of about the same width: wider ones cannot be read."""
    count = -(-len(metrics) // most)
    size = -(-len(metrics) // count)
    return [metrics[start : start + size] for start in range(0, len(metrics), size)]


def main_caption(facts: Facts) -> str:
    seeds = sorted({len(r.seeds) for r in facts.explored})
    n = f"n = {seeds[0]} seeds" if len(seeds) == 1 else "the seeds of each run (listed in the appendix)"
    reported = "" if facts.manifest.measured else " All values are self-reported by the experiments."
    failed = " Runs without a measured result keep their row." if len(facts.measured) < len(facts.explored) else ""
    several = " Conditions are set in italics." if len(facts.condition_names()) > 1 else ""
    return (
        f"All runs, baselines first. Mean and standard error (ddof = 1) over {n}. Arrows give the direction that "
        f"is "
        f"better; bold marks the best mean of a column, which is no statement about significance.{several}{failed}"
        f"{reported}"
    )


def _main_row(
    table: Tabular, facts: Facts, record: RunRecord, metrics: Sequence[str], condition: str, empty: Sequence[str]
) -> None:
    name = escape(record.label)
    if record.status != "measured":
        table.append(
            NoEscape(
                rf"{name} & \multicolumn{{{len(metrics) + len(empty)}}}{{l}}{{\itshape {record.status}: "
                r"no result (\hyperref[tab:runs]{all runs})}\\"
            )
        )
        return
    cells = []
    for metric in metrics:
        series = series_of(record, metric, condition)
        cells.append("--" if series is None else _mean_cell(series, facts, bold=_is_best(facts, series)))
    table.add_row([NoEscape(name), *map(NoEscape, cells), *empty])


def _mean_cell(series: Series, facts: Facts, bold: bool) -> str:
    quantity = series.quantity()
    value = number(quantity.bare())
    value = rf"\textbf{{{value}}}" if bold else value
    mark = "" if facts.manifest.measured else DAGGER
    if series.se is None:
        return value + mark
    error = fixed(series.se, quantity.decimals) if series.se else "0"
    return rf"{value}\plusminus{{{error}}}{mark}"


def _is_best(facts: Facts, series: Series) -> bool:
    rivals = [s for r in facts.measured if (s := series_of(r, series.metric, series.condition))]
    own = facts.merit(series.metric, series.mean, series.condition)
    merits = [facts.merit(s.metric, s.mean, s.condition) for s in rivals]
    return max(merits) <= own and min(merits) < own


def _head(facts: Facts, metric: str) -> str:
    spec = facts.spec(metric)
    aim = facts.target(metric)
    target = f"\\,{fixed(aim, 0 if aim.is_integer() else 2)}" if aim is not None else ""
    words = escape(spec.label).replace(" ", r"\\ ", 1)  # a long name takes two lines, not a wide column
    return rf"\columnhead{{{words}\,{_ARROWS[spec.better]}{target}}}"


def seeds(facts: Facts) -> str:
    """Every measured value, seed by seed; many metrics take a second table under the same caption."""
    several = len(facts.condition_names()) > 1
    blocks = _blocks(list(facts.manifest.metrics), SEED_METRICS - several)
    return "\n\\addtocounter{table}{-1}\n".join(_seeds(facts, metrics, several) for metrics in blocks)


def _seeds(facts: Facts, metrics: Sequence[str], several: bool) -> str:
    table = long(("l l r " if several else "l r ") + "r" * len(metrics), 2 + several + len(metrics))
    head_row(table, ["Run", *(["Condition"] if several else []), "Seed", *(facts.spec(m).label for m in metrics)])
    for record in facts.measured:
        for training in sorted(record.trainings, key=lambda t: (t.condition, t.seed)):
            values = [fixed(training.metrics[m], 4) if m in training.metrics else "--" for m in metrics]
            if training.outcome != "measured":
                values = [training.outcome, *[""] * (len(metrics) - 1)]
            where = [NoEscape(escape(facts.condition_label(training.condition)))] if several else []
            table.add_row(
                [NoEscape(escape(record.label)), *where, training.seed, *(NoEscape(number(v)) for v in values)]
            )
    return table.dumps()
