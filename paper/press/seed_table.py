"""The table of the appendix with every measured value, run by run and seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pylatex import NoEscape

from agent.core.record import RunRecord
from paper.evidence.facts import Facts
from paper.evidence.numbers import fixed
from paper.press import repeats
from paper.press.latex import escape, number
from paper.press.metric_tables import FORMS, Shape, shape_of
from paper.press.tabular import APART, GAP_PT, LETTERS_PT, head_row, in_lines, long, paragraph
from paper.press.widths import LINE_PT, lines_of, text_pt

METRICS = 7  # most columns of metrics
TOGETHER = 10  # rows of one run that stay on one page; behind them its name is repeated
_FORMS = (*FORMS, (40.0, 76.0))  # names stand in many lines here, and narrower ones save pages


def seeds(facts: Facts) -> str:
    """Every measured value by run and seed; if there are many metrics, several tables share one caption and number."""
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

    shape = shape_of(list(facts.manifest.metrics), METRICS - several, fits, _FORMS)
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
    """The rows of one run without its name, as LaTeX: condition, seed, and a value for each metric."""
    for training in sorted(record.trainings, key=lambda t: (t.condition, t.seed)):
        values = [fixed(training.metrics[m], 4) if m in training.metrics else "--" for m in metrics]
        if training.outcome != "measured":
            values = [training.outcome, *[""] * (len(metrics) - 1)]
        where = in_lines(facts.condition_label(training.condition), narrow[-1])
        which = str(training.seed) if facts.manifest.seeded else "reported"
        yield [where, which, *map(number, values)]
        for index, row in enumerate(repeats.behind(training, metrics), start=1):
            yield ["", str(index), *map(number, row)]
