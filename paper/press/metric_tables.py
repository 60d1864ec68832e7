"""The tables of means, with a row for each run and a column for each metric.

The main table stands in the text, and what it has no room for in the appendix (`further`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pylatex import NoEscape, Tabular

from agent.core.record import RunRecord
from paper.evidence.facts import Facts, Series
from paper.evidence.few import few, left_out_words
from paper.evidence.numbers import Quantity, decimals_for_column, fixed
from paper.evidence.prices import prices
from paper.evidence.series import series_of
from paper.press import repeats
from paper.press.latex import escape, number
from paper.press.tabular import (
    DAGGER,
    GAP_PT,
    LETTERS_PT,
    end_head,
    fitted,
    in_lines,
    long,
    paragraph,
    tabular,
)
from paper.press.widths import LINE_PT, lines_of, text_pt

MAIN_METRICS = 8  # most columns of metrics
MAIN_LINES = 46  # most lines of the table in the text; further rows stand in the appendix
TOGETHER_MOST = 40  # a table in the appendix of at most so many lines is not divided over pages
_WIDEST = LINE_PT / 0.94  # of a table that is shrunk to the line: its letters of 7 pt are then still 6.5 pt
_MAIN_GAP = 6.4
_NARROW_HEAD, _NARROW_LABEL = 46.0, 112.0
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "target": r"$\rightarrow$"}


@dataclass(frozen=True)
class Shape:
    """The layout of a table of metrics.

    `blocks` are the metrics in groups that stand below one another. `head` and `label` are the widths in points into
    which the names of metrics and of runs are broken; None where each stands in one line.
    """

    blocks: tuple[tuple[str, ...], ...]
    head: float | None = None
    label: float | None = None

    @property
    def width(self) -> int:
        """Columns of metrics."""
        return len(self.blocks[0])

    @property
    def first(self) -> str:
        """LaTeX's specification of the column of runs' names."""
        return "l" if self.label is None else paragraph(self.label)


FORMS = ((None, None), (_NARROW_HEAD, None), (_NARROW_HEAD, _NARROW_LABEL))


def shape_of(
    metrics: Sequence[str],
    most: int,
    fits: Callable[[Shape], bool],
    forms: Sequence[tuple[float | None, float | None]] = FORMS,
) -> Shape:
    """The first layout that fits: with as many columns as possible; names are broken before columns are given up."""
    for count in range(most, 0, -1):
        blocks = tuple(map(tuple, _blocks(metrics, count)))
        for head, label in forms:
            shape = Shape(blocks, head, label)
            if fits(shape):
                return shape
    return shape


def _main_shape(facts: Facts, metrics: Sequence[str], gap: float = _MAIN_GAP, widest: float = _WIDEST) -> Shape:
    labels = max((text_pt(r.label, LETTERS_PT) for r in facts.explored), default=0.0)
    cells = {m: _cell_pt(facts, m) for m in metrics}

    def fits(shape: Shape) -> bool:
        return min(labels, shape.label or labels) + _block_pt(shape, cells, facts) + gap * shape.width <= widest

    return shape_of(metrics, MAIN_METRICS, fits)


def _block_pt(shape: Shape, cells: Mapping[str, float], facts: Facts) -> float:
    """The width in points of the columns of metrics. All blocks share them: a column is as wide as its widest
    metric."""
    return sum(
        max(max(cells[b[i]], _head_pt(facts, b[i], shape.head)) for b in shape.blocks if i < len(b))
        for i in range(shape.width)
    )


def _cell_pt(facts: Facts, metric: str) -> float:
    """The width in points of a metric's widest mean with its standard error."""
    widths = [0.0]
    for record in facts.measured:
        for condition in facts.condition_names(record):
            if series := series_of(record, metric, condition):
                quantity = _quantity(series, facts)
                error = "" if quantity.se is None else f"±{quantity.error()}"
                widths.append(text_pt(quantity.bare(), LETTERS_PT) + text_pt(error, LETTERS_PT - 1))
    return max(widths)


def _quantity(series: Series, facts: Facts) -> Quantity:
    """A mean with the decimals of its column."""
    column = [
        repeats.told(s)
        for r in facts.measured
        for c in facts.condition_names(r)
        if (s := series_of(r, series.metric, c))
    ]
    return replace(repeats.told(series), places=decimals_for_column(column))


def _head_pt(facts: Facts, metric: str, width: float | None) -> float:
    return max(text_pt(line, LETTERS_PT) for line in _head_lines(facts, metric, width)) + 10  # the arrow


def _head_lines(facts: Facts, metric: str, width: float | None) -> list[str]:
    label = facts.spec(metric).label
    return label.split(" ", 1) if width is None else lines_of(label, width, LETTERS_PT)


def main(facts: Facts) -> str:
    """The main table: a row for each run, a column for each headline metric, the best mean of each in bold.

    Runs without a result keep their row. In a long session only some runs are shown (few.py).
    """
    facts = few(facts)
    shape = _main_shape(facts, list(facts.manifest.headline))
    shown, _ = _divided(facts, shape)
    table = tabular(f"@{{}}{shape.first}" + "r" * shape.width + "@{}", width=1 + shape.width)
    for index, (metrics, conditions) in enumerate(shown):
        if index:
            table.append(NoEscape(r"\midrule\addlinespace[4pt]"))
        _main_block(table, facts, metrics, shape, conditions)
    return fitted(table.dumps(), close=True)


Piece = tuple[tuple[str, ...], tuple[str, ...]]  # metrics and conditions


def _divided(facts: Facts, shape: Shape) -> tuple[list[Piece], list[Piece]]:
    """The pieces of the main table that fit on a page, and the other ones."""
    names = facts.condition_names()
    rows = [len(in_lines(r.label, shape.label).split(r"\newline")) for r in facts.explored]
    shown: list[Piece] = []
    rest: list[Piece] = []
    lines = 0
    for block in shape.blocks:
        lines += 2 + max(len(_head_lines(facts, m, shape.head)) for m in block)
        kept: list[str] = []
        for name in names:
            lines += sum(rows) + (len(names) > 1)
            if lines <= MAIN_LINES or not (shown or kept):
                kept.append(name)
        shown += [(block, tuple(kept))] if kept else []
        left = tuple(n for n in names if n not in kept)
        rest += [(block, left)] if left else []
    return shown, rest


def has_further(facts: Facts) -> bool:
    """Whether there are means that the main table has no room for."""
    return bool(facts.explored) and bool(_beside(few(facts)))


def _beside(facts: Facts) -> list[Piece]:
    """What the main table does not show: pieces that do not fit on its page, then the metrics that are no headline."""
    headline = list(facts.manifest.headline)
    _, pieces = _divided(facts, _main_shape(facts, headline))
    rest = tuple(name for name in facts.manifest.metrics if name not in headline)
    return [*pieces, *([(rest, tuple(facts.condition_names()))] if rest else [])]


def further(facts: Facts) -> str:
    """The means that the main table has no room for, as tables over as many pages as they take."""
    tables: list[str] = []
    facts = few(facts)
    for metrics, conditions in _beside(facts):
        shape = _main_shape(facts, metrics, GAP_PT, LINE_PT)
        for block in _blocks(metrics, shape.width):
            part = Shape((tuple(block),), shape.head, shape.label)
            table = long(f"{shape.first} " + "r" * len(block), 1 + len(block))
            _main_block(table, facts, block, part, conditions, over_pages=True)
            lines = 5 + len(conditions) * sum(
                in_lines(r.label, shape.label).count(r"\newline") + 1 for r in facts.explored
            )
            room = rf"\roomforrows{{{lines}}}" + "\n" if tables and lines <= TOGETHER_MOST else ""
            tables.append(room + table.dumps())
    return "\n\\addtocounter{table}{-1}\n".join(tables)


def _main_block(
    table: Tabular,
    facts: Facts,
    metrics: Sequence[str],
    shape: Shape,
    conditions: Sequence[str],
    over_pages: bool = False,
) -> None:
    """Add the rows of all runs for some of the metrics, filled up with empty cells to the width of the table.

    `over_pages`: the table runs over pages, and its head is repeated on each.
    """
    width = shape.width
    empty = [""] * (width - len(metrics))
    units = [f"[{escape(facts.spec(m).unit)}]" if facts.spec(m).unit else "" for m in metrics]
    table.add_row([NoEscape("Run"), *(NoEscape(column_head(facts, m, shape.head)) for m in metrics), *empty])
    if any(units):
        table.add_row(["", *map(NoEscape, units), *empty])
    if over_pages:
        end_head(table)
    several = len(facts.condition_names()) > 1
    for place, condition in enumerate(conditions):
        if place or not over_pages:
            table.add_hline()
        if several:
            table.append(condition_row(facts, condition, width + 1))
        for record in facts.explored:
            if record.run == next((r.run for r in facts.experiments), ""):
                table.append(NoEscape(r"\addlinespace[2pt]"))
            _main_row(table, facts, record, metrics, condition, empty, shape.label)


def condition_row(facts: Facts, condition: str, columns: int) -> NoEscape:
    """The line that names a condition above its runs."""
    return NoEscape(rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\itshape {escape(facts.condition_label(condition))}}}\\")


def _blocks(metrics: Sequence[str], most: int) -> list[Sequence[str]]:
    """The metrics in as few groups as possible, of about equal size and of at most `most` metrics each."""
    count = -(-len(metrics) // most)
    size = -(-len(metrics) // count)
    return [metrics[start : start + size] for start in range(0, len(metrics), size)]


def main_caption(facts: Facts) -> str:
    """The caption of the main table."""
    left_out = left_out_words(facts).strip()
    which = f"{left_out} Baselines come first." if left_out else "All runs, baselines first."
    facts = few(facts)
    seeds = sorted({len(r.seeds) for r in facts.explored})
    n = f"n = {seeds[0]} seeds" if len(seeds) == 1 else "the seeds of each run (listed in the appendix)"
    once = seeds == [1]
    single = "One value each, of a single training." if facts.manifest.seeded else repeats.executed_once(facts)
    means = single if once else f"Mean and standard error (ddof = 1) over {n}."
    value = "value" if once else "mean"
    reported = "" if facts.manifest.measured else " All values are self-reported by the experiments."
    failed = " Runs without a measured result keep their row." if len(facts.measured) < len(facts.explored) else ""
    several = " Conditions are set in italics." if len(facts.condition_names()) > 1 else ""
    more = " What one page does not hold stands in the appendix, under Further Metrics." if has_further(facts) else ""
    return (
        f"{which} {means} Arrows give the direction that is better; bold marks the best {value} of "
        f"a column, which is no statement about significance.{several}{failed}"
        f"{prices(facts)}{_of_others(facts)}{more}{reported}"
    )


def _of_others(facts: Facts) -> str:
    """A sentence for each run that others trained, with what it was trained on."""
    found = [(record.label, record.pretrained.trained_on) for record in facts.explored if record.pretrained]
    return "".join(
        f" {escape(label)} was trained by others, on {escape(budget)}, and measured as it is."
        for label, budget in found
    )


def _main_row(
    table: Tabular,
    facts: Facts,
    record: RunRecord,
    metrics: Sequence[str],
    condition: str,
    empty: Sequence[str],
    label: float | None,
) -> None:
    name = in_lines(record.label, label)
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
        cells.append("--" if series is None else mean_cell(facts, series, bold=_is_best(facts, series)))
    table.add_row([NoEscape(name), *map(NoEscape, cells), *empty])


def mean_cell(facts: Facts, series: Series, bold: bool = False) -> str:
    """A mean with its standard error in small letters, both with the decimals of their column."""
    quantity = _quantity(series, facts)
    value = number(quantity.bare())
    value = rf"\textbf{{{value}}}" if bold else value
    mark = "" if facts.manifest.measured else DAGGER
    if quantity.se is None:
        return value + mark
    return rf"{value}\plusminus{{{number(quantity.error())}}}{mark}"


def _is_best(facts: Facts, series: Series) -> bool:
    rivals = [s for r in facts.measured if (s := series_of(r, series.metric, series.condition))]
    own = facts.merit(series.metric, series.mean, series.condition)
    merits = [facts.merit(s.metric, s.mean, s.condition) for s in rivals]
    least = 1e-9 * max(map(abs, merits))  # equal means may differ by rounding, if they were summed in another order
    return max(merits) <= own + least and min(merits) < own - least


def column_head(facts: Facts, metric: str, width: float | None = None) -> str:
    """A metric's name with the arrow of its direction, broken into lines."""
    spec = facts.spec(metric)
    aim = facts.target(metric)
    target = f"\\,{fixed(aim, 0 if aim.is_integer() else 2)}" if aim is not None else ""
    if width is None:
        words = escape(spec.label).replace(" ", r"\\ ", 1)  # a long name takes two lines, not a wide column
    else:
        words = r"\\ ".join(map(escape, lines_of(spec.label, width, LETTERS_PT)))
    return rf"\columnhead{{{words}\,{_ARROWS[spec.better]}{target}}}"
