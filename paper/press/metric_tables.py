"""Tables with a column for each metric: all runs in the body, every value seed by seed in the appendix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    APART,
    DAGGER,
    GAP_PT,
    LETTERS_PT,
    end_head,
    fitted,
    head_row,
    in_lines,
    long,
    paragraph,
    tabular,
)
from paper.press.widths import LINE_PT, lines_of, text_pt

MAIN_METRICS, SEED_METRICS = 8, 7  # columns of metrics that a page's width holds in letters one can read
MAIN_LINES = 46  # lines of a table that floats; what is more stands in the appendix
TOGETHER_MOST = 40  # lines of a table in the appendix that is not divided where it fits on a page
TOGETHER = 10  # rows of one run under its name that stay on one page
_WIDEST = LINE_PT / 0.94  # what adjustbox may shrink: letters of 7 pt are then still 6.5 pt
_MAIN_GAP = 6.4
_NARROW_HEAD, _NARROW_LABEL = 46.0, 112.0
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "target": r"$\rightarrow$"}


@dataclass(frozen=True)
class Shape:
    """How a table of metrics is laid out. `head`, `label`: points into which words are broken; None where they fit."""

    blocks: tuple[tuple[str, ...], ...]
    head: float | None = None
    label: float | None = None

    @property
    def width(self) -> int:
        """Columns of metrics."""
        return len(self.blocks[0])

    @property
    def first(self) -> str:
        """The column of the runs' names."""
        return "l" if self.label is None else paragraph(self.label)


_FORMS = ((None, None), (_NARROW_HEAD, None), (_NARROW_HEAD, _NARROW_LABEL))
_SEED_FORMS = (*_FORMS, (40.0, 76.0))  # its names stand in every line: narrower ones save pages


def _shape(
    metrics: Sequence[str],
    most: int,
    fits: Callable[[Shape], bool],
    forms: Sequence[tuple[float | None, float | None]] = _FORMS,
) -> Shape:
    """The first layout that fits: as many columns as can be, words in lines before fewer columns."""
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

    return _shape(metrics, MAIN_METRICS, fits)


def _block_pt(shape: Shape, cells: Mapping[str, float], facts: Facts) -> float:
    """All blocks share their columns: each is as wide as its widest metric."""
    return sum(
        max(max(cells[b[i]], _head_pt(facts, b[i], shape.head)) for b in shape.blocks if i < len(b))
        for i in range(shape.width)
    )


def _cell_pt(facts: Facts, metric: str) -> float:
    """The widest mean with its standard error."""
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
    """The runs by the headline metrics; the best mean of each in bold; failed runs keep their row."""
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
    """What the floating table shows, and what a page does not hold beside it."""
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
    """Are there means that the floating table has no room for?"""
    return bool(facts.explored) and bool(_beside(few(facts)))


def _beside(facts: Facts) -> list[Piece]:
    """What the floating table does not show: what a page has no room for, then the metrics that are told in detail."""
    headline = list(facts.manifest.headline)
    _, pieces = _divided(facts, _main_shape(facts, headline))
    rest = tuple(name for name in facts.manifest.metrics if name not in headline)
    return [*pieces, *([(rest, tuple(facts.condition_names()))] if rest else [])]


def further(facts: Facts) -> str:
    """The means that the floating table has no room for, over as many pages as they take."""
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
    """All runs by some of the metrics; empty cells where the block is not as wide as the table. `over_pages`: its head
    is repeated on each."""
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
    """The line above the runs under one of several conditions."""
    return NoEscape(rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\itshape {escape(facts.condition_label(condition))}}}\\")


def _blocks(metrics: Sequence[str], most: int) -> list[Sequence[str]]:
    """As few blocks as hold at most so many metrics each, of about the same width: wider ones cannot be read."""
    count = -(-len(metrics) // most)
    size = -(-len(metrics) // count)
    return [metrics[start : start + size] for start in range(0, len(metrics), size)]


def main_caption(facts: Facts) -> str:
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
    """What was not trained here, and the training that it had."""
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
    """A mean with its standard error set small, in the decimals of its column."""
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
    least = 1e-9 * max(map(abs, merits))  # sums of the same numbers in another order differ by less
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


def seeds(facts: Facts) -> str:
    """Every measured value, seed by seed; many metrics take a second table under the same caption."""
    several = len(facts.condition_names()) > 1
    names = [facts.condition_label(c) for c in facts.condition_names()]
    labels = [r.label for r in facts.measured]
    words = [[*labels, "Run"], [*names, "Condition"]] if several else [[*labels, "Run"]]
    fixed_pt = [max(text_pt(w, LETTERS_PT) for w in column) for column in words]
    cells = {m: _value_pt(facts, m) for m in facts.manifest.metrics}

    def fits(shape: Shape) -> bool:
        left = sum(min(w, shape.label or w) for w in fixed_pt) + 20 + GAP_PT * (len(words) + shape.width)
        blocks = [sum(max(cells[m], _seed_head_pt(facts, m, shape.head)) for m in block) for block in shape.blocks]
        return left + max(blocks) <= LINE_PT

    shape = _shape(list(facts.manifest.metrics), SEED_METRICS - several, fits, _SEED_FORMS)
    narrow = [shape.label if shape.label and w > shape.label else None for w in fixed_pt]
    return "\n\\addtocounter{table}{-1}\n".join(
        _seeds(facts, metrics, several, shape.head, narrow) for metrics in shape.blocks
    )


def _value_pt(facts: Facts, metric: str) -> float:
    values = [t.metrics[metric] for r in facts.measured for t in r.trainings if metric in t.metrics]
    return max((text_pt(fixed(v, 4), LETTERS_PT) for v in values), default=0.0)


def _seed_head_pt(facts: Facts, metric: str, width: float | None) -> float:
    label = facts.spec(metric).label
    return max(text_pt(line, LETTERS_PT) for line in ([label] if width is None else lines_of(label, width, LETTERS_PT)))


def _seeds(
    facts: Facts, metrics: Sequence[str], several: bool, head: float | None, narrow: Sequence[float | None]
) -> str:
    kinds = ["l" if width is None else paragraph(width) for width in narrow]
    table = long(f"{' '.join(kinds)} r " + "r" * len(metrics), 2 + several + len(metrics))
    words = ["Run", *(["Condition"] if several else []), "Seed" if facts.manifest.seeded else "Value"]
    if head is None:
        head_row(table, [*words, *(facts.spec(m).label for m in metrics)])
    else:
        lines = [r"\\ ".join(map(escape, lines_of(facts.spec(m).label, head, LETTERS_PT))) for m in metrics]
        head_row(table, [*words, *(rf"\columnhead{{{line}}}" for line in lines)], latex=True)
    for place, record in enumerate(facts.measured):
        if place:
            table.append(NoEscape(APART))
        rows = list(_seed_rows(facts, record, metrics, narrow if several else [None, None]))
        for index, row in enumerate(rows):
            first = index % TOGETHER == 0
            name = in_lines(record.label, narrow[0]) if first else ""
            stays = index + 1 < len(rows) and (index + 1) % TOGETHER
            cells = [name, *(row if several else row[1:])]
            table.append(NoEscape("&".join(cells) + (r"\\*" if stays else r"\\")))
    return table.dumps()


def _seed_rows(
    facts: Facts, record: RunRecord, metrics: Sequence[str], narrow: Sequence[float | None]
) -> Iterator[list[str]]:
    """Rows of one run behind its name, as LaTeX: condition, seed, and a value for each metric."""
    for training in sorted(record.trainings, key=lambda t: (t.condition, t.seed)):
        values = [fixed(training.metrics[m], 4) if m in training.metrics else "--" for m in metrics]
        if training.outcome != "measured":
            values = [training.outcome, *[""] * (len(metrics) - 1)]
        where = in_lines(facts.condition_label(training.condition), narrow[-1])
        which = str(training.seed) if facts.manifest.seeded else "reported"
        yield [where, which, *map(number, values)]
        for index, row in enumerate(repeats.behind(training, metrics), start=1):
            yield ["", str(index), *map(number, row)]
